"""What an operator is told of the server: its state now, and its last hour. No key, text or address is in it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

from dragoman.server.status.history import POINT_EVERY_S, Point, hit_rate
from dragoman.types import Lane, Readiness, Tokens

if TYPE_CHECKING:
    from dragoman.core.pool import Replica
    from dragoman.core.translator import Translator
    from dragoman.server.metrics import Metrics
    from dragoman.settings import Settings

ReplicaCondition: TypeAlias = Literal["ready", "unreachable", "resting", "draining", "drained"]
"""`resting` is one that failed several times in a row and is left alone for a moment."""


class EngineStatus(Struct, frozen=True, kw_only=True):
    """The engine; `slots` are those of all replicas together."""

    name: str
    model: str
    revision: str | None
    slots: int


class ReplicaStatus(Struct, frozen=True, kw_only=True):
    """A replica. `reason` says why it is unreachable; `slots` is null where the engine does not tell them.

    `calls` and `tokens` are those since the server started.
    """

    name: str
    engine: str
    state: ReplicaCondition
    reason: str
    slots: int | None
    limit: Annotated[int, Meta(description="segments it may have at once")]
    flying: Annotated[int, Meta(description="segments it has")]
    calls: int
    tokens: Tokens


class LaneStatus(Struct, frozen=True, kw_only=True):
    """What waits in a lane, in segments and in estimated tokens of source text, and how much may."""

    waiting: int
    max_waiting: int
    tokens: int
    max_tokens: int


class TierStatus(Struct, frozen=True, kw_only=True):
    """A tier of the memory. `hits` and `misses` are looks for a key; null is what a tier cannot know."""

    hits: int
    misses: int
    dropped: int
    entries: int | None
    bytes: int | None


class SegmentCount(Struct, frozen=True, kw_only=True):
    """How many segments ended in one way; `error` is the class of what failed or was refused, else empty."""

    outcome: str
    error: str
    count: int


class ProcessStatus(Struct, frozen=True, kw_only=True):
    """The process that answered, one of `processes`: all else in the answer is its own, and the others have theirs.

    A limit of 0 is switched off. `pressure` 1 lets bulk wait, 2 refuses new work.
    """

    pid: int
    processes: int
    started_at: Annotated[float, Meta(description="Unix seconds")]
    rss_bytes: int
    rss_soft_limit_bytes: int
    rss_hard_limit_bytes: int
    pressure: int
    loop_lag_ms: Annotated[float, Meta(description="the most of the last minute")]


class Series(Struct, frozen=True, kw_only=True):
    """The last hour, in columns of equal length with a value for every ten seconds, the oldest first.

    `at` is when each point ended, in Unix seconds. Null is a time in which there was nothing to tell the value from.
    Requests are those to translate; refused ones were answered 4xx, failed ones 5xx. Errors are segments that failed or
    were refused, by the class of the error.
    """

    every_s: float
    at: list[float]
    requests_per_s: list[float]
    refused_per_s: list[float]
    failed_per_s: list[float]
    segments_per_s: list[float]
    p50_ms: list[float | None]
    p95_ms: list[float | None]
    p99_ms: list[float | None]
    interactive_waiting: list[int]
    bulk_waiting: list[int]
    slots_used: list[float]
    limit: list[int]
    hit_rate: list[float | None]
    errors_per_s: dict[str, list[float]]


class Status(Struct, frozen=True, kw_only=True):
    """The server as its operator sees it. `hit_rate` is the share of answered segments that the memory knew."""

    at: Annotated[float, Meta(description="Unix seconds")]
    process: ProcessStatus
    readiness: Readiness
    engine: EngineStatus
    replicas: list[ReplicaStatus]
    lanes: dict[str, LaneStatus]
    hit_rate: float | None
    memory: Annotated[dict[str, TierStatus] | None, Meta(description="by the name of the tier; null without a memory")]
    segments: list[SegmentCount]
    series: Series


def status_of(translator: Translator, metrics: Metrics, settings: Settings, *, at: float, now: float) -> Status:
    """The status at a moment: `at` in Unix seconds, `now` in the running loop's time."""
    info, segments = translator.info, translator.scheduler.segments.counts
    return Status(
        at=at,
        process=_process(metrics, settings),
        readiness=translator.readiness,
        engine=EngineStatus(name=info.name, model=info.model, revision=info.revision, slots=info.slots),
        replicas=[replica_status(replica, now) for replica in translator.pool],
        lanes={lane.name.lower(): _lane(translator, settings, lane) for lane in Lane},
        hit_rate=hit_rate(segments),
        memory=_memory(translator),
        segments=[SegmentCount(outcome=o, error=e, count=n) for (o, e), n in sorted(segments.items()) if n],
        series=series_of(metrics.history.points),
    )


def replica_status(replica: Replica, now: float) -> ReplicaStatus:
    """One replica, at `now` in the running loop's time."""
    info = replica.engine.info
    return ReplicaStatus(
        name=replica.name,
        engine=info.name,
        state=condition_of(replica, now),
        reason=replica.readiness.reason,
        slots=info.slots if info.slots_known else None,
        limit=replica.limit,
        flying=replica.flying,
        calls=sum(replica.call_s.counts),
        tokens=replica.tokens,
    )


def condition_of(replica: Replica, now: float) -> ReplicaCondition:
    """How a replica is. What the operator wanted goes before what a probe found."""
    if replica.draining:
        return "draining" if replica.flying else "drained"
    if not replica.readiness.ready:
        return "unreachable"
    return "resting" if replica.breaker.is_open(now) else "ready"


def series_of(points: Sequence[Point]) -> Series:
    """The points as columns."""
    kinds = sorted({kind for point in points for kind in point.errors_per_s})
    plain = [name for name in Point.__struct_fields__ if name != "errors_per_s"]
    columns = {name: [getattr(point, name) for point in points] for name in plain}
    errors = {kind: [point.errors_per_s.get(kind, 0.0) for point in points] for kind in kinds}
    return Series(every_s=POINT_EVERY_S, errors_per_s=errors, **columns)


def _process(metrics: Metrics, settings: Settings) -> ProcessStatus:
    guard = metrics.guard
    return ProcessStatus(
        pid=os.getpid(),
        processes=settings.workers,
        started_at=metrics.history.began_at,
        rss_bytes=guard.rss_bytes,
        rss_soft_limit_bytes=guard.limits.soft_bytes,
        rss_hard_limit_bytes=guard.limits.hard_bytes,
        pressure=guard.pressure,
        loop_lag_ms=round(metrics.lag.longest_s * 1e3, 1),
    )


def _lane(translator: Translator, settings: Settings, lane: Lane) -> LaneStatus:
    lanes = translator.scheduler.lanes
    return LaneStatus(
        waiting=lanes.waiting(lane),
        max_waiting=settings.max_waiting_segments,
        tokens=lanes.tokens(lane),
        max_tokens=settings.max_waiting_tokens,
    )


def _memory(translator: Translator) -> dict[str, TierStatus] | None:
    if translator.memory is None:
        return None
    return {
        name: TierStatus(
            hits=held.hits, misses=held.misses, dropped=held.dropped, entries=held.entries, bytes=held.bytes
        )
        for name, held in translator.memory.statistics().items()
    }

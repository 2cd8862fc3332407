"""The last hour of a process, one point for every ten seconds: what the status page draws.

A request costs one more count in a histogram that is thrown away with its window, so an hour of any load takes the same
few hundred kilobytes. The arithmetic is plain functions over counts; `History` adds the clock.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from msgspec import Struct, field

from dragoman.telemetry import Histogram
from dragoman.types import Lane

if TYPE_CHECKING:
    from dragoman.core.translator import Translator

log = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0
"""Between looks at what waits and flies; the rest is counted and needs none."""
POINT_EVERY_S = 10.0
KEPT_POINTS = 360
"""An hour."""

REQUEST_S = tuple(0.001 * 1.1**step for step in range(126))
"""Bounds of request times, each a tenth above the last, from a millisecond to two and a half minutes: a percentile read
from them is at most a tenth too high.
"""

ANSWERED = ("translated", "joined", "remembered")
"""The outcomes of segments that were answered."""

SegmentCounts = Mapping[tuple[str, str], int]
"""How many segments ended in which way, by outcome and class of error, as `Scheduler.segments` counts them."""


class Levels(Struct, frozen=True):
    """What there is at one moment: segments that wait in each lane and that fly, and how many may fly."""

    interactive_waiting: int
    bulk_waiting: int
    flying: int
    limit: int


class Window(Struct):
    """What the requests and looks of one point's time came to, so far."""

    took_s: Histogram = field(default_factory=lambda: Histogram(REQUEST_S))
    requests: int = 0
    refused: int = 0
    failed: int = 0
    levels: list[Levels] = field(default_factory=list)

    def answered(self, status: int, took_s: float) -> None:
        """Count a request by its status; 0 is one whose caller left before the answer."""
        self.requests += 1
        self.took_s.observe(took_s)
        if status >= 500:
            self.failed += 1
        elif status >= 400:
            self.refused += 1


class Point(Struct, frozen=True, kw_only=True):
    """Ten seconds of a process. `at` is when they ended, in Unix seconds.

    Request times and the share remembered are None where there was nothing to tell them from. Of what waits it is the
    most that any look found, of what flies the mean.
    """

    at: float
    requests_per_s: float
    refused_per_s: float
    failed_per_s: float
    segments_per_s: float
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    interactive_waiting: int
    bulk_waiting: int
    slots_used: float
    limit: int
    hit_rate: float | None
    errors_per_s: dict[str, float]


def percentile(histogram: Histogram, share: float) -> float | None:
    """The bound below which this share of the observations lies; None where there are none."""
    wanted = share * sum(histogram.counts)
    if not wanted:
        return None
    reached = 0
    for bound, number in zip(histogram.bounds, histogram.counts, strict=False):
        reached += number
        if reached >= wanted:
            return bound
    return histogram.bounds[-1]


def gained(before: SegmentCounts, after: SegmentCounts) -> Counter[tuple[str, str]]:
    """How many more there are of each."""
    return Counter(after) - Counter(before)


def hit_rate(segments: SegmentCounts) -> float | None:
    """The share of the answered segments that the memory knew; None where none was answered."""
    answered = sum(segments.get((outcome, ""), 0) for outcome in ANSWERED)
    return segments.get(("remembered", ""), 0) / answered if answered else None


def point_of(window: Window, segments: SegmentCounts, took_s: float, at: float) -> Point:
    """What a window of `took_s` seconds came to, with the segments that ended in it. It holds one look or more."""
    errors: Counter[str] = Counter()
    for (_, error), number in segments.items():
        if error:
            errors[error] += number
    return Point(
        at=round(at, 1),
        requests_per_s=_rate(window.requests, took_s),
        refused_per_s=_rate(window.refused, took_s),
        failed_per_s=_rate(window.failed, took_s),
        segments_per_s=_rate(sum(segments.get((outcome, ""), 0) for outcome in ANSWERED), took_s),
        p50_ms=_milliseconds(percentile(window.took_s, 0.5)),
        p95_ms=_milliseconds(percentile(window.took_s, 0.95)),
        p99_ms=_milliseconds(percentile(window.took_s, 0.99)),
        interactive_waiting=max(levels.interactive_waiting for levels in window.levels),
        bulk_waiting=max(levels.bulk_waiting for levels in window.levels),
        slots_used=round(sum(levels.flying for levels in window.levels) / len(window.levels), 1),
        limit=window.levels[-1].limit,
        hit_rate=_rounded(hit_rate(segments), 4),
        errors_per_s={kind: _rate(number, took_s) for kind, number in sorted(errors.items())},
    )


def _rate(number: int, took_s: float) -> float:
    return round(number / took_s, 3)


def _milliseconds(seconds: float | None) -> float | None:
    return _rounded(None if seconds is None else seconds * 1e3, 1)


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


class History:
    """Looks at a translator once a second and keeps an hour of points. An async context manager that owns that task."""

    def __init__(self, translator: Translator, clock: Callable[[], float] = time.time) -> None:
        self._translator = translator
        self._clock = clock
        self._points: deque[Point] = deque(maxlen=KEPT_POINTS)
        self.began_at = clock()
        self._open(self.began_at)

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._watch(), name="status history")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])

    @property
    def points(self) -> Sequence[Point]:
        """The points of the last hour, the oldest first; the time since the last of them is in none yet."""
        return tuple(self._points)

    def answered(self, status: int, took_s: float) -> None:
        """Count a request that a caller waited for."""
        self._window.answered(status, took_s)

    def look(self) -> None:
        """Note what waits and flies; after ten seconds make a point of all that was noted and begin anew."""
        self._window.levels.append(self._levels())
        now = self._clock()
        if now - self._opened_at < POINT_EVERY_S:
            return
        segments = gained(self._segments, self._translator.scheduler.segments.counts)
        self._points.append(point_of(self._window, segments, now - self._opened_at, now))
        self._open(now)

    def _open(self, now: float) -> None:
        self._opened_at = now
        self._window = Window()
        self._segments = dict(self._translator.scheduler.segments.counts)

    def _levels(self) -> Levels:
        lanes, replicas = self._translator.scheduler.lanes, list(self._translator.pool)
        return Levels(
            lanes.waiting(Lane.INTERACTIVE),
            lanes.waiting(Lane.BULK),
            sum(replica.flying for replica in replicas),
            sum(replica.limit for replica in replicas if not replica.draining),
        )

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                self.look()
            except Exception:  # a page that stands still unnoticed would be worse than none
                log.critical("The history of the status page could not be kept. This is a bug.", exc_info=True)

"""What a Prometheus sees at `/metrics`: state read when it asks, and counts that cost a request about a microsecond.

No label ever holds a key, a text or a client's address: they are route templates, class names, tiers, lanes and the
names of replicas, which hold no secrets.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.utils import floatToGoString
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dragoman.telemetry import Histogram, LoopLag, Tally
from dragoman.types import Lane

if TYPE_CHECKING:
    from dragoman.core.guard import MemoryGuard
    from dragoman.core.pool import Replica
    from dragoman.core.translator import Translator
    from dragoman.memory.base import Statistics
    from dragoman.server.status.history import History

Samples = Iterable[tuple[Sequence[str], float]]
"""The values of a metric, each with the values of its labels."""

STATUS_CLASSES = ("none", "1xx", "2xx", "3xx", "4xx", "5xx")


class Metrics:
    """Counts requests, and tells them and the state of all parts to whoever asks."""

    def __init__(self, translator: Translator, guard: MemoryGuard, lag: LoopLag, history: History) -> None:
        self._translator = translator
        self.guard = guard
        self.lag = lag
        self.history = history
        self._requests: defaultdict[tuple[str, ...], Histogram] = defaultdict(Histogram)
        self._registry = CollectorRegistry()
        self._registry.register(self)

    async def scrape(self, request: Request) -> Response:
        """`GET /metrics`, in the text format 0.0.4."""
        return Response(generate_latest(self._registry), media_type=CONTENT_TYPE_PLAIN_0_0_4)

    def answered(self, route: str, status: int, took_s: float) -> None:
        """Count a request by the template of its route; status 0 is one that was not answered, its caller gone."""
        self._requests[route, STATUS_CLASSES[status // 100]].observe(took_s)

    def describe(self) -> list[Metric]:
        """Nothing: the registry would otherwise collect once just to learn the names."""
        return []

    def collect(self) -> Iterator[Metric]:
        """All metrics as they are now."""
        yield _histogram(
            "request_seconds", "Requests, by route template and class of status.", ("route", "status"), self._requests
        )
        yield from _of_work(self._translator)
        yield from _of_replicas(list(self._translator.pool))
        if self._translator.memory is not None:
            yield from _of_memory(self._translator.memory.statistics())
        yield from _of_process(self.guard, self.lag)


class Measured:
    """ASGI middleware: tells each request's route, status and time to the metrics, and those of the routes that
    translate to the history, whose request times would mean little among requests for files and states.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, translating: Collection[str]) -> None:
        self._app = app
        self._metrics = metrics
        self._translating = translating

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 0

        def send_and_note(message: Message) -> Awaitable[None]:  # a coroutine would cost another microsecond
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            return send(message)

        began = time.perf_counter()
        try:
            await self._app(scope, receive, send_and_note)
        finally:
            # The router leaves the route it found in the scope; a path somebody made up must not become a label.
            route = getattr(scope.get("route"), "path", "none")
            took_s = time.perf_counter() - began
            self._metrics.answered(route, status, took_s)
            if route in self._translating:
                self._metrics.history.answered(status, took_s)


def _of_work(translator: Translator) -> Iterator[Metric]:
    scheduler = translator.scheduler
    lanes, names = scheduler.lanes, {lane: (lane.name.lower(),) for lane in Lane}
    yield _tally("translations", "Texts times targets, by how they ended.", translator.translations)
    yield _tally("segments", "Segments asked for, by how they ended; each is counted once.", scheduler.segments)
    yield _gauge(
        "waiting_segments", "Segments that wait.", ("lane",), ((names[lane], lanes.waiting(lane)) for lane in Lane)
    )
    yield _gauge(
        "waiting_tokens",
        "Estimated tokens of source text that wait.",
        ("lane",),
        ((names[lane], lanes.tokens(lane)) for lane in Lane),
    )


def _of_replicas(replicas: Sequence[Replica]) -> Iterator[Metric]:
    now = asyncio.get_running_loop().time()
    named = [((replica.name,), replica) for replica in replicas]
    label = ("replica",)
    yield _gauge("replica_flying", "Segments in the engine.", label, ((name, one.flying) for name, one in named))
    yield _gauge("replica_limit", "Segments it may have at once.", label, ((name, one.limit) for name, one in named))
    yield _gauge(
        "replica_ready", "1 if it answered its last probe.", label, ((name, one.readiness.ready) for name, one in named)
    )
    yield _gauge(
        "replica_breaker_open",
        "1 while it is left alone because it failed several times in a row.",
        label,
        ((name, one.breaker.is_open(now)) for name, one in named),
    )
    yield _histogram("engine_call_seconds", "Engine calls.", label, {name: one.call_s for name, one in named})
    yield _counter(
        "tokens",
        "Tokens the engine counted; cached ones are part of the prompt's.",
        ("replica", "kind"),
        (
            (((*name, kind), getattr(one.tokens, kind)))
            for name, one in named
            for kind in ("prompt", "cached", "output")
        ),
    )


def _of_memory(tiers: Mapping[str, Statistics]) -> Iterator[Metric]:
    label = ("tier",)
    yield _counter(
        "memory_hits",
        "Keys found. A segment may be looked up more than once: dragoman_segments_total tells the share remembered.",
        label,
        (((tier,), held.hits) for tier, held in tiers.items()),
    )
    yield _counter(
        "memory_misses",
        "Keys not found; each segment has two: of a person's translation and of the model's.",
        label,
        (((tier,), held.misses) for tier, held in tiers.items()),
    )
    yield _counter(
        "memory_dropped", "Entries not kept.", label, (((tier,), held.dropped) for tier, held in tiers.items())
    )
    yield _gauge(
        "memory_entries",
        "Entries held.",
        label,
        (((tier,), held.entries) for tier, held in tiers.items() if held.entries is not None),
    )
    yield _gauge(
        "memory_bytes",
        "Bytes held.",
        label,
        (((tier,), held.bytes) for tier, held in tiers.items() if held.bytes is not None),
    )


def _of_process(guard: MemoryGuard, lag: LoopLag) -> Iterator[Metric]:
    yield _gauge(
        "rss_bytes", "Resident size of this process; an engine's own is not in it.", (), [((), guard.rss_bytes)]
    )
    yield _gauge(
        "rss_limit_bytes",
        "Where the memory guard acts; 0 is never.",
        ("limit",),
        [(("soft",), guard.limits.soft_bytes), (("hard",), guard.limits.hard_bytes)],
    )
    yield _gauge(
        "rss_pressure",
        "0 normal, 1 past the soft limit (bulk waits), 2 past the hard one (new work is refused).",
        (),
        [((), guard.pressure)],
    )
    yield _gauge("loop_lag_seconds", "How late the event loop's last timer was.", (), [((), lag.latest_s)])
    yield _gauge("loop_lag_max_seconds", "The same, the most of the last minute.", (), [((), lag.longest_s)])


def _gauge(name: str, documentation: str, labels: Sequence[str], samples: Samples) -> Metric:
    family = GaugeMetricFamily(f"dragoman_{name}", documentation, labels=labels)
    for values, value in samples:
        family.add_metric(values, value)
    return family


def _counter(name: str, documentation: str, labels: Sequence[str], samples: Samples) -> Metric:
    family = CounterMetricFamily(f"dragoman_{name}", documentation, labels=labels)
    for values, value in samples:
        family.add_metric(values, value)
    return family


def _tally(name: str, documentation: str, tally: Tally) -> Metric:
    return _counter(name, documentation, ("outcome", "error"), tally.counts.items())


def _histogram(
    name: str, documentation: str, labels: Sequence[str], histograms: Mapping[tuple[str, ...], Histogram]
) -> Metric:
    family = HistogramMetricFamily(f"dragoman_{name}", documentation, labels=labels)
    for values, histogram in histograms.items():
        bounds = [*map(floatToGoString, histogram.bounds), "+Inf"]
        buckets = list(zip(bounds, accumulate(histogram.counts), strict=True))
        family.add_metric(values, buckets, histogram.total)
    return family

"""The way of one request: prepare, look up, fly, finish."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from itertools import chain
from types import TracebackType
from typing import Self

from msgspec import structs

from dragoman.core import plan as planning
from dragoman.core.flights import Flown
from dragoman.core.plan import Limits, Plan
from dragoman.core.pool import Pool
from dragoman.core.scheduler import Scheduler, Scheduling
from dragoman.errors import DragomanError
from dragoman.memory.base import Entry
from dragoman.memory.keys import key_of, key_of_human
from dragoman.memory.tiers import TieredMemory
from dragoman.telemetry import Tally
from dragoman.types import EngineInfo, Output, Readiness, Segment, TranslateRequest, Translation

log = logging.getLogger(__name__)

CHARACTERS_ON_LOOP = 4_000
"""Preparing more text than this happens in a thread: it would hold the event loop for more than about a millisecond."""


class Translator:
    """Translates texts through a pool of engines and a memory; an async context manager that owns neither.

    Leaving it takes no new requests and waits up to `grace_s` for those under way. What is left after that ends when
    the pool closes its engines.
    """

    def __init__(
        self, pool: Pool, memory: TieredMemory | None, limits: Limits, queue: Scheduling, *, grace_s: float = 0.0
    ) -> None:
        self._pool = pool
        self._memory = memory
        self._limits = limits
        self._scheduler = Scheduler(pool, queue)
        self._grace_s = grace_s
        self.translations = Tally()

    def __repr__(self) -> str:
        return f"<Translator on {self.info.name} {self.info.model}: {self._scheduler!r}>"

    @property
    def info(self) -> EngineInfo:
        """What the pool's model is and can do, as the latest probes told."""
        return self._pool.info

    @property
    def readiness(self) -> Readiness:
        """Whether any replica answered its latest probe."""
        return self._pool.readiness

    @property
    def pool(self) -> Pool:
        """The replicas."""
        return self._pool

    @property
    def memory(self) -> TieredMemory | None:
        """The memory, if there is one."""
        return self._memory

    @property
    def scheduler(self) -> Scheduler:
        """What waits and what flies."""
        return self._scheduler

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._scheduler.close()
        try:
            async with asyncio.timeout(self._grace_s):
                await self._scheduler.drained()
        except TimeoutError:
            log.warning("Stopping with work under way after a grace of %g s: %r", self._grace_s, self._scheduler)

    async def ready(self) -> None:
        """Return once an engine has answered a probe. Raises ConfigurationError where none ever will."""
        await self._pool.ready()

    async def translate(self, request: TranslateRequest) -> list[Translation | DragomanError]:
        """Translate each text into each target: all targets of the first text, then of the second, and so on.

        A text that failed stands as its error in its place. Raises InvalidRequest, Overloaded, ShuttingDown or
        EngineUnavailable before anything is started. Cancelling cancels the work in the engine too.
        """
        started = time.perf_counter()
        deadline = asyncio.get_running_loop().time() + (request.timeout_s or self._limits.timeout_s)
        planning.check(request, self._limits)
        plan = await self._prepare(request)
        prepare_ms = (time.perf_counter() - started) * 1e3
        flown = await self._answers(plan.segments, request, deadline) if plan.segments else []
        results = planning.finish(plan, flown, self.info, prepare_ms)
        self.translations.count_each("translated", results)
        total_ms = (time.perf_counter() - started) * 1e3
        return [_with_total(result, total_ms) for result in results]

    async def translate_text(self, text: str, *, target: str, source: str | None = None) -> Translation:
        """Translate one text into one language. Raises what went wrong."""
        (result,) = await self.translate(TranslateRequest(texts=(text,), targets=(target,), source=source))
        if isinstance(result, DragomanError):
            raise result
        return result

    async def _prepare(self, request: TranslateRequest) -> Plan:
        if sum(map(len, request.texts)) <= CHARACTERS_ON_LOOP:
            return planning.prepare(request, self.info)
        return await asyncio.to_thread(planning.prepare, request, self.info)

    async def _answers(self, segments: Sequence[Segment], request: TranslateRequest, deadline: float) -> list[Flown]:
        """What the memory knows, and the rest flown."""
        remembered = await self._recall(segments)
        missing = [segment for segment, known in zip(segments, remembered, strict=True) if known is None]
        self._scheduler.segments.count("remembered", len(segments) - len(missing))
        if not missing:
            return [known for known in remembered if known is not None]
        flown = await self._scheduler.fly(missing, deadline, request.lane, keep=not request.no_store)
        if not request.no_store:
            await self._remember(missing, flown)
        fresh = iter(flown)
        return [known or next(fresh) for known in remembered]

    async def _recall(self, segments: Sequence[Segment]) -> list[Flown | None]:
        """A person's translation where there is one, else what this model wrote before, else None."""
        if self._memory is None:
            return [None] * len(segments)
        info = self.info
        keys = [(key_of_human(segment), key_of(info, segment)) for segment in segments]
        found = _first_known(self._memory.peek(list(chain.from_iterable(keys))))
        missing = [index for index, entry in enumerate(found) if entry is None]
        if missing:  # only for these are the slower tiers asked
            deeper = await self._memory.get_many([key for index in missing for key in keys[index]])
            for index, entry in zip(missing, _first_known(deeper), strict=True):
                found[index] = entry
        return [None if entry is None else _flown(entry) for entry in found]

    async def _remember(self, segments: Sequence[Segment], flown: Sequence[Flown]) -> None:
        if self._memory is None:
            return
        info, now = self.info, int(time.time())
        await self._memory.put_many(
            [
                (key_of(info, segment), Entry(segment.text, segment.pair, one.outcome.text, info.model, now))
                for segment, one in zip(segments, flown, strict=True)
                if isinstance(one.outcome, Output)
            ]
        )


def _first_known(entries: Sequence[Entry | None]) -> list[Entry | None]:
    """Of each two entries, a person's and the engine's, the first that there is."""
    return [person or engine for person, engine in zip(entries[::2], entries[1::2], strict=True)]


def _flown(entry: Entry) -> Flown:
    return Flown(Output(entry.translation), remembered=True)


def _with_total(result: Translation | DragomanError, total_ms: float) -> Translation | DragomanError:
    if isinstance(result, DragomanError):
        return result
    return structs.replace(result, timings=structs.replace(result.timings, total_ms=total_ms))

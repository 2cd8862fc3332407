"""The way of one request: prepare, fly, finish."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from types import TracebackType
from typing import Self

import msgspec

from dragoman.core import plan as planning
from dragoman.core.plan import Limits, Plan
from dragoman.core.scheduler import Scheduler
from dragoman.engines.base import Engine
from dragoman.errors import ConfigurationError, DragomanError, EngineError
from dragoman.types import EngineInfo, Readiness, TranslateRequest, Translation

log = logging.getLogger(__name__)

CHARACTERS_ON_LOOP = 4_000
"""Preparing more text than this happens in a thread: it would hold the event loop for more than about a millisecond."""

PROBE_AGAIN_S = 15.0
"""Between probes of an engine that answers; one that does not is asked sooner, from a quarter of a second on."""


class Translator:
    """Translates texts through one engine. An async context manager: it watches the engine and closes it at the end.

    Leaving waits up to `grace_s` for running requests, then cancels them by closing the engine.
    """

    def __init__(self, engine: Engine, limits: Limits, *, max_waiting: int, grace_s: float = 0.0) -> None:
        self._engine = engine
        self._limits = limits
        self._scheduler = Scheduler(engine, max_waiting=max_waiting)
        self._grace_s = grace_s
        self._readiness = Readiness(False, "The engine has not answered yet.")
        self._probed: asyncio.Future[None] | None = None
        self._watch: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<Translator on {self.info.name} {self.info.model}: {self._scheduler!r}>"

    @property
    def info(self) -> EngineInfo:
        """What the engine is and can do, as its latest probe told."""
        return self._engine.info

    @property
    def readiness(self) -> Readiness:
        """Whether the engine answered its latest probe."""
        return self._readiness

    async def __aenter__(self) -> Self:
        self._probed = asyncio.get_running_loop().create_future()
        self._watch = asyncio.create_task(self._watch_engine(self._probed), name="watch the engine")
        self._watch.add_done_callback(self._watch_ended)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        assert self._watch is not None
        self._scheduler.close()
        self._watch.cancel()
        try:
            async with asyncio.timeout(self._grace_s):
                await self._scheduler.drained()
        except TimeoutError:
            log.warning("Stopping with work under way after a grace of %g s: %r", self._grace_s, self._scheduler)
        await self._engine.aclose()
        await asyncio.gather(self._watch, return_exceptions=True)

    async def ready(self) -> None:
        """Return once the engine has answered a probe. Raises ConfigurationError where it never will."""
        assert self._probed is not None, "enter the translator first"
        await asyncio.shield(self._probed)

    async def translate(self, request: TranslateRequest) -> list[Translation | DragomanError]:
        """Translate each text into each target: all targets of the first text, then of the second, and so on.

        A text that failed stands as its error in its place. Raises InvalidRequest, Overloaded or ShuttingDown before
        anything is started. Cancelling cancels the work in the engine too.
        """
        started = time.perf_counter()
        deadline = asyncio.get_running_loop().time() + (request.timeout_s or self._limits.timeout_s)
        planning.check(request, self._limits)
        plan = await self._prepare(request)
        prepare_ms = (time.perf_counter() - started) * 1e3
        flown = await self._scheduler.fly(plan.segments, deadline) if plan.segments else []
        results = planning.finish(plan, flown, self.info, prepare_ms)
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

    async def _watch_engine(self, probed: asyncio.Future[None]) -> None:
        """Probe the engine for as long as the translator lives; what it finds is `readiness`."""
        pause_s = 0.25
        while True:
            try:
                info = await self._engine.probe()
            except ConfigurationError as error:
                self._found(Readiness(False, error.message))
                if not probed.done():
                    probed.set_exception(error)
                    probed.exception()  # marks it as seen: who waits for `ready` still gets it
            except EngineError as error:
                self._found(Readiness(False, error.message))
            else:
                self._scheduler.follow(info.slots)
                self._found(Readiness(True))
                if not probed.done():
                    probed.set_result(None)
            pause_s = PROBE_AGAIN_S if self._readiness.ready else min(pause_s * 2, PROBE_AGAIN_S)
            await asyncio.sleep(pause_s * random.uniform(0.8, 1.2))

    def _watch_ended(self, watch: asyncio.Task[None]) -> None:
        if not watch.cancelled():
            log.critical("Watching the engine ended. This is a bug.", exc_info=watch.exception())
            self._found(Readiness(False, "The engine is no longer watched; restart the server and report the log."))

    def _found(self, readiness: Readiness) -> None:
        if readiness != self._readiness:
            log.log(logging.INFO if readiness.ready else logging.WARNING, readiness.reason or "The engine is ready.")
        self._readiness = readiness


def _with_total(result: Translation | DragomanError, total_ms: float) -> Translation | DragomanError:
    if isinstance(result, DragomanError):
        return result
    timings = msgspec.structs.replace(result.timings, total_ms=total_ms)
    return msgspec.structs.replace(result, timings=timings)

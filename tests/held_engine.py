"""An engine that answers when the test says so."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from dragoman.engines.base import Hear
from dragoman.errors import EngineError
from dragoman.types import EngineInfo, Output, Segment

INFO = EngineInfo(name="held", model="held-1", slots=2, max_segment_tokens=400)


class HeldEngine:
    """Calls wait until `release` is set; `failures` are handed out first, one a call, None standing for no failure."""

    def __init__(
        self, info: EngineInfo = INFO, *, failures: Sequence[EngineError | None] = (), held: bool = False
    ) -> None:
        self.info = info
        self.failures = list(failures)
        self.release = asyncio.Event()
        self.called: list[str] = []
        self.cancelled: list[str] = []
        self.running = 0
        self.most_running = 0
        self.closed = False
        self.bug: Exception | None = None
        self.probe_errors: list[Exception] = []
        if not held:
            self.release.set()

    async def probe(self) -> EngineInfo:
        if self.probe_errors:
            raise self.probe_errors.pop(0)
        return self.info

    async def translate(self, batch: Sequence[Segment], hear: Hear | None = None) -> list[Output | EngineError]:
        (segment,) = batch
        self.called.append(segment.text)
        if self.bug is not None:
            raise self.bug
        if self.failures and (failure := self.failures.pop(0)) is not None:
            return [failure]
        self.running += 1
        self.most_running = max(self.running, self.most_running)
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            self.cancelled.append(segment.text)
            raise
        finally:
            self.running -= 1
        return [Output(f"[{segment.pair.target}] {segment.text}")]

    async def aclose(self) -> None:
        self.closed = True
        self.release.set()

"""From segments to outputs: admission, the engine's slots, deadlines and the one retry."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from msgspec import Struct

from dragoman.core.slots import Slots
from dragoman.engines.base import Engine
from dragoman.errors import DeadlineExceeded, DragomanError, EngineError, EngineUnavailable, Overloaded, ShuttingDown
from dragoman.types import Output, Segment


class Flown(Struct, frozen=True):
    """What became of one segment, and how long it waited for a slot and spent in the engine."""

    outcome: Output | DragomanError
    queue_ms: float = 0.0
    engine_ms: float = 0.0


class Scheduler:
    """Keeps the engine's slots full and its own queue in front of them bounded.

    Engines queue without bound once their model is loaded, so the waiting happens here, where it can be counted,
    refused and left.
    """

    def __init__(self, engine: Engine, *, max_waiting: int) -> None:
        self._engine = engine
        self._max_waiting = max_waiting
        self._slots = Slots(engine.info.slots)
        self._admitted = 0
        self._drain = DrainRate()
        self._closed = False
        self._idle = asyncio.Event()
        self._idle.set()

    def __repr__(self) -> str:
        return f"<Scheduler: {self._admitted} admitted, {self._slots!r}>"

    def follow(self, slots: int) -> None:
        """Use as many slots as the engine's latest probe told."""
        self._slots.limit = slots

    def close(self) -> None:
        """Refuse new work from now on; what was admitted goes on."""
        self._closed = True

    async def drained(self) -> None:
        """Return when nothing admitted is left."""
        await self._idle.wait()

    async def fly(self, segments: Sequence[Segment], deadline: float) -> list[Flown]:
        """Translate all segments, in parallel as slots allow; one outcome each, in order.

        `deadline` is in the running loop's time. Raises Overloaded or ShuttingDown before anything is started.
        Cancelling cancels the work of all of them, in the engine too.
        """
        with self._admission(len(segments)):
            if len(segments) == 1:
                return [await self._fly_one(segments[0], deadline)]
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._fly_one(segment, deadline)) for segment in segments]
            return [task.result() for task in tasks]

    @contextmanager
    def _admission(self, count: int) -> Iterator[None]:
        if self._closed:
            raise ShuttingDown("The server is stopping; send the request again in a moment.")
        if self._admitted + count > self._max_waiting and self._admitted:
            retry_after_s = self._drain.seconds_for(self._admitted)
            raise Overloaded(
                f"{self._admitted} segments are waiting and this request holds {count} more; at most "
                f"{self._max_waiting} may wait. Try again in {retry_after_s:.0f} s.",
                retry_after_s=retry_after_s,
            )
        self._admitted += count
        self._idle.clear()
        try:
            yield
        finally:
            self._admitted -= count
            if not self._admitted:
                self._idle.set()

    async def _fly_one(self, segment: Segment, deadline: float) -> Flown:
        queued = started = time.perf_counter()
        try:
            async with asyncio.timeout_at(deadline), self._slots.one():
                started = time.perf_counter()
                outcome: Output | DragomanError = await self._translate(segment)
                self._drain.count_one()
        except TimeoutError:
            outcome = DeadlineExceeded(
                "The time allowed for this request ran out before the translation was there. "
                "Allow more with 'timeout', or send less text at once."
            )
        return Flown(outcome, (started - queued) * 1e3, (time.perf_counter() - started) * 1e3)

    async def _translate(self, segment: Segment) -> Output | EngineError:
        (outcome,) = await self._engine.translate([segment])
        if isinstance(outcome, EngineUnavailable):
            # Nothing of it was shown to the caller yet, and an engine that restarts is often back at once.
            (outcome,) = await self._engine.translate([segment])
        return outcome


class DrainRate:
    """How many segments a second the engine finishes, as an average over about the last 16."""

    def __init__(self) -> None:
        self._interval_s: float | None = None
        self._last_s: float | None = None

    def count_one(self) -> None:
        now = time.monotonic()
        if self._last_s is not None:
            interval_s = min(now - self._last_s, 10.0)
            self._interval_s = interval_s if self._interval_s is None else self._interval_s * 15 / 16 + interval_s / 16
        self._last_s = now

    def seconds_for(self, count: int) -> float:
        """Time to finish `count` segments, 1 to 120 s; 5 s while nothing is known yet."""
        if self._interval_s is None:
            return 5.0
        return min(120.0, max(1.0, count * self._interval_s))

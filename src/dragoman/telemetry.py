"""What is counted while work goes on: plain numbers without locks, for all of it happens on one event loop.

Counting costs well under a microsecond. `server/metrics` reads the numbers when it is asked, and only then does any
work with them.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Sequence
from types import TracebackType
from typing import Self

SECONDS = (0.002, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0)
"""The bounds that durations are told apart by: an answer from memory at one end, a long text on a small CPU at the
other.
"""


class Histogram:
    """How many observations fell up to each of `bounds`; the last of `counts` are those beyond them all."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float] = SECONDS) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count one observation. A value that is a bound belongs to it."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class Tally:
    """How often things ended in which way; with what failed or was refused, the class of the error is told apart."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()

    def count(self, outcome: str, number: int = 1, error: Exception | None = None) -> None:
        """Note that `number` of them ended so."""
        self.counts[outcome, "" if error is None else type(error).__name__] += number

    def count_each(self, done: str, results: Sequence[object]) -> None:
        """Note how each of these ended: an exception among them as `failed`, all else as `done`."""
        for result in results:
            if isinstance(result, Exception):
                self.count("failed", error=result)
            else:
                self.count(done)


class LoopLag:
    """How late the event loop is: a timer of `EVERY_S` is set again and again. An async context manager.

    What holds the loop for long, such as a blocking call, makes everyone late by just that much.
    """

    EVERY_S = 0.1
    REMEMBERED_S = 60.0

    def __init__(self) -> None:
        self._lags: deque[float] = deque([0.0], maxlen=round(self.REMEMBERED_S / self.EVERY_S))

    @property
    def latest_s(self) -> float:
        """How late the last timer was."""
        return self._lags[-1]

    @property
    def longest_s(self) -> float:
        """The most that one of the last minute's timers was late."""
        return max(self._lags)

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._measure(), name="loop lag")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _measure(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            due = clock() + self.EVERY_S
            await asyncio.sleep(self.EVERY_S)
            self._lags.append(max(0.0, clock() - due))

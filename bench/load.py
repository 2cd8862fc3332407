"""A closed-loop load: N callers, each sending its next request when the last was answered."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence

from msgspec import Struct


class Load(Struct, frozen=True):
    """What a load of requests came to."""

    count: int
    seconds: float
    latencies_ms: list[float]

    @property
    def per_second(self) -> float:
        return self.count / self.seconds

    @property
    def p50_ms(self) -> float:
        return statistics.median(self.latencies_ms)


async def closed_loop(items: Sequence[str], callers: int, send: Callable[[str], Awaitable[None]]) -> Load:
    """Send every item once, at most `callers` at a time; an error ends the run."""
    latencies_ms: list[float] = []
    remaining = iter(items)

    async def call() -> None:
        for item in remaining:
            began = time.perf_counter()
            await send(item)
            latencies_ms.append((time.perf_counter() - began) * 1e3)

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(callers):
            group.create_task(call())
    return Load(len(latencies_ms), time.perf_counter() - began, latencies_ms)

"""An open-loop load: requests leave when a Poisson process says so, whatever became of those before.

A caller who waits for an answer before the next request hides a server's queue ("coordinated omission"). Here latency
counts from the scheduled time, so a generator that is late makes the server look worse and never better; how late it
was is part of the result. Percentiles are exact, over all samples: there are some ten thousand, not millions.
"""

from __future__ import annotations

import asyncio
import gc
import math
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from msgspec import Struct

OK = 200
UNREACHED = 0
"""The status of a request that got no answer at all: refused, reset or timed out on the client's side."""

MAX_LAG_MS = 5.0
"""A generator whose lag has a p99 above this has measured itself. The event loop's timer alone makes it 1."""


class Sample(Struct, frozen=True):
    """One request. `due_s` counts from the load's begin, `lag_ms` and `latency_ms` from when it was due."""

    due_s: float
    lag_ms: float
    latency_ms: float
    status: int


def poisson_arrivals(rate_per_s: float, seconds: float, *, seed: int, start_s: float = 0.0) -> Iterator[float]:
    """The times of a Poisson process of this rate, from `start_s` on for so many seconds."""
    rng = random.Random(seed)
    due_s = start_s + rng.expovariate(rate_per_s)
    while due_s < start_s + seconds:
        yield due_s
        due_s += rng.expovariate(rate_per_s)


async def open_loop(
    arrivals: Iterable[float], texts: Iterator[str], send: Callable[[str], Awaitable[int]]
) -> list[Sample]:
    """Send a text at each of these times, and return when all are answered. `send` returns an HTTP status."""
    samples: list[Sample] = []

    async def call(due_s: float) -> None:
        lag_ms = (time.perf_counter() - began - due_s) * 1e3
        status = await send(next(texts))
        samples.append(Sample(due_s, lag_ms, (time.perf_counter() - began - due_s) * 1e3, status))

    with _without_garbage_collection():
        began = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for due_s in arrivals:
                await asyncio.sleep(max(0.0, began + due_s - time.perf_counter()))
                group.create_task(call(due_s))
    return samples


def percentile(values: Iterable[float], share: float) -> float:
    """The smallest value that at least this share of the values does not exceed; NaN of nothing."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan


def latencies_ms(samples: Sequence[Sample], *, answered: bool) -> list[float]:
    """Latencies of the requests that were answered with a translation, or of those that were not."""
    return [sample.latency_ms for sample in samples if (sample.status == OK) == answered]


def lag_p99_ms(samples: Iterable[Sample]) -> float:
    return percentile((sample.lag_ms for sample in samples), 0.99)


def verdict(lag_ms: float) -> str:
    """What the generator's lag, as a p99, means for the run."""
    if lag_ms <= MAX_LAG_MS:
        return f"The generator was late by {lag_ms:.1f} ms at most, p99: the run counts."
    return f"VOID: the generator was late by {lag_ms:.1f} ms, p99, above {MAX_LAG_MS:g}; run it on a quiet machine."


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    # A full collection takes tens of milliseconds, which would be the generator's lag and look like the server's.
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()

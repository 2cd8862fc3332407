"""How much of what an engine can do arrives through Dragoman: the same engine kept full directly, and through it.

The engine is a simulated vLLM in its own process, 64 slots. Directly it is always given more than it has slots, so that
its own queue keeps every step full: that is its best. Dragoman keeps the queue on its own side, and must not let a slot
stand empty for it.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Awaitable, Callable

from bench.load import closed_loop
from bench.open_loop_servers import asks_dragoman, asks_engine, client, simulated_pair, surely
from bench.open_loop_texts import new_sentences
from bench.report import Report
from dragoman.simulator import profile_named

PROFILES = ("h100-27b", "h100-12b")
RUN_S = 6
ROUNDS = 3


async def run() -> Report:
    """Measure for about two minutes."""
    return Report(
        name="engine_use",
        title="Throughput through Dragoman against the engine's own best",
        columns=(
            "engine",
            "directly, sentences/s",
            "through dragoman, sentences/s",
            "dragoman / directly (reach 0.97)",
        ),
        rows=[await _row(profile_name) for profile_name in PROFILES],
        notes=(
            f"{ROUNDS} rounds of both in turn, twice as many callers as slots, every sentence new; rates and ratios "
            "are medians. Both send the same requests to the same process, and count while all callers are busy.",
        ),
    )


async def steady_per_s(ask: Callable[[str], Awaitable[int]], callers: int, count: int) -> float:
    """Sentences a second while so many callers are all busy, over about `count` of them.

    The first and the last sentence of each caller do not count: before and after those the engine is not full.
    """
    finished_s: list[float] = []

    async def timed(text: str) -> None:
        await surely(ask)(text)
        finished_s.append(time.perf_counter())

    await closed_loop(new_sentences(count + 2 * callers), callers, timed)
    steady_s = finished_s[callers:-callers]
    return (len(steady_s) - 1) / (steady_s[-1] - steady_s[0])


async def _row(profile_name: str) -> tuple[str, ...]:
    profile = profile_named(profile_name)
    callers = 2 * profile.slots
    async with simulated_pair(profile_name) as (engine, server), client() as session:
        directly, through = asks_engine(session, engine, profile.hub_model), asks_dragoman(session, server)
        count = round(RUN_S * await steady_per_s(directly, callers, callers))
        rates = [[await steady_per_s(ask, callers, count) for ask in (directly, through)] for _ in range(ROUNDS)]
    best, ours = (statistics.median(column) for column in zip(*rates, strict=True))
    ratio = statistics.median(through_rate / direct_rate for direct_rate, through_rate in rates)
    return (profile_name, f"{best:.1f}", f"{ours:.1f}", f"{ratio:.3f}")


if __name__ == "__main__":
    sys.exit("run `python -m bench engine_use`")

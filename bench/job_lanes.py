"""What people who wait see of a job that runs: as `lanes`, but over HTTP and with a real job in the place of its texts.

Simulator and server are processes of their own. People come as a Poisson process at a quarter of the engine's capacity,
first alone and then beside a job that was handed in over HTTP and has more rows than it can end in the time.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence

from bench.engine_use import steady_per_s
from bench.lanes import CAPACITY_SENTENCES_A_SLOT, CASES, INTERACTIVE_SHARE, PHASE_S, WARM_UP_S, Measured
from bench.open_loop_load import Sample, lag_p99_ms, latencies_ms, open_loop, percentile, poisson_arrivals, verdict
from bench.open_loop_servers import asks_dragoman, asks_engine, client, dragoman, openai_engine, simulator
from bench.open_loop_texts import endless_sentences
from bench.report import Report
from bench.running_job import begun_job
from dragoman.simulator import Profile, profile_named


async def run() -> Report:
    """Measure for about three minutes."""
    measured = [await _measured(profile_named(name), bulk_fill) for name, bulk_fill in CASES]
    return Report(
        name="job_lanes",
        title="People who wait, with and without a running job",
        columns=(
            "engine",
            "bulk fills",
            "interactive/s",
            "p95 alone, ms",
            "p95 beside a job, ms",
            "beside / alone (reach 1.3)",
            "the job's rows/s",
        ),
        rows=[_row(one) for one in measured],
        notes=(
            f"{INTERACTIVE_SHARE:.0%} of the capacity are people; `lanes` tells the engine's own part of the ratio.",
            verdict(max(lag_p99_ms([*one.alone, *one.beside]) for one in measured)),
        ),
    )


async def _measured(profile: Profile, bulk_fill: float) -> Measured:
    async with simulator(profile.name) as engine, client() as session:
        ask_engine = asks_engine(session, engine, profile.hub_model)
        capacity = await steady_per_s(ask_engine, 2 * profile.slots, CAPACITY_SENTENCES_A_SLOT * profile.slots)
        async with dragoman(openai_engine(engine, profile), "--bulk-fill", str(bulk_fill)) as server:
            ask = asks_dragoman(session, server)
            alone = await _people(ask, INTERACTIVE_SHARE * capacity)
            job = await begun_job(session, server)
            await asyncio.sleep(WARM_UP_S)
            await job.count()
            beside = await _people(ask, INTERACTIVE_SHARE * capacity)
            return Measured(profile, bulk_fill, capacity, alone, beside, await job.per_second())


async def _people(ask: Callable[[str], Awaitable[int]], per_s: float) -> Sequence[Sample]:
    return await open_loop(poisson_arrivals(per_s, PHASE_S, seed=1), endless_sentences(), ask)


def _row(measured: Measured) -> tuple[str, ...]:
    profile, samples = measured.profile, (measured.alone, measured.beside)
    alone_ms, beside_ms = (percentile(latencies_ms(one, answered=True), 0.95) for one in samples)
    return (
        profile.name,
        f"{measured.bulk_fill:.0%}",
        f"{INTERACTIVE_SHARE * measured.capacity_per_s:.1f}",
        f"{alone_ms:.0f}",
        f"{beside_ms:.0f}",
        f"{beside_ms / alone_ms:.2f}",
        f"{measured.bulk_per_s:.1f}",
    )


if __name__ == "__main__":
    sys.exit("run `python -m bench job_lanes`")

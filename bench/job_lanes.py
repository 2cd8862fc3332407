"""What people who wait see of a job that runs: as `lanes`, with a real job in the place of its texts.

The engine is a simulator in another process, people come as a Poisson process at a quarter of its capacity, first
alone and then beside the job, which has more rows than it can end in the time.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from bench.engine_use import steady_per_s
from bench.jobs import work, write_table
from bench.lanes import CAPACITY_SENTENCES_A_SLOT, INTERACTIVE_SHARE, WARM_UP_S, interactive
from bench.open_loop_load import lag_p99_ms, latencies_ms, percentile, verdict
from bench.open_loop_servers import asks_engine, client, openai_engine, simulator
from bench.report import Report
from dragoman.settings import Settings
from dragoman.simulator import Profile, profile_named
from dragoman.wiring import open_translator

PROFILES = ("4090-12b", "h100-12b")
ROWS = 50_000


async def run() -> Report:
    """Measure for about a minute and a half."""
    measured = [await _measured(profile_named(name)) for name in PROFILES]
    return Report(
        name="job_lanes",
        title="People who wait, with and without a running job",
        columns=("engine", "interactive/s", "p95 alone, ms", "p95 beside a job, ms", "beside / alone (reach 1.3)"),
        rows=[row for row, _ in measured],
        notes=(
            f"{INTERACTIVE_SHARE:.0%} of the capacity are people; `lanes` tells the engine's own part of the ratio.",
            verdict(max(lag for _, lag in measured)),
        ),
    )


async def _measured(profile: Profile) -> tuple[tuple[str, ...], float]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_table(folder / "in.parquet", ROWS)
        async with simulator(profile.name) as engine, client() as session:
            ask_engine = asks_engine(session, engine, profile.hub_model)
            capacity = await steady_per_s(ask_engine, 2 * profile.slots, CAPACITY_SENTENCES_A_SLOT * profile.slots)
            settings = Settings(engine=openai_engine(engine, profile), data_dir=name, memory_disk_bytes=0)
            async with open_translator(settings) as translator:
                await translator.ready()
                per_s = INTERACTIVE_SHARE * capacity
                alone = await interactive(translator, per_s)
                job = asyncio.create_task(work(folder / "in.parquet", folder / "out", translator))
                await asyncio.sleep(WARM_UP_S)
                beside = await interactive(translator, per_s)
                assert not job.done(), "the job has too few rows"
                job.cancel()
                with suppress(asyncio.CancelledError):
                    await job
    alone_ms, beside_ms = (percentile(latencies_ms(samples, answered=True), 0.95) for samples in (alone, beside))
    row = (profile.name, f"{per_s:.1f}", f"{alone_ms:.0f}", f"{beside_ms:.0f}", f"{beside_ms / alone_ms:.2f}")
    return row, lag_p99_ms([*alone, *beside])


if __name__ == "__main__":
    sys.exit("run `python -m bench job_lanes`")

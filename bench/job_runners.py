"""What a job costs on a cluster, and what further engines give.

First the same rows on an engine that takes no time, so that only Dragoman's own work counts: on one event loop, on Ray
and on Dask. Then on one event loop with 1, 2, 4 and 8 simulated replicas, slow enough that they are the limit. The
machine's cores are shared by driver and workers: a cluster shows here what it costs, not what it gives.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import Struct

from bench.report import Report
from dragoman.jobs.cells import Stopped
from dragoman.jobs.cluster import ray_runner
from dragoman.jobs.dask_runner import dask_runner
from dragoman.jobs.job import Job, fingerprint_of, open_job, plan_job
from dragoman.jobs.runner import Runner, local_runner
from dragoman.jobs.station import assignment_of
from dragoman.jobs.tables.planning import plan_table
from dragoman.settings import Settings
from dragoman.types import TranslateRequest
from dragoman.wiring import open_translator

ROWS = 20_000
INSTANT = "simulated://instant"
SLOW = "simulated://h100-12b?speed=0.25"
REPLICAS = (1, 2, 4, 8)
WARM_UP_S = 8.0
MEASURED_S = 24.0

OpenRunner = Callable[[Job], AbstractAsyncContextManager[Runner]]


class Run(Struct, frozen=True):
    """One job: how long until its runner was there, and rows a second from then on."""

    start_s: float
    rows_per_s: float


async def run() -> Report:
    """Measure for about four minutes."""
    with tempfile.TemporaryDirectory() as folder:
        runs = await _runners(Path(folder))
        replicas = [await _with_replicas(Path(folder), count) for count in REPLICAS]
    alone = runs["one event loop"].rows_per_s
    return Report(
        name="job_runners",
        title="Jobs on one event loop, on Ray, on Dask, and with several engines",
        columns=("runner", "engines", "start, s", "rows/s", "against one event loop, or one engine"),
        rows=[
            *(
                (
                    name,
                    "no time at all",
                    f"{run.start_s:.1f}",
                    f"{run.rows_per_s:,.0f}",
                    f"{run.rows_per_s / alone:.2f}",
                )
                for name, run in runs.items()
            ),
            *(
                ("one event loop", f"{count} x {SLOW}", "", f"{rate:,.1f}", f"{rate / replicas[0]:.2f}")
                for count, rate in zip(REPLICAS, replicas, strict=True)
            ),
        ],
        notes=[
            f"{ROWS:,} rows of one sentence, all of a length; on an engine that takes no time all share the cores.",
            f"With replicas: rows a second over {MEASURED_S:g} s, after {WARM_UP_S:g} s.",
        ],
    )


async def _runners(folder: Path) -> dict[str, Run]:
    settings = _settings(folder, INSTANT)
    opener = partial(open_translator, settings)
    async with open_translator(settings) as translator:
        await translator.ready()

        def on_ray(job: Job, actors: int) -> AbstractAsyncContextManager[Runner]:
            return ray_runner(assignment_of(job, (), folder / "memos"), opener, actors=actors)

        ways: dict[str, OpenRunner] = {
            "one event loop": lambda job: local_runner(job.spec, job.folder, job.ledger, translator),
            "Ray, 1 actor": lambda job: on_ray(job, 1),
            "Ray, 2 actors": lambda job: on_ray(job, 2),
            "Dask, 1 worker": lambda job: dask_runner(assignment_of(job, (), folder / "memos"), opener),
        }
        return {name: await _timed(await _planned(folder, settings), way) for name, way in ways.items()}


async def _timed(output: Path, way: OpenRunner) -> Run:
    async with open_job(output) as job:
        before = await job.prepare()
        started = time.perf_counter()
        async with way(job) as runner:
            opened = time.perf_counter()
            progress = await job.run(runner, before)
            ended = time.perf_counter()
    if progress.state != "done":
        sys.exit(f"the job did not end well: {progress.reason}")
    return Run(opened - started, ROWS / (ended - opened))


async def _with_replicas(folder: Path, count: int) -> float:
    """Rows a second in the middle of a job."""
    settings = _settings(folder, " ".join([SLOW] * count))
    output = await _planned(folder, settings)
    async with open_translator(settings) as translator, open_job(output) as job:
        await translator.ready()
        before = await job.prepare()
        async with local_runner(job.spec, job.folder, job.ledger, translator) as runner:
            running = asyncio.create_task(job.run(runner, before))
            await asyncio.sleep(WARM_UP_S)
            settled, since = runner.tally.settled, time.perf_counter()
            await asyncio.sleep(MEASURED_S)
            rate = (runner.tally.settled - settled) / (time.perf_counter() - since)
            runner.stop(Stopped("It was measured."))
            await running
    return rate


async def _planned(folder: Path, settings: Settings) -> Path:
    """A new job over the same rows."""
    table = folder / "in.parquet"
    if not table.exists():
        pq.write_table(
            pa.table(
                {"text": [f"Chair number {number:05} goes well with any garden table." for number in range(ROWS)]}
            ),
            table,
        )
    output = Path(tempfile.mkdtemp(dir=folder)) / "out"
    spec, shards = plan_table(
        [table], columns=["text"], request=TranslateRequest(texts=(), targets=("de",), source="en")
    )
    async with open_translator(settings) as translator:
        await translator.ready()
        plan_job(output, spec, shards, fingerprint_of(translator.info))
    return output


def _settings(folder: Path, engine: str) -> Settings:
    """Without a memory: every row is called for."""
    return Settings(engine=engine, data_dir=str(folder / "data"), memory_bytes=0)

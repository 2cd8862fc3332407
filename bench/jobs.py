"""What a job costs beside its calls: rows a second, memory, and how soon a killed one is at work again.

A stub in the translator's place answers at once, so that all that is measured is reading, the ledger, the window and
the parts. The job is killed with -9 in its middle, and resumed. Then 20,000 rows go the whole way, through the
translator to the simulator without latency. `python -m bench.jobs --rows 2000000` takes that many rows for the first.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import signal
import tempfile
import time
from collections.abc import Callable, Coroutine
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import Struct

from bench.report import Report, write
from dragoman.core.translator import Translator
from dragoman.jobs.job import fingerprint_of, open_job, plan_job
from dragoman.jobs.runner import local_runner
from dragoman.jobs.tables.planning import plan_table
from dragoman.loop import run as run_loop
from dragoman.settings import Settings
from dragoman.types import EngineInfo, Pair, Tokens, TranslateRequest, Translation
from dragoman.wiring import open_translator

ROWS = 200_000
WHOLE_WAY_ROWS = 20_000
BATCH_ROWS = 50_000
PAIR = Pair("en", "de")
INFO = EngineInfo(name="stub", model="stub", slots=64, max_segment_tokens=400)


class Ran(Struct, frozen=True):
    """One process of a job: its seconds of work and of CPU, the peak of its memory, and when it first called, counted
    from the start of the process.
    """

    seconds: float
    cpu_s: float
    peak_mb: float
    first_call_s: float


class Stub:
    """A translator that answers at once; `at_call` may end it all. The mutable state counts its calls."""

    info = INFO
    pool = SimpleNamespace(seats=lambda now: [SimpleNamespace(limit=INFO.slots)])
    readiness = SimpleNamespace(ready=True)

    def __init__(self, at_call: int | None, then: Callable[[], None]) -> None:
        self._at_call = at_call
        self._then = then
        self.calls = 0
        self.first_call_s = 0.0

    async def translate(self, request: TranslateRequest) -> list[Translation]:
        self.calls += 1
        if self.calls == 1:
            self.first_call_s = _age_s()
        if self.calls == self._at_call:
            self._then()
        (text,) = request.texts
        return [
            Translation(
                text=f"Auf Deutsch: {text}",
                source=PAIR.source,
                target=PAIR.target,
                engine=INFO.name,
                model=INFO.model,
                tokens=Tokens(90, 70, 25),
            )
        ]


async def run(rows: int = ROWS) -> Report:
    """Measure for about two minutes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_table(folder / "in.parquet", rows)
        killed = await _in_own_process(_framework, folder, rows // 2)
        resumed = await _in_own_process(_framework, folder, None)
        write_table(folder / "whole.parquet", WHOLE_WAY_ROWS)
        whole = await _in_own_process(_whole_way, folder, None)
    seconds, cpu_s = killed.seconds + resumed.seconds, killed.cpu_s + resumed.cpu_s
    return Report(
        name="jobs",
        title="A job of many rows",
        columns=("what", "rows", "rows/s", "CPU a row, µs", "peak memory, MB", "first new row after resume, s"),
        rows=(
            _row("all but the calls (reach 5,000 rows/s, 400 MB, 3 s)", rows, seconds, cpu_s,
                 max(killed.peak_mb, resumed.peak_mb), f"{resumed.first_call_s:.2f}"),
            _row("the whole way, engine without delay", WHOLE_WAY_ROWS, whole.seconds, whole.cpu_s, whole.peak_mb, ""),
        ),
        notes=(
            "Parquet in, one column into one language, all texts different. The job was killed with -9 at half of the "
            "rows and resumed; its rows/s are those of both runs together.",
            f"Load of the machine at the end, over a minute: {os.getloadavg()[0]:.1f}. CPU a row tells of a quiet core "
            "where others were at work.",
        ),
    )  # fmt: skip


def write_table(path: Path, rows: int) -> None:
    """Rows of a number and a title of about 75 characters, each another."""
    schema = pa.schema([("sku", pa.string()), ("title", pa.string())])
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, rows, BATCH_ROWS):
            numbers = range(start, min(start + BATCH_ROWS, rows))
            skus = [f"{number:08}" for number in numbers]
            titles = [f"Red wooden chair number {number} with four strong legs and a cushion" for number in numbers]
            writer.write_table(pa.table([skus, titles], schema=schema))


async def _framework(folder: Path, kill_at: int | None, told: Connection) -> None:
    began, cpu = time.perf_counter(), time.process_time()

    def told_and_gone() -> None:
        told.send(_ran(began, cpu, stub.first_call_s))
        os.kill(os.getpid(), signal.SIGKILL)

    stub = Stub(kill_at, told_and_gone)
    await work(folder / "in.parquet", folder / "out", cast("Translator", stub))
    told.send(_ran(began, cpu, stub.first_call_s))


async def _whole_way(folder: Path, _: int | None, told: Connection) -> None:
    settings = Settings(engine="simulated://instant", data_dir=str(folder), memory_disk_bytes=0)
    async with open_translator(settings) as translator:
        await translator.ready()
        began, cpu = time.perf_counter(), time.process_time()
        await work(folder / "whole.parquet", folder / "whole", translator)
        told.send(_ran(began, cpu, 0.0))


async def work(table: Path, folder: Path, translator: Translator) -> None:
    """Work on the job of a table's titles in `folder`, planned first where there is none, until it is done."""
    if not folder.exists():  # noqa: ASYNC240 - nothing else runs here
        request = TranslateRequest(texts=(), targets=(PAIR.target,), source=PAIR.source)
        plan_job(folder, *plan_table([table], columns=["title"], request=request), fingerprint_of(translator.info))
    async with open_job(folder) as job:
        before = await job.prepare()
        async with local_runner(job.spec, folder, job.ledger, translator) as runner:
            progress = await job.run(runner, before)
    assert progress.state == "done", progress.reason
    assert progress.ok == progress.rows_total


async def _in_own_process(
    work: Callable[[Path, int | None, Connection], Coroutine[Any, Any, None]], folder: Path, kill_at: int | None
) -> Ran:
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe(duplex=False)
    process = spawn.Process(target=_worked, args=(work, folder, kill_at, there))
    process.start()
    there.close()
    try:
        ran = await asyncio.to_thread(here.recv)
        await asyncio.to_thread(process.join)
    finally:
        process.kill()
    return cast("Ran", ran)


def _worked(
    work: Callable[[Path, int | None, Connection], Coroutine[Any, Any, None]],
    folder: Path,
    kill_at: int | None,
    told: Connection,
) -> None:
    run_loop(work(folder, kill_at, told))


def _ran(began: float, cpu: float, first_call_s: float) -> Ran:
    return Ran(time.perf_counter() - began, time.process_time() - cpu, _peak_mb(), first_call_s)


def _age_s() -> float:
    return time.time() - psutil.Process().create_time()


def _peak_mb() -> float:
    """Of this process alone: what `getrusage` tells begins with the parent's."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def _row(what: str, rows: int, seconds: float, cpu_s: float, peak_mb: float, first: str) -> tuple[str, ...]:
    return (what, f"{rows:,}", f"{rows / seconds:,.0f}", f"{cpu_s / rows * 1e6:.0f}", f"{peak_mb:.0f}", first)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    found = asyncio.run(run(parser.parse_args().rows))
    print(found.markdown())
    write(found)

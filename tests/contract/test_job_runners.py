"""What every runner promises: the same job gives the same bytes, wherever its shards are worked on."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from msgspec import structs

from dragoman.errors import ConfigurationError, MissingExtra
from dragoman.jobs.cells import Tally
from dragoman.jobs.choosing import MEMOS, open_runner
from dragoman.jobs.job import fingerprint_of, open_job, plan_job
from dragoman.jobs.output import MANIFEST
from dragoman.jobs.progress import Progress
from dragoman.jobs.runner import local_runner
from dragoman.jobs.spec import Fingerprint
from dragoman.jobs.station import MEMO
from dragoman.jobs.tables.planning import plan_table
from dragoman.settings import Settings
from dragoman.types import TranslateRequest
from dragoman.wiring import open_translator

pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # Ray and Dask leave sockets and files to the collector
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

ROWS = 600
SHARD_ROWS = 100
ENGINE = "simulated://instant?mischief=0.05"
"""It says some things badly, always the same ones, so that parts have findings and errors too."""

PauseFor = Callable[[Tally], str | None]


def write_table(path: Path) -> None:
    """Rows with repeated, empty and letterless texts, in a row group for each shard."""
    titles = [
        None if row % 50 == 7 else "" if row % 50 == 8 else f"Chair number {row % 400} for the garden."
        for row in range(ROWS)
    ]
    table = pa.table({"sku": [f"{row:05}" for row in range(ROWS)], "title": titles})
    pq.write_table(table, path, row_group_size=SHARD_ROWS, compression="none")


def break_row_group(path: Path, number: int) -> None:
    """Spoil a row group, in the file as it is when the job is planned."""
    column = pq.ParquetFile(path).metadata.row_group(number).column(1)
    start = column.dictionary_page_offset or column.data_page_offset
    with path.open("r+b") as file:
        file.seek(start)
        file.write(b"\xff" * 16)


class Trial:
    """One job over one table, which may be worked on several times."""

    def __init__(self, folder: Path) -> None:
        self.input = folder / "in.parquet"
        self.output = folder / "out"
        self.data = folder / "data"
        write_table(self.input)

    def settings(self, engine: str) -> Settings:
        return Settings(engine=engine, data_dir=str(self.data), memory_disk_bytes=0)

    async def plan(self, change: Callable[[Fingerprint], Fingerprint] = lambda planned: planned) -> None:
        request = TranslateRequest(texts=(), targets=("de", "fr"), source="en")
        spec, shards = plan_table([self.input], columns=["title"], request=request, shard_rows=SHARD_ROWS)
        async with open_translator(self.settings(ENGINE)) as translator:
            await translator.ready()
            plan_job(self.output, spec, shards, change(fingerprint_of(translator.info)))

    async def work(self, on: str | None, engine: str = ENGINE, pause_for: PauseFor = lambda _: None) -> Progress:
        settings = self.settings(engine)
        opener = partial(open_translator, settings)
        async with open_translator(settings) as translator, open_job(self.output) as job:
            before = await job.prepare()
            async with open_runner(on, job, translator, settings, opener, pause_for=pause_for) as runner:
                return await job.run(runner, before)

    @property
    def manifest(self) -> bytes:
        """Names every part with its SHA-256."""
        return (self.output / MANIFEST).read_bytes()


@pytest.fixture
async def trial(tmp_path: Path) -> Trial:
    trial = Trial(tmp_path)
    await trial.plan()
    return trial


@pytest.fixture(scope="module")
def expected() -> dict[str, bytes]:
    """The manifest as the first of all runs in this module wrote it."""
    return {}


def check_same(trial: Trial, expected: dict[str, bytes]) -> None:
    assert trial.manifest == expected.setdefault("manifest", trial.manifest)


def workers_of(trial: Trial) -> list[psutil.Process]:
    """The processes that have a memo of the trial's open."""
    return [process for process in psutil.process_iter() if _has_open(process, trial.data)]


def _has_open(process: psutil.Process, folder: Path) -> bool:
    try:
        return any(file.path.startswith(str(folder)) and file.path.endswith(MEMO) for file in process.open_files())
    except psutil.Error:
        return False


class RunnerContract:
    """Inherit, and give a fixture `on` that names the runner."""

    @pytest.mark.parametrize("slots", [1, 64])
    async def test_the_same_input_gives_the_same_bytes(
        self, on: str | None, trial: Trial, expected: dict[str, bytes], slots: int
    ) -> None:
        progress = await trial.work(on, f"{ENGINE}&slots={slots}")

        assert (progress.state, progress.rows, progress.cells) == ("done", ROWS, 2 * ROWS)
        assert progress.ok + progress.passthrough + progress.error == ROWS
        check_same(trial, expected)
        async with open_job(trial.output) as job:
            assert (await job.ledger.totals()).tokens == progress.tokens

    async def test_a_broken_range_sticks_only_its_shard(self, on: str | None, tmp_path: Path) -> None:
        trial = Trial(tmp_path)
        break_row_group(trial.input, 2)
        await trial.plan()

        progress = await trial.work(on)

        assert (progress.state, progress.rows) == ("failed", ROWS - SHARD_ROWS)
        async with open_job(trial.output) as job:
            assert list(await job.ledger.stuck()) == [2]

    async def test_a_job_stopped_in_the_middle_goes_on_elsewhere(
        self, on: str | None, trial: Trial, expected: dict[str, bytes]
    ) -> None:
        paused = await trial.work(on, pause_for=lambda tally: "Enough for today." if tally.settled >= 100 else None)
        assert (paused.state, paused.reason) == ("paused", "Enough for today.")
        assert paused.rows < ROWS

        done = await trial.work(None)

        assert done.state == "done"
        check_same(trial, expected)


class ClusterContract(RunnerContract):
    """What only workers in processes of their own can promise."""

    async def test_a_worker_killed_in_the_middle_loses_nothing(
        self, on: str, trial: Trial, expected: dict[str, bytes]
    ) -> None:
        killed: list[int] = []

        def kill_once(tally: Tally) -> None:
            if tally.settled and not killed:
                killed.extend(process.pid for process in workers_of(trial))
                for pid in killed:
                    os.kill(pid, signal.SIGKILL)

        progress = await trial.work(on, pause_for=kill_once)

        assert killed
        assert (progress.state, progress.rows) == ("done", ROWS)
        check_same(trial, expected)

    async def test_what_workers_stored_is_kept_until_the_job_is_done(self, on: str, trial: Trial) -> None:
        memos = trial.data / MEMOS
        await trial.work(on, pause_for=lambda tally: "Enough." if tally.settled else None)
        assert list(memos.rglob(MEMO))

        await trial.work(on)

        assert not list(memos.rglob("*"))

    async def test_a_worker_with_another_engine_than_planned_ends_the_work(self, on: str, tmp_path: Path) -> None:
        trial = Trial(tmp_path)
        await trial.plan(lambda planned: structs.replace(planned, model="another"))

        progress = await trial.work(on)

        assert (progress.state, progress.rows) == ("failed", 0)
        assert "planned with model 'another'" in progress.reason


class TestLocalRunner(RunnerContract):
    @pytest.fixture
    def on(self) -> None:
        return None

    async def test_work_that_is_cancelled_sends_nothing_more(self, trial: Trial) -> None:
        settings = trial.settings("simulated://instant?slots=1")
        async with (
            open_translator(settings) as translator,
            open_job(trial.output) as job,
            local_runner(job.spec, job.folder, job.ledger, translator) as runner,
        ):
            working = asyncio.create_task(runner.run(job))
            while not runner.tally.called:  # noqa: ASYNC110 - there is no event to wait for
                await asyncio.sleep(0)
            working.cancel()

        assert 0 < runner.tally.called == runner.tally.settled - runner.tally.copied < 100


@pytest.fixture(scope="module")
def ray() -> Iterator[str]:
    """A Ray that all tests share: it starts in some six seconds."""
    ray: Any = pytest.importorskip("ray")
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"
    ray.init("local", num_cpus=2, include_dashboard=False, object_store_memory=100_000_000, logging_level="error")
    yield "ray"
    ray.shutdown()


@pytest.fixture(scope="module")
def dask() -> Iterator[str]:
    """A Dask of one worker that all tests share."""
    distributed: Any = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=1, threads_per_worker=4, dashboard_address=None) as cluster:
        yield f"dask://{cluster.scheduler_address.removeprefix('tcp://')}"


class TestRayRunner(ClusterContract):
    @pytest.fixture
    def on(self, ray: str) -> str:
        return ray


class TestDaskRunner(ClusterContract):
    @pytest.fixture
    def on(self, dask: str) -> str:
        return dask


@pytest.mark.parametrize("on", ["spark", "ray:", "http://localhost:10001"])
async def test_any_other_place_is_refused(on: str, trial: Trial) -> None:
    with pytest.raises(ConfigurationError, match="not on"):
        await trial.work(on)


@pytest.mark.parametrize(("on", "package"), [("ray", "ray"), ("dask", "distributed")])
async def test_a_missing_package_names_its_extra(
    on: str, package: str, trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, "dragoman.jobs.dask_runner", raising=False)

    with pytest.raises(MissingExtra, match=rf"dragoman\[{on}\]"):
        await trial.work(on)

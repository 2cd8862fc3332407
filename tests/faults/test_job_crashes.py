"""Whatever ends the process of a job, every row comes out once and in its place, and hardly a call is made twice."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench.crashes import crash, titles, write_table
from bench.job_processes import Child, Engine, Nursery, counting_engine, nursery, repeats
from dragoman.cli import INTERRUPTED
from tests.faults.job_parts import assert_complete, parts_of, parts_without_crashes

ROWS = 20_000
KILLS = 20
SLOTS = 32
GROUP = 500
"""Answers of one commit, as the promise has it: what flies and two groups may be asked for again."""

KILL = "import os, signal\ndef die(*_, **__): os.kill(os.getpid(), signal.SIGKILL)\n"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    with nursery(tmp_path_factory.mktemp("nursery")) as home:
        yield home


@pytest.fixture(scope="module")
def counting() -> Iterator[Engine]:
    with counting_engine(slots=SLOTS, takes_s=0.02) as engine:
        yield engine


@pytest.fixture
def engine(counting: Engine) -> Engine:
    counting.settle()
    counting.forget()
    return counting


class Work:
    """One job on a table of titles, worked on by commands in processes of their own."""

    def __init__(self, folder: Path, engine: Engine, home: Nursery, rows: int) -> None:
        self.table, self.out, self.engine = folder / "in.csv", folder / "out", engine
        self.texts = titles(rows)
        write_table(self.table, self.texts)
        self._home = home

    def begin(self, *, first: str = "", shard_rows: int = 2000) -> Child:
        plan = ("--column", "title", "--from", "en", "--to", "de", "--shard-rows", str(shard_rows))
        return self._start("run", str(self.table), *plan, "--out", str(self.out), first=first)

    def resume(self, *, first: str = "") -> Child:
        return self._start("resume", str(self.out), first=first)

    def ends(self, child: Child) -> int:
        """The exit code, when all that it asked the engine is counted."""
        while self.engine.read(child.ended):
            pass
        self.engine.settle()
        code = child.code()
        print(child.told())
        return code

    def asks(self, child: Child, texts: int) -> None:
        """Wait until it has asked for so many."""
        before = len(self.engine.asked)
        while len(self.engine.asked) < before + texts:
            assert self.engine.read(child.ended), child.told()

    def each_asked_once(self) -> bool:
        return sorted(self.engine.asked) == sorted(set(self.texts))

    def finishes_without_a_call(self, child: Child) -> None:
        """The command ends well, and nothing was asked for twice since the job began."""
        assert self.ends(child) == 0
        assert self.each_asked_once()
        assert_complete(self.out, self.texts)
        assert not list(self.out.glob("*.tmp"))

    def _start(self, action: str, *arguments: str, first: str) -> Child:
        options = ("--engine", self.engine.url, "--memory-bytes", "0")
        return self._home.start("job", action, *arguments, *options, first=first)


@pytest.fixture
def work(tmp_path: Path, engine: Engine, home: Nursery) -> Work:
    return Work(tmp_path, engine, home, rows=300)


@pytest.mark.timeout(580)
async def test_a_job_killed_at_twenty_moments_loses_nothing_doubles_nothing_and_repeats_few_calls(
    tmp_path: Path, engine: Engine, home: Nursery
) -> None:
    seed = secrets.randbelow(2**32)
    print(f"seed {seed}")
    texts, table, folder = titles(ROWS), tmp_path / "in.csv", tmp_path / "out"
    write_table(table, texts)

    crashed = crash(folder, table, len(set(texts)), KILLS, seed, engine, home)

    assert_complete(folder, texts)
    assert parts_of(folder) == await parts_without_crashes(tmp_path / "uncrashed", table)
    again = repeats(crashed.asked, crashed.asked_before)
    assert set(crashed.asked) == set(texts)
    assert len(crashed.asked) == len(set(texts)) + again.total()
    assert len(crashed.asked_before) == KILLS + 1
    assert max(again.values(), default=0) <= SLOTS + 2 * GROUP
    print(f"{again.total()} calls repeated by {KILLS} kills: {sorted(again.values())}")


STEPS = {
    "a part is written and not synced": (
        "from types import SimpleNamespace\n"
        "from dragoman.jobs.tables import parts\n"
        "parts.os = SimpleNamespace(fsync=die)"
    ),
    "a part is synced and not sealed": "from dragoman.jobs.output import Output\nOutput.commit = die",
    "a part is sealed and has no name": "from dragoman.jobs import output\noutput.rename = die",
    "a part has its name and the folder is not synced": "from dragoman.jobs import durable\ndurable.sync_folder = die",
    "a part has its name and its shard is not done": "from dragoman.jobs.ledger import Ledger\nLedger.done = die",
    "all shards are done and there is no manifest": (
        "from dragoman.jobs.output import Output\nOutput.write_manifest = die"
    ),
}


@pytest.mark.parametrize("step", STEPS)
def test_a_job_killed_when(step: str, work: Work) -> None:
    """All answers of its one shard are stored by then."""
    assert work.ends(work.begin(first=KILL + STEPS[step])) == -signal.SIGKILL
    work.finishes_without_a_call(work.resume())


def flip_a_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def test_a_part_torn_before_its_shard_was_sealed_is_built_again_without_a_call(work: Work) -> None:
    assert work.ends(work.begin(first=KILL + STEPS["a part is written and not synced"])) == -signal.SIGKILL
    (torn,) = work.out.glob("part-*.tmp")
    cut(torn)
    work.finishes_without_a_call(work.resume())


@pytest.mark.parametrize("damage", [flip_a_byte, cut, Path.unlink])
def test_a_sealed_part_that_was_damaged_is_built_again_without_a_call(
    damage: Callable[[Path], None], work: Work
) -> None:
    assert work.ends(work.begin(first=KILL + STEPS["a part is sealed and has no name"])) == -signal.SIGKILL
    (sealed,) = work.out.glob("part-*.tmp")
    damage(sealed)
    work.finishes_without_a_call(work.resume())


@pytest.mark.parametrize("damage", [cut, Path.unlink])
def test_a_part_of_a_complete_job_that_was_lost_is_built_again_without_a_call(
    damage: Callable[[Path], None], work: Work
) -> None:
    assert work.ends(work.begin(shard_rows=100)) == 0
    damage(work.out / "part-000001.parquet")
    work.finishes_without_a_call(work.resume())


def test_sigterm_in_the_middle_repeats_no_call(work: Work) -> None:
    child = work.begin()
    work.asks(child, 60)
    child.kill(signal.SIGTERM)
    assert work.ends(child) == INTERRUPTED
    assert len(work.engine.asked) < len(set(work.texts))
    work.finishes_without_a_call(work.resume())


def test_a_full_disk_pauses_the_job_with_the_reason_and_it_goes_on_when_there_is_room(work: Work) -> None:
    """A file may not grow past 200 kB, which the ledger does before all answers are in it."""
    limit = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))"
    child = work.begin(first=limit)
    assert work.ends(child) == 1
    assert "Paused." in child.told()
    assert "Make room on the disk, then resume the job: nothing that was stored is lost." in child.told()
    assert work.ends(work.resume()) == 0

    assert_complete(work.out, work.texts)
    assert len(work.engine.asked) - len(set(work.texts)) <= SLOTS + 2 * GROUP


def test_a_disk_that_is_full_for_the_parts_leaves_none_that_is_torn(work: Work, tmp_path: Path) -> None:
    with small_disk(work.out):
        child = work.begin()
        assert work.ends(child) == 1
        assert "Paused." in child.told()
        assert "ake room" in child.told()
        assert not list(work.out.glob("part-*.parquet"))
        subprocess.run(["mount", "-o", "remount,size=64m", work.out], check=True)
        assert work.ends(work.resume()) == 0
        assert_complete(work.out, work.texts)


# Root without its capabilities obeys permissions as everybody else does.
BOUND = """
import ctypes
ctypes.CDLL(None).capset((ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)())
"""


def test_a_folder_that_becomes_read_only_pauses_the_job_and_nothing_is_lost(work: Work) -> None:
    child = work.begin(first=BOUND)
    work.asks(child, 60)
    work.out.chmod(0o555)
    try:
        assert work.ends(child) == 1
    finally:
        work.out.chmod(0o755)
    assert "Paused." in child.told()
    assert "Permission denied" in child.told()
    work.finishes_without_a_call(work.resume())


def test_a_folder_that_cannot_be_written_is_told_before_anything_is_asked(work: Work) -> None:
    work.out.mkdir(mode=0o555)
    child = work.begin(first=BOUND)
    assert work.ends(child) == 1
    assert str(work.out) in child.told()
    assert "writable" in child.told()
    assert work.engine.asked == []


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """A file system of its own below `folder`, too small for a job."""
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", folder], check=False).returncode:
        pytest.skip("nobody may mount a file system here")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)

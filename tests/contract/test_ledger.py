"""The ledger and the parts of a job on real files: nothing committed is lost, nothing is told that is not committed."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from dragoman.errors import JobNotReady, LedgerError, UnknownJob
from dragoman.jobs.job_file import FILE_NAME, JobFile
from dragoman.jobs.ledger import Ledger
from dragoman.jobs.memo import GROUP, Memo, open_memo
from dragoman.jobs.output import MANIFEST, Output, hold
from dragoman.jobs.spec import Cell, Counts, Fingerprint, JobSpec, Receipt, Shard
from dragoman.types import TranslateRequest

ROWS = 10
SHARDS = 3
SPEC = JobSpec(
    inputs=(), family="csv", columns=("title",), request=TranslateRequest(texts=(), targets=("de",)),
    rows=SHARDS * ROWS,
)  # fmt: skip
FINGERPRINT = Fingerprint(engine="simulated", model="m", revision=None, style=None, prompts="1")
PART = b"PAR1 these are the rows PAR1"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "job"


@pytest.fixture
async def ledger(folder: Path) -> AsyncIterator[Ledger]:
    async with planned(folder) as opened:
        yield opened


@pytest.fixture
def output(folder: Path, ledger: Ledger) -> Output:
    return Output(folder, ledger)


@asynccontextmanager
async def planned(folder: Path) -> AsyncIterator[Ledger]:
    shards = [Shard(number=n, file=0, start=n * ROWS, first=n * ROWS, rows=ROWS) for n in range(SHARDS)]
    Ledger.create(folder, SPEC, FINGERPRINT, shards, created_at=1_000)
    async with aclosing(await Ledger.open(folder)) as opened:
        yield opened


def key(number: int) -> bytes:
    return number.to_bytes(16)


def cell(number: int) -> Cell:
    return Cell("ok", f"Satz {number}.")


def names_in(folder: Path, pattern: str) -> list[str]:
    return sorted(path.name for path in folder.glob(pattern))


def write_garbage(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this was never a database " * 1_000)


async def stored(memo: Memo, answers: Sequence[tuple[bytes, Cell]]) -> list[Cell]:
    return list(await asyncio.gather(*[await memo.put(*answer) for answer in answers]))


# The memo


async def test_what_a_future_resolved_to_is_in_the_file(folder: Path) -> None:
    failed = Cell("error", None, ("truncated: it ends too soon.",))
    async with aclosing(await open_memo(folder / "worker.sqlite3")) as memo:
        assert await stored(memo, [(key(1), cell(1)), (key(2), failed)]) == [cell(1), failed]

    async with aclosing(await open_memo(folder / "worker.sqlite3")) as memo:
        assert await memo.get_many([key(2), key(3), key(1)]) == [failed, None, cell(1)]


async def test_the_first_answer_wins_whoever_gives_it(ledger: Ledger, folder: Path) -> None:
    async with aclosing(await Ledger.open(folder)) as other:
        answers = await asyncio.gather(
            *[stored(one, [(key(n), Cell("ok", f"{name} {n}")) for n in range(50)])
              for name, one in (("ours", ledger), ("theirs", other))]
        )  # fmt: skip

    assert answers[0] == answers[1]
    assert answers[0] == await ledger.get_many([key(n) for n in range(50)])


class HeldKeep:
    """Commits that wait until they may go on, and what each held."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sizes: list[int] = []
        self.begun = threading.Event()
        self.may_go_on = threading.Event()
        self._keep = JobFile.keep
        monkeypatch.setattr(JobFile, "keep", lambda file, answers: self.keep(file, answers))

    def keep(self, file: JobFile, answers: Sequence[tuple[bytes, Cell]]) -> list[Cell]:
        self.sizes.append(len(answers))
        self.begun.set()
        assert self.may_go_on.wait(30)
        return self._keep(file, answers)


@pytest.fixture
def held_keep(monkeypatch: pytest.MonkeyPatch) -> Iterator[HeldKeep]:
    held = HeldKeep(monkeypatch)
    yield held
    held.may_go_on.set()


async def test_a_lone_answer_is_committed_at_once_and_the_next_gather_meanwhile_up_to_one_group(
    ledger: Ledger, held_keep: HeldKeep
) -> None:
    futures = [await ledger.put(key(0), cell(0))]
    await asyncio.to_thread(held_keep.begun.wait, 10)
    futures += [await ledger.put(key(n), cell(n)) for n in range(1, GROUP + 1)]
    waits_for_room = asyncio.ensure_future(ledger.put(key(GROUP + 1), cell(GROUP + 1)))
    found = await ledger.get_many([key(0)])

    assert not waits_for_room.done()
    assert not any(future.done() for future in futures)
    assert found == [None]
    held_keep.may_go_on.set()
    futures.append(await waits_for_room)
    assert await asyncio.gather(*futures) == [cell(n) for n in range(GROUP + 2)]
    assert held_keep.sizes == [1, GROUP, 1]


async def test_who_stops_waiting_for_room_or_for_an_answer_hinders_nobody(ledger: Ledger, held_keep: HeldKeep) -> None:
    futures = [await ledger.put(key(n), cell(n)) for n in range(GROUP + 1)]
    waiting = [asyncio.ensure_future(ledger.put(key(n), cell(n))) for n in (1_001, 1_002)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    futures[0].cancel()
    held_keep.may_go_on.set()

    assert await (await waiting[1]) == cell(1_002)
    assert await asyncio.gather(*futures[1:]) == [cell(n) for n in range(1, GROUP + 1)]
    assert await ledger.get_many([key(0), key(1_001), key(1_002)]) == [cell(0), None, cell(1_002)]


async def test_closing_stores_what_was_handed_over(folder: Path) -> None:
    async with planned(folder) as ledger:
        futures = [await ledger.put(key(n), cell(n)) for n in range(GROUP)]
        await ledger.aclose()

        assert [future.result() for future in futures] == [cell(n) for n in range(GROUP)]
        with pytest.raises(LedgerError, match="closed"):
            await ledger.put(key(1), cell(1))
    async with aclosing(await Ledger.open(folder)) as ledger:
        assert None not in await ledger.get_many([key(n) for n in range(GROUP)])


async def test_a_file_that_cannot_be_written_fails_everybody_who_waits_and_all_later_puts(
    ledger: Ledger, held_keep: HeldKeep
) -> None:
    # What SQLite answers for a file system that is mounted read-only; modes do not hold root.
    await ledger._writer.run(lambda file: file._connection.execute("PRAGMA query_only = ON"))
    futures = [await ledger.put(key(n), cell(n)) for n in range(GROUP + 1)]
    waits_for_room = asyncio.ensure_future(ledger.put(key(GROUP + 1), cell(GROUP + 1)))
    await asyncio.sleep(0)
    held_keep.may_go_on.set()

    outcomes = await asyncio.gather(*futures, waits_for_room, return_exceptions=True)

    assert {type(outcome) for outcome in outcomes} == {LedgerError}
    assert "readonly" in str(outcomes[0])
    assert "writable" in str(outcomes[0])
    assert len({id(outcome) for outcome in outcomes}) == len(outcomes)
    with pytest.raises(LedgerError, match="readonly"):
        await ledger.put(key(1), cell(1))
    assert await ledger.get_many([key(1)]) == [None]


WRITES_FOR_EVER = """
import asyncio, itertools, os, sys
from pathlib import Path
from dragoman.jobs.ledger import Ledger
from dragoman.jobs.spec import Cell

async def put(ledger, numbers):
    for number in numbers:
        cell = await (await ledger.put(number.to_bytes(16), Cell("ok", f"Satz {number}.")))
        os.write(1, f"{number} {cell.text}\\n".encode())

async def main():
    ledger = await Ledger.open(Path(sys.argv[1]))
    numbers = itertools.count()
    await asyncio.gather(*(put(ledger, numbers) for _ in range(800)))

asyncio.run(main())
"""


async def started(script: str, *args: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, *args, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )


@pytest.mark.parametrize("lines", [1, 1_000, 3_210])
async def test_a_killed_process_keeps_every_answer_it_was_told_is_stored(folder: Path, lines: int) -> None:
    async with planned(folder):
        pass
    process = await started(WRITES_FOR_EVER, str(folder))
    assert process.stdout is not None
    told = [await process.stdout.readline() for _ in range(lines)]
    process.send_signal(signal.SIGKILL)
    told += [line for line in (await process.communicate())[0].splitlines(keepends=True) if line.endswith(b"\n")]
    answers = {int(number): text.decode().strip() for number, text in (line.split(b" ", 1) for line in told)}

    async with aclosing(await Ledger.open(folder)) as ledger:
        kept = await ledger.get_many([key(n) for n in range(max(answers) + 2_000)])

    known = {number: found.text for number, found in enumerate(kept) if found is not None}
    assert answers.items() <= known.items()
    assert len(known) - len(answers) <= 2 * GROUP


FILLS_THE_DISK = """
import asyncio, json, resource, sys
from pathlib import Path
from dragoman.errors import LedgerError
from dragoman.jobs.ledger import Ledger
from dragoman.jobs.spec import Cell

def key(number):
    return number.to_bytes(16)

async def main():
    folder = Path(sys.argv[1])
    ledger = await Ledger.open(folder)
    await (await ledger.put(key(0), Cell("ok", "Satz 0.")))
    largest = max(path.stat().st_size for path in folder.iterdir())
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest + 100_000, resource.RLIM_INFINITY))
    futures = [await ledger.put(key(number), Cell("ok", "x" * 50_000)) for number in range(1, 40)]
    outcomes = await asyncio.gather(*futures, return_exceptions=True)
    resolved = [number for number, outcome in enumerate(outcomes, 1) if isinstance(outcome, Cell)]
    told = {str(outcome) for outcome in outcomes if isinstance(outcome, LedgerError)}
    try:
        await ledger.put(key(99), Cell("ok", "late"))
    except LedgerError as error:
        told.add(str(error))
    found = await ledger.get_many([key(0)])
    await ledger.aclose()
    print(json.dumps([resolved, sorted(told), found[0].text]))

asyncio.run(main())
"""


async def test_a_full_disk_is_told_nothing_unsaved_resolves_and_the_job_goes_on_when_there_is_room(
    folder: Path,
) -> None:
    async with planned(folder):
        pass
    process = await started(FILLS_THE_DISK, str(folder))
    printed, _ = await process.communicate()
    resolved, told, found = json.loads(printed)

    assert process.returncode == 0
    assert len(resolved) < 39
    assert len(told) == 1
    assert "Make room on the disk" in told[0]
    assert found == "Satz 0."
    async with aclosing(await Ledger.open(folder)) as ledger:
        kept = await ledger.get_many([key(n) for n in range(40)])
        assert {number for number, one in enumerate(kept) if one is not None} == {0, *resolved}
        assert await stored(ledger, [(key(99), cell(99))]) == [cell(99)]


# The job


async def test_a_job_opens_as_it_was_planned_and_only_where_it_was(ledger: Ledger, tmp_path: Path) -> None:
    assert (ledger.spec, ledger.fingerprint, ledger.created_at) == (SPEC, FINGERPRINT, 1_000)
    with pytest.raises(UnknownJob):
        await Ledger.open(tmp_path / "elsewhere")
    assert not (tmp_path / "elsewhere").exists()


async def test_a_memo_without_a_plan_is_no_job(folder: Path) -> None:
    await (await open_memo(folder / FILE_NAME)).aclose()

    with pytest.raises(UnknownJob):
        await Ledger.open(folder)


def test_a_folder_that_cannot_be_made_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(LedgerError, match="writable"):
        Ledger.create(tmp_path / "file" / "job", SPEC, FINGERPRINT, [])


async def test_a_file_that_is_no_database_is_damaged(folder: Path) -> None:
    write_garbage(folder / FILE_NAME)

    with pytest.raises(LedgerError, match="The file is damaged"):
        await Ledger.open(folder)


async def test_damage_is_told_when_it_is_met(folder: Path) -> None:
    keys = [key(n) for n in range(GROUP)]
    async with planned(folder) as ledger:
        await stored(ledger, [(one, Cell("ok", "x" * 1_000)) for one in keys])
    with (folder / FILE_NAME).open("r+b") as file:
        file.seek(20 * 4_096)
        file.write(os.urandom(40 * 4_096))

    async with aclosing(await Ledger.open(folder)) as ledger:
        with pytest.raises(LedgerError, match="The file is damaged"):
            await ledger.get_many(keys)


async def test_whoever_looks_sees_what_was_committed_last(ledger: Ledger, folder: Path) -> None:
    async with aclosing(await Ledger.open(folder)) as looking:
        (shard,) = await ledger.lease(1)
        await ledger.set_state("running")
        await ledger.note(b"half")

        assert (await looking.totals()).shards == {"leased": 1, "pending": SHARDS - 1}
        assert (await looking.state(), await looking.noted()) == (("running", ""), b"half")
        await looking.set_state("cancelled", "Its owner did.")
        assert await ledger.state() == ("cancelled", "Its owner did.")
        await ledger.give_back([shard])
        assert [again.generation for again in await ledger.lease(1)] == [2]


# The lock


HOLDS = """
import sys
from pathlib import Path
from dragoman.jobs.output import hold

with hold(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


async def test_one_process_works_on_a_job_at_a_time_and_a_killed_one_leaves_it(ledger: Ledger, folder: Path) -> None:
    process = await started(HOLDS, str(folder))
    assert process.stdout is not None
    assert await process.stdout.readline() == b"held\n"

    with pytest.raises(JobNotReady, match=rf"Process {process.pid} works"), hold(folder):
        pass

    process.send_signal(signal.SIGKILL)
    await process.communicate()
    with hold(folder), pytest.raises(JobNotReady, match=rf"Process {os.getpid()} works"), hold(folder):
        pass
    with hold(folder):
        pass


# The parts


def written(output: Output, shard: Shard, data: bytes = PART) -> Receipt:
    """A shard's part under its temporary name, as a worker leaves it."""
    path = output.temporary_part(shard.number, shard.generation)
    path.write_bytes(data)
    return Receipt(
        shard=shard.number,
        generation=shard.generation,
        part=path.name,
        sha256=hashlib.sha256(data).hexdigest(),
        counts=Counts(rows=shard.rows, ok=shard.rows),
    )


async def all_done(ledger: Ledger, output: Output) -> None:
    for shard in await ledger.lease(SHARDS):
        assert await output.commit(written(output, shard))


async def test_a_part_appears_under_its_name_when_it_is_committed(ledger: Ledger, output: Output, folder: Path) -> None:
    (shard,) = await ledger.lease(1)
    receipt = written(output, shard)

    assert await output.commit(receipt)

    assert names_in(folder, "part-*") == ["part-000000.parquet"]
    assert (output.part(0).read_bytes(), await ledger.receipts()) == (PART, [receipt])


async def test_a_part_of_a_lost_lease_is_dropped_and_the_other_one_stays(ledger: Ledger, output: Output) -> None:
    (late,) = await ledger.lease(1)
    late_receipt = written(output, late, b"late")
    await ledger.release_leases()
    (shard,) = await ledger.lease(1)

    assert await output.commit(written(output, shard))
    assert not await output.commit(late_receipt)

    assert output.part(0).read_bytes() == PART
    assert not output.temporary_part(late.number, late.generation).exists()


async def test_a_part_that_cannot_get_its_name_is_told_and_finished_at_the_next_start(
    ledger: Ledger, output: Output
) -> None:
    (shard,) = await ledger.lease(1)
    receipt = written(output, shard)
    output.part(0).mkdir()

    with pytest.raises(LedgerError, match="writable"):
        await output.commit(receipt)
    output.part(0).rmdir()

    assert await output.recover() == 0
    assert (output.part(0).read_bytes(), await ledger.receipts()) == (PART, [receipt])


def flip_a_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


Damage = Callable[[Path, Path], object]

NOTHING: Damage = lambda temporary, part: None  # noqa: E731 -- a row of the tables below
LEFT: dict[str, tuple[str, Damage, bool]] = {
    "a torn temporary file that was not sealed": ("leased", lambda temporary, part: os.truncate(temporary, 5), False),
    "a whole temporary file that was not sealed": ("leased", NOTHING, False),
    "sealed and not renamed": ("sealed", NOTHING, True),
    "sealed and renamed": ("sealed", lambda temporary, part: temporary.rename(part), True),
    "sealed beside an older part": ("sealed", lambda temporary, part: part.write_bytes(b"older"), True),
    "sealed, and a byte flipped": ("sealed", lambda temporary, part: flip_a_byte(temporary), False),
    "sealed, and torn": ("sealed", lambda temporary, part: os.truncate(temporary, 5), False),
    "sealed, and gone": ("sealed", lambda temporary, part: temporary.unlink(), False),
    "sealed, renamed, and a byte flipped": (
        "sealed", lambda temporary, part: flip_a_byte(temporary.rename(part)), False,
    ),
    "done": ("done", NOTHING, True),
    "done, and its part is missing": ("done", lambda temporary, part: part.unlink(), False),
    "done, and its part was cut": ("done", lambda temporary, part: os.truncate(part, 5), False),
}  # fmt: skip


@pytest.mark.parametrize(("state", "damage", "is_finished"), LEFT.values(), ids=LEFT)
async def test_a_start_settles_what_was_left(folder: Path, state: str, damage: Damage, is_finished: bool) -> None:
    async with planned(folder) as ledger:
        output = Output(folder, ledger)
        (shard,) = await ledger.lease(1)
        receipt = written(output, shard)
        if state == "done":
            await output.commit(receipt)
        elif state == "sealed":
            await ledger.seal(receipt, size=len(PART))
        damage(output.temporary_part(0, shard.generation), output.part(0))

    async with aclosing(await Ledger.open(folder)) as ledger:
        output = Output(folder, ledger)
        lost = await output.recover()
        (next_shard,) = await ledger.lease(1)

        assert lost == (not is_finished and state != "leased")
        assert next_shard.number == (1 if is_finished else 0)
        assert [found.shard for found in await ledger.receipts()] == ([0] if is_finished else [])
        assert names_in(folder, "*.tmp") == []
        if is_finished:
            assert output.part(0).read_bytes() == PART
        else:
            assert next_shard.generation == 2
            assert await output.commit(written(output, next_shard))
            assert output.part(0).read_bytes() == PART


DIES_AT_A_STEP = """
import asyncio, hashlib, os, signal, sys
from pathlib import Path
from dragoman.jobs import durable, output
from dragoman.jobs.ledger import Ledger
from dragoman.jobs.spec import Counts, Receipt

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

async def main():
    folder, owner, step, data = Path(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4].encode()
    ledger = await Ledger.open(folder)
    (shard,) = await ledger.lease(1)
    parts = output.Output(folder, ledger)
    path = parts.temporary_part(shard.number, shard.generation)
    path.write_bytes(data)
    setattr({"ledger": Ledger, "output": output, "durable": durable}[owner], step, die)
    counts = Counts(rows=shard.rows, ok=shard.rows)
    sha256 = hashlib.sha256(data).hexdigest()
    await parts.commit(
        Receipt(shard=0, generation=shard.generation, part=path.name, sha256=sha256, counts=counts)
    )

asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("owner", "step", "is_finished"),
    [
        ("ledger", "seal", False),
        ("output", "rename", True),
        ("durable", "sync_folder", True),
        ("ledger", "done", True),
    ],
)
async def test_a_process_that_is_killed_before_a_step_of_a_commit_leaves_nothing_half_done(
    folder: Path, owner: str, step: str, is_finished: bool
) -> None:
    async with planned(folder):
        pass
    process = await started(DIES_AT_A_STEP, str(folder), owner, step, PART.decode())
    await process.communicate()
    async with aclosing(await Ledger.open(folder)) as ledger:
        output = Output(folder, ledger)

        assert process.returncode == -signal.SIGKILL
        assert await output.recover() == 0
        assert (await ledger.totals()).shards.get("done", 0) == is_finished
        assert names_in(folder, "part-*") == (["part-000000.parquet"] if is_finished else [])
        await all_done(ledger, output)
        await output.write_manifest()


async def test_the_manifest_lists_the_parts_in_the_order_of_the_input(
    ledger: Ledger, output: Output, folder: Path
) -> None:
    await all_done(ledger, output)

    await output.write_manifest()

    assert json.loads((folder / MANIFEST).read_bytes()) == {
        "version": 1,
        "counts": {"rows": 30, "ok": 30, "passthrough": 0, "error": 0},
        "parts": [
            {
                "name": f"part-{n:06}.parquet", "rows": ROWS, "bytes": len(PART),
                "sha256": hashlib.sha256(PART).hexdigest(),
            }
            for n in range(SHARDS)
        ],
    }  # fmt: skip
    assert names_in(folder, "*.tmp") == []


async def test_there_is_no_manifest_before_every_shard_is_done(ledger: Ledger, output: Output, folder: Path) -> None:
    (shard, *_) = await ledger.lease(SHARDS)
    await output.commit(written(output, shard))

    with pytest.raises(LedgerError, match="2 of its shards are not done"):
        await output.write_manifest()
    assert not (folder / MANIFEST).exists()


@pytest.mark.parametrize(
    "counts",
    [Counts(rows=ROWS, ok=ROWS - 1), Counts(rows=ROWS - 1, ok=ROWS - 1), Counts(rows=ROWS, ok=ROWS, error=1)],
    ids=["a row came to nothing", "a row is missing", "a row came to two things"],
)
async def test_there_is_no_manifest_where_rows_do_not_add_up(
    ledger: Ledger, output: Output, folder: Path, counts: Counts
) -> None:
    for shard in await ledger.lease(SHARDS):
        receipt = written(output, shard)
        await output.commit(replace(receipt, counts=counts) if shard.number == 1 else receipt)

    with pytest.raises(LedgerError, match="This is a bug"):
        await output.write_manifest()
    assert not (folder / MANIFEST).exists()


@pytest.mark.parametrize("damage", [Path.unlink, flip_a_byte], ids=["missing", "a byte flipped"])
async def test_there_is_no_manifest_where_a_part_is_not_as_it_was_written(
    ledger: Ledger, output: Output, folder: Path, damage: Callable[[Path], object]
) -> None:
    await all_done(ledger, output)
    damage(output.part(1))

    with pytest.raises(LedgerError, match=r"part-000001\.parquet is missing or was changed"):
        await output.write_manifest()
    assert not (folder / MANIFEST).exists()


@pytest.mark.parametrize("damage", [Path.unlink, flip_a_byte], ids=["missing", "a byte flipped"])
async def test_a_complete_job_that_lost_a_part_is_worked_on_again(
    ledger: Ledger, output: Output, folder: Path, damage: Callable[[Path], object]
) -> None:
    await all_done(ledger, output)
    await output.write_manifest()
    assert await output.recover() == 0
    assert (folder / MANIFEST).exists()
    damage(output.part(1))

    assert await output.recover() == 1

    assert not (folder / MANIFEST).exists()
    assert [shard.number for shard in await ledger.lease(SHARDS)] == [1]

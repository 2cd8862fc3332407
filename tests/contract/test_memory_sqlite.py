"""The durable tier: on disk, off the event loop, and never the reason that a translation fails."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import signal
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from dragoman.errors import ConfigurationError
from dragoman.memory import sqlite as durable
from dragoman.memory.behind import GATHER_S
from dragoman.memory.sqlite import SQLiteMemory, open_sqlite
from dragoman.memory.sqlite_file import ROW_OVERHEAD_BYTES, SCHEMA_VERSION, stored_items
from tests.contract.memory_contract import EN_DE, MemoryContract, entry, item, key

MB = 1_000_000


@asynccontextmanager
async def opened(path: Path, *, max_bytes: int = 100 * MB, max_age_days: float = 30) -> AsyncIterator[SQLiteMemory]:
    memory = await open_sqlite(path, max_bytes=max_bytes, max_age_days=max_age_days)
    try:
        yield memory
    finally:
        await memory.aclose()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "memory.sqlite3"


@pytest.fixture
async def memory(path: Path) -> AsyncIterator[SQLiteMemory]:
    async with opened(path) as opened_memory:
        yield opened_memory


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    for _ in range(1_000):
        if await condition():
            return
        await asyncio.sleep(0.01)
    raise TimeoutError


def knows(memory: SQLiteMemory, *names: str) -> Callable[[], Awaitable[bool]]:
    async def condition() -> bool:
        return None not in await memory.get_many([key(name) for name in names])

    return condition


def size_of(path: Path) -> int:
    return path.stat().st_size


def write_garbage(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this was never a database " * 1_000)


def damage(path: Path) -> None:
    """Leave the first pages and the last, so that the file still opens."""
    with path.open("r+b") as file:
        file.seek(3 * 4_096)
        file.write(os.urandom(size_of(path) - 5 * 4_096))


class TestSQLiteMemory(MemoryContract):
    pass


async def test_entries_outlive_the_process_that_put_them(path: Path) -> None:
    async with opened(path) as memory:
        await memory.put_many([item("Good morning.")])

    async with opened(path) as memory:
        assert await memory.get_many([key("Good morning.")]) == [item("Good morning.")[1]]


async def test_what_comes_from_the_file_has_every_field_of_what_was_put(path: Path) -> None:
    kept = [entry("a\x00b\r\n", "c\x00", model=None), entry("日本語", "ü"), replace(entry("old"), made_at=1)]
    async with opened(path, max_age_days=30_000) as memory:
        await memory.store([(key(found.text), found) for found in kept])

    assert [found for _, found in stored_items(path)] == kept


async def test_putting_is_faster_than_the_disk_and_groups_form_while_it_works(path: Path) -> None:
    async with opened(path) as memory:
        began = time.perf_counter()
        for number in range(2_000):
            await memory.put_many([item(f"Sentence {number}.")])
        put_s = time.perf_counter() - began
        found = await memory.get_many([key("Sentence 1999.")])
        await memory.store([])
        await memory.aclose()

    assert found == [item("Sentence 1999.")[1]]
    assert put_s < 1
    assert len(list(stored_items(path))) == 2_000


async def test_what_waits_for_a_busy_file_is_bounded_and_the_rest_is_dropped_and_counted(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(durable, "MAX_WAITING", 10)
    async with opened(path) as memory:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            await memory.put_many([item("first")])
            await asyncio.sleep(4 * GATHER_S)
            began = time.perf_counter()
            await memory.put_many([item(f"Sentence {number}.") for number in range(30)])
            put_s = time.perf_counter() - began
            other.execute("ROLLBACK")

    assert put_s < 0.1
    assert memory.statistics()["sqlite"].dropped == 20
    assert len(list(stored_items(path))) == 11


async def test_the_least_recently_used_go_when_the_file_is_full_and_a_persons_translations_stay(path: Path) -> None:
    row_bytes = ROW_OVERHEAD_BYTES + 50
    async with opened(path, max_bytes=1_000 * row_bytes) as memory:
        await memory.store([(key("human"), entry("By hand.", model=None))])
        await memory.store([item(f"Old sentence {number}.") for number in range(600)])
        with closing(sqlite3.connect(path)) as other, other:
            other.execute("UPDATE entry SET last_used = last_used - 90000")
        # Reading an entry that was not used for long makes it a recent one.
        assert await memory.get_many([key("Old sentence 3.")]) != [None]
        await memory.store([item(f"New sentence {number}.") for number in range(800)])
        await until(holds_at_most(memory, 1_000 * row_bytes))
        found = await memory.get_many([key("human"), key("Old sentence 3."), key("New sentence 5.")])
        held = memory.statistics()["sqlite"]

    assert None not in found
    assert held.entries is not None
    assert 800 < held.entries < 1_100


def holds_at_most(memory: SQLiteMemory, max_bytes: int) -> Callable[[], Awaitable[bool]]:
    async def condition() -> bool:
        return (memory.statistics()["sqlite"].bytes or 0) <= max_bytes

    return condition


async def test_machine_translations_are_deleted_when_they_reach_the_age_bound(path: Path) -> None:
    two_days_ago = int(time.time()) - 2 * 86_400
    async with opened(path, max_age_days=3) as memory:
        old = [(key(f"{number}"), replace(entry(f"{number}"), made_at=two_days_ago)) for number in range(500)]
        human = (key("human"), replace(entry("By hand.", model=None), made_at=two_days_ago))
        await memory.store([*old, human, item("New.")])

    async with opened(path, max_age_days=1) as memory:

        async def none_is_left() -> bool:
            return await memory.get_many([kept_key for kept_key, _ in old]) == [None] * len(old)

        await until(none_is_left)

    assert {found.text for _, found in stored_items(path)} == {"By hand.", "New."}


async def test_the_bytes_counted_are_about_the_bytes_on_disk(path: Path) -> None:
    async with opened(path) as memory:
        await memory.store([item(f"The customer number {number} ordered a blue jacket.") for number in range(5_000)])
        counted = memory.statistics()["sqlite"].bytes

    assert counted is not None
    assert 0.8 < counted / size_of(path) < 1.25


KILLED = """
import asyncio, sys
from pathlib import Path
from dragoman.memory.sqlite import open_sqlite
from tests.contract.memory_contract import item

async def main():
    memory = await open_sqlite(Path(sys.argv[1]), max_bytes=10**8, max_age_days=30)
    for number in range(10**9):
        await memory.store([item(f"{sys.argv[2]} {number}.{i}") for i in range(50)])
        print(number, flush=True)

asyncio.run(main())
"""


@asynccontextmanager
async def writing_process(path: Path, name: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", KILLED, str(path), name, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGKILL)
        await process.communicate()


async def lines_of(process: asyncio.subprocess.Process, count: int) -> int:
    assert process.stdout is not None
    return [int(await process.stdout.readline()) for _ in range(count)][-1]


async def test_what_was_stored_survives_kill_9_and_the_file_stays_whole(path: Path) -> None:
    async with writing_process(path, "killed") as process:
        last = await lines_of(process, 20)

    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        total = connection.execute("SELECT entries, bytes FROM total").fetchone()
        assert total == connection.execute("SELECT count(*), sum(bytes) FROM entry").fetchone()
    async with opened(path) as memory:
        stored = [key(f"killed {number}.{i}") for number in range(last + 1) for i in range(50)]
        assert None not in await memory.get_many(stored)


async def test_two_processes_share_the_file_from_its_first_moment(path: Path) -> None:
    async with writing_process(path, "one") as one, writing_process(path, "two") as two, opened(path) as memory:
        await asyncio.gather(lines_of(one, 5), lines_of(two, 5))
        await memory.store([item("Ours.")])

        await until(knows(memory, "one 4.0", "two 4.0", "Ours."))


async def test_a_file_that_is_no_database_is_moved_aside_and_a_new_one_begun(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_garbage(path)

    async with opened(path) as memory:
        await memory.store([item("Good morning.")])
        assert await memory.get_many([key("Good morning.")]) != [None]

    (aside,) = path.parent.glob("*.unusable-*")
    assert aside.read_bytes().startswith(b"this was never")
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert str(aside) in caplog.text


async def test_a_file_of_another_schema_is_moved_aside_whole(path: Path) -> None:
    async with opened(path) as memory:
        await memory.store([item("Good morning.")])
    with closing(sqlite3.connect(path)) as other:
        other.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")

    async with opened(path) as memory:
        assert await memory.get_many([key("Good morning.")]) == [None]

    (aside,) = (found for found in path.parent.glob("*.unusable-*") if not found.name.endswith(("-wal", "-shm")))
    with closing(sqlite3.connect(aside)) as kept:
        assert kept.execute("SELECT text FROM entry").fetchall() == [("Good morning.",)]


async def test_damage_found_while_running_is_logged_once_and_the_next_start_begins_anew(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    items = [item(f"Sentence {number}.") for number in range(2_000)]
    async with opened(path) as memory:
        await memory.store(items)
    damage(path)

    async with opened(path) as memory:
        for _ in range(3):
            found = await memory.get_many([kept_key for kept_key, _ in items])
            await memory.put_many([item("Another.")])
        assert len(found) == len(items)
        with pytest.raises(ConfigurationError):
            await memory.store([item("Another.")])
    async with opened(path) as memory:
        await memory.store([item("Good morning.")])
        assert await memory.get_many([key("Good morning.")]) != [None]

    assert len([record for record in caplog.records if "damaged" in record.message]) == 1


async def test_a_damaged_file_holds_nothing_that_would_have_to_be_waited_for(path: Path) -> None:
    async with opened(path) as memory:
        await memory.store([item(f"Sentence {number}.") for number in range(2_000)])
    damage(path)

    async with opened(path) as memory:

        async def is_given_up() -> bool:
            return not memory.may_hold(key("Sentence 7."))

        await until(is_given_up)


@contextmanager
def full_disk(path: Path) -> Iterator[None]:
    """No file of this process may grow past what the memory's is now."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    largest = max(found.stat().st_size for found in path.parent.iterdir())
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_a_full_disk_is_logged_once_reading_goes_on_and_so_does_writing_when_there_is_room_again(
    path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(durable, "PAUSE_S", 0.0)
    async with opened(path) as memory:
        await memory.store([item("Good morning.")])
        with full_disk(path):
            for number in range(3):
                with pytest.raises(ConfigurationError, match="cannot be written"):
                    await memory.store([(key(f"{number}"), entry("x" * MB))])
            assert await memory.get_many([key("Good morning."), key("0")]) == [item("Good morning.")[1], None]
        logged = [record.message for record in caplog.records if record.levelno == logging.ERROR]
        await memory.store([item("Good night.")])
        held = memory.statistics()["sqlite"]

    assert len(logged) == 1
    assert "nothing new is kept" in logged[0]
    assert held.dropped == 3
    assert {found.text for _, found in stored_items(path)} == {"Good morning.", "Good night."}


async def test_while_the_disk_is_full_nothing_is_even_tried(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(path) as memory:
        await memory.store([item("Good morning.")])
        with full_disk(path), pytest.raises(ConfigurationError):
            await memory.store([(key("a"), entry("x" * MB))])
        await memory.put_many([item("Good night.")])

        assert await memory.get_many([key("Good night.")]) == [None]
        assert memory.statistics()["sqlite"].dropped == 2


async def test_a_folder_that_cannot_be_made_is_the_operators_mistake_and_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(ConfigurationError, match="set another data_dir"):
        await open_sqlite(tmp_path / "file" / "memory.sqlite3", max_bytes=MB, max_age_days=1)


async def test_the_items_of_one_pair_can_be_read_while_the_memory_is_open(path: Path, memory: SQLiteMemory) -> None:
    french = replace(entry("Bonjour."), pair=type(EN_DE)("fr", "de"))
    await memory.store([item("Good morning."), (key("fr"), french)])

    assert list(stored_items(path, EN_DE)) == [item("Good morning.")]
    assert len(list(stored_items(path))) == 2


def test_reading_a_memory_that_is_not_there_says_so(path: Path) -> None:
    with pytest.raises(ConfigurationError, match="There is no memory"):
        next(stored_items(path))

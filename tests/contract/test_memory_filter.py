"""What several processes know of one file: nothing is asked for that is not there, and news comes within a second."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from dragoman.memory import filter as filtering
from dragoman.memory import sqlite_file, upkeep
from dragoman.memory.hot import HotMemory
from dragoman.memory.keys import key_of_human
from dragoman.memory.sqlite import SQLiteMemory, open_sqlite
from dragoman.memory.sqlite_file import Found
from dragoman.memory.tiers import TieredMemory
from dragoman.types import Segment
from tests.contract.memory_contract import EN_DE, entry, item, key

MB = 1_000_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "memory.sqlite3"


@asynccontextmanager
async def opened(path: Path, *, max_age_days: float = 30) -> AsyncIterator[SQLiteMemory]:
    memory = await open_sqlite(path, max_bytes=100 * MB, max_age_days=max_age_days)
    try:
        yield memory
    finally:
        await memory.aclose()


@asynccontextmanager
async def serving(path: Path) -> AsyncIterator[tuple[SQLiteMemory, TieredMemory]]:
    """The durable tier and all of them, as a server has them."""
    durable = await open_sqlite(path, max_bytes=100 * MB, max_age_days=30)
    memory = TieredMemory(HotMemory(MB), durable=durable)
    try:
        yield durable, memory
    finally:
        await memory.aclose()


async def until(condition: Callable[[], Awaitable[bool]], within_s: float = 5) -> None:
    async with asyncio.timeout(within_s):
        while not await condition():  # noqa: ASYNC110 - the condition is another process's
            await asyncio.sleep(0.02)


async def until_it_knows(memory: SQLiteMemory, *names: str) -> None:
    async def knows() -> bool:
        return None not in await memory.get_many([key(name) for name in names])

    await until(knows)


async def until_all_keys_are_read(memory: SQLiteMemory) -> None:
    async def denies() -> bool:
        return not memory.may_hold(key("never written"))

    await until(denies)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The keys that the file is asked for."""
    asked: list[bytes] = []
    really = sqlite_file.read

    def noted(connection: sqlite3.Connection, keys: Sequence[bytes]) -> dict[bytes, Found]:
        asked.extend(keys)
        return really(connection, keys)

    monkeypatch.setattr(sqlite_file, "read", noted)
    return asked


async def test_a_new_text_is_a_miss_without_a_look_into_the_file(path: Path, read: list[bytes]) -> None:
    async with opened(path) as memory:
        await memory.store([item(f"Sentence {number}.") for number in range(1_000)])
    async with opened(path) as memory:
        await until_all_keys_are_read(memory)
        await memory.get_many([key(f"New {number}.") for number in range(1_000)])
        assert len(read) < 10  # all but those that the filter mistakes

        assert await memory.get_many([key("Sentence 7.")]) == [item("Sentence 7.")[1]]
        assert memory.statistics()["sqlite"].misses == 1_000


async def test_until_all_keys_are_read_each_one_is_asked_for(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(path) as memory:
        await memory.store([item("Good morning.")])
    monkeypatch.setattr(filtering, "FILL_PAUSE_S", 60)
    async with opened(path) as memory:
        assert await memory.get_many([key("Good morning."), key("new")]) == [item("Good morning.")[1], None]
        assert memory.may_hold(key("new"))


async def test_what_this_process_writes_is_never_missed_while_it_reads_the_keys_again_and_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filtering, "LEAST_CAPACITY", 10)
    monkeypatch.setattr("dragoman.memory.sqlite.FOLLOW_EVERY_S", 0.001)
    async with opened(path) as memory:
        for number in range(300):
            await memory.put_many([item(f"Sentence {number}.")])
            await asyncio.sleep(0.001)
            written = [key(f"Sentence {n}.") for n in range(number // 2, number + 1)]
            assert None not in await memory.get_many(written)
        await memory.store([])
        await until_all_keys_are_read(memory)


async def test_what_another_process_wrote_is_found_a_moment_later(path: Path) -> None:
    async with opened(path) as ours, opened(path) as theirs:
        await until_all_keys_are_read(ours)
        await theirs.store([item(f"Theirs {number}.") for number in range(600)])

        await until_it_knows(ours, "Theirs 0.", "Theirs 599.")
        assert not ours.may_hold(key("nobody's"))


async def test_rows_that_take_the_numbers_of_deleted_ones_are_found_too(path: Path) -> None:
    async with opened(path) as ours, opened(path) as theirs:
        await ours.store([item(f"Ours {number}.") for number in range(20)])
        await until_all_keys_are_read(ours)
        assert await asyncio.to_thread(upkeep.clear, path) == 20
        await theirs.store([item(f"Theirs {number}.") for number in range(5)])

        await until_it_knows(ours, "Theirs 0.", "Theirs 4.")


async def test_so_are_they_when_the_newest_rows_grew_too_old(path: Path) -> None:
    old = [(key(name), replace(entry(name), made_at=1)) for name in ("a", "b", "c")]
    async with opened(path, max_age_days=30_000) as ours:
        await ours.store(old)
        await until_all_keys_are_read(ours)
        async with opened(path, max_age_days=1) as theirs:

            async def all_are_deleted() -> bool:
                return not rows_of(path)

            await until(all_are_deleted)
            await theirs.store([item("Theirs.")])

            await until_it_knows(ours, "Theirs.")


def rows_of(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("SELECT count(*) FROM entry").fetchone()[0])


async def test_a_file_from_before_there_were_announcements_is_used_as_it_is(path: Path) -> None:
    async with opened(path) as memory:
        await memory.store([item("Good morning.")])
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE generation")

    async with opened(path) as memory:
        await memory.announce()
        assert await memory.get_many([key("Good morning.")]) == [item("Good morning.")[1]]


async def test_keys_of_another_length_do_no_harm(path: Path) -> None:
    async with opened(path) as memory:
        await memory.store([item("Good morning."), (b"\xff" * 7, entry("short"))])
    async with opened(path) as memory:
        await until_all_keys_are_read(memory)

        assert await memory.get_many([key("Good morning.")]) == [item("Good morning.")[1]]


IMPORT = """
import asyncio, io, sys
from pathlib import Path
from dragoman.memory.sqlite import open_sqlite
from dragoman.memory.tmx import import_tmx

TMX = '''<tmx version="1.4"><header srclang="en"/><body><tu><tuv xml:lang="en"><seg>Good morning.</seg></tuv>
<tuv xml:lang="de"><seg>%s</seg></tuv></tu></body></tmx>'''

async def main():
    memory = await open_sqlite(Path(sys.argv[1]), max_bytes=10**8, max_age_days=30)
    await import_tmx(io.BytesIO((TMX % sys.argv[2]).encode()), memory)
    await memory.aclose()

asyncio.run(main())
"""


async def imported(path: Path, translation: str) -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", IMPORT, str(path), translation)
    assert await process.wait() == 0


async def test_what_another_process_imports_wins_over_what_a_server_has_in_ram(path: Path) -> None:
    choice = (key_of_human(Segment("Good morning.", EN_DE)), key("engine"))
    async with serving(path) as (durable, memory):
        await memory.put_many([(key("engine"), entry("Good morning."))])
        await until_all_keys_are_read(durable)
        for translation in ("Moin!", "Servus!"):
            await imported(path, translation)
            done_at = time.monotonic()

            async def is_answered(words: str = translation) -> bool:
                (found,) = await memory.first_of([choice])
                return found is not None and found.translation == words

            await until(is_answered)
            assert time.monotonic() - done_at < 2


async def test_what_another_process_clears_is_forgotten(path: Path) -> None:
    async with serving(path) as (_, memory):
        await memory.put_many([item("Good morning.")])
        await memory.get_many([key("Good morning.")])
        await asyncio.sleep(0.2)
        assert await asyncio.to_thread(upkeep.clear, path) == 1

        async def is_forgotten() -> bool:
            return await memory.get_many([key("Good morning.")]) == [None]

        await until(is_forgotten, within_s=2)


async def test_a_server_forgets_nothing_while_others_only_write(path: Path) -> None:
    async with serving(path) as (durable, memory), opened(path) as theirs:
        await until_all_keys_are_read(durable)
        await memory.put_many([item("Good morning.")])
        await theirs.store([item("Theirs.")])
        await until_it_knows(durable, "Theirs.")

        assert memory.statistics()["hot"].entries == 1

"""The memory's file fails while the server runs: translations go on."""

from __future__ import annotations

import asyncio
import logging
import resource
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.engines import ANSWER, FaultyOllama, ollamas
from tests.faults.service import Opener, settles

FILE = "memory.sqlite3"


def overwrite(folder: Path) -> None:
    """Put something that is no database in the place of the memory's file and its log.

    Not of the index beside them: SQLite maps it into memory, and to cut a mapped file short kills whoever reads it
    there with SIGBUS, which no program can answer (https://sqlite.org/mmap.html, https://sqlite.org/walformat.html).
    """
    for name in (FILE, f"{FILE}-wal"):
        (folder / name).write_bytes(b"this is no database. " * 5_000)


def delete(folder: Path) -> None:
    for part in folder.glob(f"{FILE}*"):
        part.unlink()


@contextmanager
def no_file_may_grow() -> Iterator[None]:
    """As on a full disk, also for root: what would make a file longer fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_full_disk(open_service: Opener, caplog: pytest.LogCaptureFixture) -> None:
    async with ollamas(FaultyOllama()) as urls, open_service(*urls) as service:
        with no_file_may_grow():
            for n in range(3):
                assert (await service.ask(f"Text {n}.")).words == ANSWER
            await settles(lambda: said(caplog, "Translations go on"), 1)

        assert (await service.ask("Another text.")).words == ANSWER


async def test_a_file_that_is_overwritten(
    open_service: Opener, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with ollamas(FaultyOllama()) as urls, open_service(*urls) as service:
        assert (await service.ask("Before.")).words == ANSWER
        await asyncio.to_thread(overwrite, tmp_path)

        for n in range(3):
            assert (await service.ask(f"Text {n}.")).words == ANSWER
        await settles(lambda: said(caplog, "is damaged"), 1)
        assert (await service.ask("Another text.")).words == ANSWER

    async with ollamas(FaultyOllama()) as urls, open_service(*urls) as service:
        assert (await service.ask("After the next start.")).words == ANSWER


async def test_a_folder_that_is_deleted(open_service: Opener, tmp_path: Path) -> None:
    async with ollamas(FaultyOllama()) as urls, open_service(*urls) as service:
        await asyncio.to_thread(delete, tmp_path)

        for n in range(3):
            assert (await service.ask(f"Text {n}.")).words == ANSWER


async def test_another_process_that_keeps_the_file_locked(open_service: Opener, tmp_path: Path) -> None:
    async with ollamas(FaultyOllama()) as urls, open_service(*urls) as service:
        other = sqlite3.connect(tmp_path / FILE)
        other.execute("BEGIN EXCLUSIVE")

        replies = [await service.ask(f"Text {n}.") for n in range(3)]
        other.rollback()
        other.close()

        assert [reply.words for reply in replies] == [ANSWER] * 3
        assert max(reply.took_s for reply in replies) < 0.5


def said(caplog: pytest.LogCaptureFixture, words: str) -> int:
    """How often the log said so."""
    return sum(words in record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR)

"""A job's memory of every answer it paid for: what was stored is never asked again, and each key has one answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Concatenate, NamedTuple, ParamSpec, TypeVar

from dragoman.errors import LedgerError
from dragoman.jobs.job_file import KEYS_AT_ONCE, JobFile
from dragoman.jobs.spec import Cell

GROUP = KEYS_AT_ONCE
"""Answers of one commit, and how many may wait for the next."""

P = ParamSpec("P")
R = TypeVar("R")


class _Waiting(NamedTuple):
    key: bytes
    cell: Cell
    stored: asyncio.Future[Cell]


async def open_memo(path: Path) -> Memo:
    """Open the file at `path`, or begin one. Raises LedgerError."""
    return Memo(*await asyncio.to_thread(open_files, path))


def open_files(path: Path) -> tuple[JobFile, JobFile]:
    """The file to read and the file to write: the same one, through a connection each. Raises LedgerError."""
    writing = JobFile(path)
    try:
        return JobFile(path), writing
    except BaseException:
        writing.close()
        raise


class Memo:
    """Answers by key, in a file. Opened by `open_memo`; the event loop never waits for the disk.

    Mutable state: `_gathering` are the answers of the next commit and `_room` how many more it takes, `_committing` is
    the commit that runs, `_failure` why nothing can be stored any more.
    """

    def __init__(self, reading: JobFile, writing: JobFile) -> None:
        self._reader = _FileThread("job-read", reading)
        self._writer = _FileThread("job-write", writing)
        self._gathering: list[_Waiting] = []
        self._room = asyncio.Semaphore(GROUP)
        self._committing: asyncio.Future[list[Cell]] | None = None
        self._failure: BaseException | None = None
        self._closed = False

    async def get_many(self, keys: Sequence[bytes]) -> list[Cell | None]:
        """The stored answers, errors too. Raises LedgerError.

        A key that is not to be asked twice has to be claimed before this is called, not after: an answer may be stored
        while this reads.
        """
        return await self._reader.run(JobFile.find, keys)

    async def put(self, key: bytes, cell: Cell) -> asyncio.Future[Cell]:
        """Hand over an answer, waiting until there is room. The future has the stored one when it is committed: this
        one, or an earlier one for the same key.

        Raises LedgerError, and so does the future, where the file cannot be written; from then on nothing can be put.
        """
        await self._room.acquire()
        if self._failure is not None or self._closed:
            self._room.release()
            raise self._refusal()
        stored: asyncio.Future[Cell] = asyncio.get_running_loop().create_future()
        self._gathering.append(_Waiting(key, cell, stored))
        if self._committing is None:
            self._commit()
        return stored

    async def aclose(self) -> None:
        """Store what was handed over, then close the file. Twice is fine."""
        if self._closed:
            return
        self._closed = True
        while self._committing is not None:
            await asyncio.wait([self._committing])
        await self._reader.aclose()
        await self._writer.aclose()

    def _commit(self) -> None:
        """Begin to store what was gathered; the next answers gather meanwhile."""
        group = self._taken()
        self._committing = self._writer.start(JobFile.keep, [(waiting.key, waiting.cell) for waiting in group])
        self._committing.add_done_callback(partial(self._committed, group))

    def _committed(self, group: Sequence[_Waiting], commit: asyncio.Future[list[Cell]]) -> None:
        self._committing = None
        self._failure = commit.exception()
        if self._failure is not None:
            self._refuse([*group, *self._taken()])
            return
        for waiting, stored in zip(group, commit.result(), strict=True):
            if not waiting.stored.done():
                waiting.stored.set_result(stored)
        if self._gathering:
            self._commit()

    def _taken(self) -> list[_Waiting]:
        group, self._gathering = self._gathering, []
        for _ in group:
            self._room.release()
        return group

    def _refuse(self, group: Sequence[_Waiting]) -> None:
        for waiting in group:
            if not waiting.stored.done():
                waiting.stored.set_exception(self._refusal())

    def _refusal(self) -> LedgerError:
        """A new error for each who waits: one that is raised in several places would mix their tracebacks."""
        failure = self._failure
        if failure is None:
            return LedgerError("The job's ledger is closed. This is a bug.")
        told = failure.message if isinstance(failure, LedgerError) else f"An answer cannot be stored: {failure!r}."
        refusal = LedgerError(told)
        refusal.__cause__ = failure
        return refusal


class _FileThread:
    """One thread and the file that only it uses."""

    def __init__(self, name: str, file: JobFile) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._file = file

    def start(self, work: Callable[Concatenate[JobFile, P], R], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[R]:
        return asyncio.get_running_loop().run_in_executor(self._executor, partial(work, self._file, *args, **kwargs))

    async def run(self, work: Callable[Concatenate[JobFile, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        return await self.start(work, *args, **kwargs)

    async def aclose(self) -> None:
        await self.run(JobFile.close)
        self._executor.shutdown(wait=False)  # nothing runs in it any more, and to wait would block the loop

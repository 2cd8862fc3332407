"""The index of jobs as a server uses it, and the folders of the jobs: nothing here blocks the event loop."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from dragoman.errors import Overloaded
from dragoman.server.jobs.index_file import FILE_NAME, IndexFile

FOLDER = "jobs"
KEPT_AT_LEAST_S = 600.0
"""A job that is over makes room for new ones only when it is so for that long."""
ORPHANED_AFTER_S = 86_400.0
"""A folder that no job has belongs to an upload that still comes, or that broke off with its process."""
TRY_AGAIN_S = 300.0

R = TypeVar("R")


class Store:
    """An `IndexFile` in a thread of its own, opened when it is first needed, and a folder for each job beside it.

    Each call raises what the file's method does. Mutable state: `_file`.
    """

    def __init__(self, data: Path, *, max_bytes: int, max_age_s: float) -> None:
        self._path = data / FILE_NAME
        self._root = data / FOLDER
        self._max_bytes = max_bytes
        self._max_age_s = max_age_s
        self._file: IndexFile | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="jobs")

    def folder(self, job_id: str) -> Path:
        """What is a job's own: its input, and its ledger and output in a folder of their own."""
        return self._root / job_id

    def work_folder(self, job_id: str) -> Path:
        """The job as `dragoman.jobs` knows it."""
        return self.folder(job_id) / "job"

    async def run(self, work: Callable[[IndexFile], R]) -> R:
        """Work with the index."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: work(self._opened()))

    async def is_there(self) -> bool:
        """Whether there ever was a job: the file is made for the first."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._path.exists)

    async def make_room(self, needed_bytes: int) -> None:
        """Have room for a new job, if need be in the place of the oldest that are over. Raises Overloaded."""
        await self.run(lambda file: self._make_room(file, needed_bytes))

    async def remove_deleted(self) -> None:
        """Remove the files of the jobs that were deleted."""
        await self.run(self._remove_deleted)

    async def clear(self) -> None:
        """Remove what is too old, and what lies there without a job."""
        await self.run(self._clear)

    async def discard(self, job_id: str) -> None:
        """Remove the folder of a job that came to nothing."""
        await self.run(lambda _: shutil.rmtree(self.folder(job_id), ignore_errors=True))

    async def aclose(self) -> None:
        """Close the file."""
        if self._file is not None:
            await self.run(IndexFile.close)
        self._thread.shutdown()

    def _opened(self) -> IndexFile:
        if self._file is None:
            self._file = IndexFile(self._path)
        return self._file

    def _make_room(self, file: IndexFile, needed_bytes: int) -> None:
        used = sum(_sizes(self._root))
        for job_id in file.over(before=time.time() - KEPT_AT_LEAST_S):
            if used + needed_bytes <= self._max_bytes:
                return
            used -= sum(_sizes(self.folder(job_id)))
            file.ask(job_id, "delete")
            self._remove(file, job_id)
        if used + needed_bytes > self._max_bytes:
            raise Overloaded(
                "There is no room for another job. Delete one that you need no more, or try again later.",
                retry_after_s=TRY_AGAIN_S,
            )

    def _clear(self, file: IndexFile) -> None:
        now = time.time()
        for job_id in file.over(before=now - self._max_age_s):
            file.ask(job_id, "delete")
        self._remove_deleted(file)
        for path in self._root.iterdir() if self._root.exists() else ():
            if path.name not in file.ids() and path.stat().st_mtime < now - ORPHANED_AFTER_S:
                shutil.rmtree(path, ignore_errors=True)

    def _remove_deleted(self, file: IndexFile) -> None:
        for job_id in file.deleted():
            self._remove(file, job_id)

    def _remove(self, file: IndexFile, job_id: str) -> None:
        shutil.rmtree(self.folder(job_id), ignore_errors=True)
        file.forget(job_id)


def _sizes(folder: Path) -> Iterator[int]:
    """The sizes of all files in a folder, in bytes."""
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                yield os.lstat(os.path.join(parent, name)).st_size
            except FileNotFoundError:  # removed meanwhile
                continue

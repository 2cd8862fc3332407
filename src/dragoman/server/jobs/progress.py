"""How far a job is, as its ledger says: whichever process works on it notes that there every second."""

from __future__ import annotations

import asyncio
from contextlib import closing
from pathlib import Path

from dragoman.jobs.job_file import FILE_NAME, JobFile
from dragoman.jobs.progress import Progress, progress_in
from dragoman.server.jobs.index_file import Row
from dragoman.server.jobs.store import Store


async def progress_of(store: Store, row: Row) -> Progress | None:
    """The latest note of a job; None where no work on it has begun. Raises LedgerError."""
    return await asyncio.to_thread(_noted, store.work_folder(row.id) / FILE_NAME)


def _noted(path: Path) -> Progress | None:
    if not path.is_file():  # deleted meanwhile
        return None
    with closing(JobFile(path)) as file:
        return progress_in(file.noted())

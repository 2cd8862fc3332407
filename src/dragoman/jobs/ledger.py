"""The ledger of a job: what was planned, how far it is, and who works on which shard, off the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Sequence
from pathlib import Path

from dragoman.jobs.job_file import FILE_NAME, JobFile, Part, Planned, Totals, Unfinished, unknown_job
from dragoman.jobs.memo import Memo, open_files
from dragoman.jobs.spec import Fingerprint, JobSpec, JobState, Receipt, Shard, ShardState


class Ledger(Memo):
    """The memo of a job, with its plan and its shards in the same file. `create` plans it, `open` opens it.

    One process changes a job at a time (see `dragoman.jobs.output.hold`); any may open it and look. What is read is
    what was committed last, by whichever process. Every method raises LedgerError where the file cannot be read or
    written.
    """

    FILE_NAME = FILE_NAME

    def __init__(self, reading: JobFile, writing: JobFile, planned: Planned) -> None:
        super().__init__(reading, writing)
        self._planned = planned
        self._owner = f"{socket.gethostname()}:{os.getpid()}"

    @staticmethod
    def create(
        folder: Path, spec: JobSpec, fingerprint: Fingerprint, shards: Sequence[Shard], created_at: int | None = None
    ) -> None:
        """Store the plan of a job in `folder`, which is made if need be. Blocks. `created_at`, in Unix seconds, is now.

        Raises JobNotReady where there is a job already, and LedgerError.
        """
        planned = Planned(spec, fingerprint, int(time.time()) if created_at is None else created_at)
        with contextlib.closing(JobFile(folder / FILE_NAME)) as file:
            file.create(planned, shards)

    @classmethod
    async def open(cls, folder: Path) -> Ledger:
        """Open the ledger of the job in `folder`. Raises UnknownJob where there is none."""
        return cls(*await asyncio.to_thread(_opened, folder / FILE_NAME))

    @property
    def spec(self) -> JobSpec:
        """What was planned."""
        return self._planned.spec

    @property
    def fingerprint(self) -> Fingerprint:
        """Who was to translate when it was planned."""
        return self._planned.fingerprint

    @property
    def created_at(self) -> int:
        """When it was planned, in Unix seconds."""
        return self._planned.created_at

    async def state(self) -> tuple[JobState, str]:
        """The state of the job, and why it is in it."""
        return await self._reader.run(JobFile.state)

    async def set_state(self, state: JobState, reason: str = "") -> None:
        """Change the state of the job."""
        await self._writer.run(JobFile.set_state, state, reason)

    async def lease(self, count: int) -> list[Shard]:
        """Take the next pending shards, in their order, each with a new generation; none where there are no more."""
        return await self._writer.run(JobFile.lease, count, self._owner)

    async def give_back(self, shards: Sequence[Shard]) -> None:
        """Make leased shards pending, to be taken again; those whose lease was lost are passed over."""
        await self._writer.run(JobFile.give_back, shards)

    async def release_leases(self) -> None:
        """Make every leased shard pending; for the start, when whoever had them is gone."""
        await self._writer.run(JobFile.release_leases)

    async def seal(self, receipt: Receipt, *, size: int) -> bool:
        """Note that a shard's part, of `size` bytes, is written under its temporary name. False where the lease was
        lost: then the work is to be dropped.
        """
        return await self._writer.run(JobFile.seal, Part(receipt, size))

    async def done(self, shard: int, generation: int) -> bool:
        """Note that a sealed shard's part has its name. False where it is not that sealed one any more."""
        return await self._writer.run(JobFile.done, shard, generation)

    async def stick(self, shard: int, generation: int, reason: str) -> bool:
        """Note why a shard cannot be worked on. False where the lease was lost."""
        return await self._writer.run(JobFile.stick, shard, generation, reason)

    async def reopen(self, shard: int, generation: int) -> bool:
        """Make a sealed or done shard pending, because its part is not what was sealed."""
        return await self._writer.run(JobFile.reopen, shard, generation)

    async def stuck(self) -> dict[int, str]:
        """The stuck shards, and why each is."""
        return await self._reader.run(JobFile.stuck)

    async def unfinished(self) -> list[Unfinished]:
        """The shards that are not done, in their order."""
        return await self._reader.run(JobFile.unfinished)

    async def failures(self) -> dict[str, int]:
        """Why texts failed, and how many did for each reason, the most frequent first. Rows that could not be read are
        not among them: the findings in the parts say why.
        """
        return await self._reader.run(JobFile.failures)

    async def parts(self, state: ShardState) -> list[Part]:
        """What the sealed or the done shards were written to, in their order."""
        return await self._reader.run(JobFile.parts, state)

    async def receipts(self) -> list[Receipt]:
        """The receipts of the done shards, in their order."""
        return [part.receipt for part in await self.parts("done")]

    async def totals(self) -> Totals:
        """How far the job is."""
        return await self._reader.run(JobFile.totals)

    async def note(self, progress: bytes) -> None:
        """Note how the run goes, for other processes that look."""
        await self._writer.run(JobFile.note, progress)

    async def noted(self) -> bytes:
        """What was noted last; empty to begin with."""
        return await self._reader.run(JobFile.noted)

    async def retry_failed(self) -> int:
        """Forget the errors and have the shards that hold some, and the stuck ones, worked on again.

        The job is planned again then. Returns how many rows that concerns; where it is none the job stays as it is.
        """
        return await self._writer.run(JobFile.retry_failed)


def _opened(path: Path) -> tuple[JobFile, JobFile, Planned]:
    if not path.is_file():
        raise unknown_job(path.parent)
    reading, writing = open_files(path)
    try:
        return reading, writing, reading.planned()
    except BaseException:
        reading.close()
        writing.close()
        raise

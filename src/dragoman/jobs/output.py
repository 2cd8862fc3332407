"""The folder of a job: its parts, which appear whole or not at all, and the manifest that says it is complete.

A part is written and synced under a temporary name that nobody else has. Then its shard is sealed, the file gets its
name, the folder is synced, and the shard is done. Whatever ends the process between two of these steps, `recover` takes
the rest of them, or has the part built again from the memo.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, ParamSpec, TypeVar

import msgspec
from msgspec import Struct

from dragoman.errors import JobNotReady, LedgerError
from dragoman.jobs.durable import rename, sync_folder
from dragoman.jobs.job_file import Part, Totals, remedy
from dragoman.jobs.ledger import Ledger
from dragoman.jobs.spec import Counts, Receipt

MANIFEST = "manifest.json"
LOCK = "job.lock"

P = ParamSpec("P")
R = TypeVar("R")


class ManifestPart(Struct, frozen=True, kw_only=True):
    """One part in the manifest."""

    name: str
    rows: int
    bytes: int
    sha256: str


class Manifest(Struct, frozen=True, kw_only=True):
    """What stands in the manifest: the parts, in the order of the input."""

    version: int = 1
    counts: Counts
    parts: list[ManifestPart]


@contextlib.contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Have the job in `folder` for this process alone, until it ends however it ends.

    Raises JobNotReady, with the number of the process, where another one has it.
    """
    with contextlib.ExitStack() as held:
        with _told(folder):
            file = held.enter_context((folder / LOCK).open("a+b"))
            _lock(file, folder)
            file.truncate(0)
            file.write(str(os.getpid()).encode())
            file.flush()
        yield


class Output:
    """The parts of a job. Every method raises LedgerError where the folder or the ledger cannot be read or written."""

    def __init__(self, folder: Path, ledger: Ledger) -> None:
        self._folder = folder
        self._ledger = ledger

    def part(self, shard: int) -> Path:
        """Where a shard's part is when the shard is done. Sorted by name, parts are in the order of the input."""
        return self._folder / f"part-{shard:06d}.parquet"

    def temporary_part(self, shard: int, generation: int) -> Path:
        """Where a shard's part is written: no two holders of the shard ever share the name."""
        return self._folder / f"part-{shard:06d}.{generation}.tmp"

    async def commit(self, receipt: Receipt) -> bool:
        """Take a part that is written. False where the lease was lost: then its file is gone."""
        temporary = self._folder / receipt.part
        found = await self._run(temporary.stat)
        if not await self._ledger.seal(receipt, size=found.st_size):
            await self._run(temporary.unlink, missing_ok=True)
            return False
        return await self._finish(receipt)

    async def recover(self) -> int:
        """Settle what an earlier process left behind, without asking an engine; for the start, and under `hold`.

        Returns how many shards that had a part are to be written again, because it is missing or broken.
        """
        await self._ledger.release_leases()
        lost = [part.receipt for part in await self._ledger.parts("sealed") if not await self._settle(part.receipt)]
        lost += await self._run(self._broken, await self._ledger.parts("done"), await self._is_over())
        for receipt in lost:
            await self._ledger.reopen(receipt.shard, receipt.generation)
        await self._run(self._remove_temporary)
        if not await self._is_over():
            await self._run(self._remove_manifest)
        return len(lost)

    async def write_manifest(self) -> Manifest:
        """Say that the job is complete. Raises LedgerError unless every shard is done, every part is there, and every
        row of the input came to something.
        """
        if unfinished := _unfinished(await self._ledger.totals()):
            raise LedgerError(f"The job is not complete: {unfinished} of its shards are not done. Resume it.")
        parts = await self._ledger.parts("done")
        if broken := await self._run(self._broken, parts, True):
            raise LedgerError(
                f"{self.part(broken[0].shard)} is missing or was changed. Resume the job to write it again."
            )
        manifest = self._manifest(parts)
        _check_counts(manifest, self._ledger.spec.rows)
        await self._run(self._write_manifest, manifest)
        return manifest

    async def _settle(self, receipt: Receipt) -> bool:
        """Take a sealed shard's remaining steps. False where its part is nowhere as it was sealed."""
        temporary = self._folder / receipt.part
        if await self._run(_has_digest, temporary, receipt.sha256):
            return await self._finish(receipt)
        if await self._run(_has_digest, self.part(receipt.shard), receipt.sha256):
            await self._run(sync_folder, self._folder)
            return await self._ledger.done(receipt.shard, receipt.generation)
        return False

    async def _finish(self, receipt: Receipt) -> bool:
        await self._run(rename, self._folder / receipt.part, self.part(receipt.shard))
        return await self._ledger.done(receipt.shard, receipt.generation)

    async def _is_over(self) -> bool:
        return not _unfinished(await self._ledger.totals())

    def _broken(self, parts: Sequence[Part], in_full: bool) -> list[Receipt]:
        """Those of the done shards whose part is missing or has another size; `in_full`, or other bytes.

        To read all parts is the price of saying that a job is complete. A resumed one has better to do.
        """
        return [receipt for receipt, size in parts if not self._is_sound(receipt, size, in_full)]

    def _is_sound(self, receipt: Receipt, size: int, in_full: bool) -> bool:
        part = self.part(receipt.shard)
        return _size(part) == size and (not in_full or _has_digest(part, receipt.sha256))

    def _remove_temporary(self) -> None:
        for path in self._folder.glob("part-*.tmp"):
            path.unlink()

    def _remove_manifest(self) -> None:
        (self._folder / MANIFEST).unlink(missing_ok=True)
        sync_folder(self._folder)

    def _manifest(self, parts: Sequence[Part]) -> Manifest:
        return Manifest(
            counts=sum((part.receipt.counts for part in parts), Counts()),
            parts=[
                ManifestPart(
                    name=self.part(receipt.shard).name, rows=receipt.counts.rows, bytes=size, sha256=receipt.sha256
                )
                for receipt, size in parts
            ],
        )

    def _write_manifest(self, manifest: Manifest) -> None:
        temporary = self._folder / f"{MANIFEST}.tmp"
        with temporary.open("wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        rename(temporary, self._folder / MANIFEST)

    async def _run(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        with _told(self._folder):
            return await asyncio.to_thread(work, *args, **kwargs)


def _unfinished(totals: Totals) -> int:
    """How many shards are not done."""
    return sum(count for state, count in totals.shards.items() if state != "done")


def _check_counts(manifest: Manifest, rows: int) -> None:
    counts = manifest.counts
    if not rows == counts.rows == counts.ok + counts.passthrough + counts.error:
        raise LedgerError(
            f"The job has {rows} rows, and its parts have {counts.rows}: {counts.ok} ok, {counts.passthrough} passed "
            f"through and {counts.error} with errors. This is a bug."
        )


def _lock(file: IO[bytes], folder: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.seek(0)
        process = file.read().decode() or "that has just begun"
        raise JobNotReady(
            f"Process {process} works on the job in {folder}. Wait until it ends, or stop it first."
        ) from error


def _size(path: Path) -> int:
    """The size of a file in bytes; -1 where there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return -1


def _has_digest(path: Path, sha256: str) -> bool:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def _told(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise LedgerError(f"The job's files in {folder} cannot be written: {error}. {remedy(error)}") from error

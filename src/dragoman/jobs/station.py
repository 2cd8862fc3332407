"""What works on shards in a process of its own, on this machine or another: one translator, one memo, one workplace."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias
from uuid import uuid4

import msgspec
from msgspec import Struct

from dragoman.core.shared_limit import WHOLE, EqualShares
from dragoman.errors import DragomanError
from dragoman.jobs.brakes import Brakes
from dragoman.jobs.cells import Cells, Stopped, Tally
from dragoman.jobs.job import Job, check_engine, fingerprint_of
from dragoman.jobs.job_file import JobFile
from dragoman.jobs.memo import open_memo
from dragoman.jobs.runner import request_of
from dragoman.jobs.shard import Workplace, open_workplace, run_shard
from dragoman.jobs.spec import Fingerprint, JobSpec, Receipt, Shard
from dragoman.types import Glossary

if TYPE_CHECKING:
    from dragoman.core.translator import Translator

MEMO = "memo.sqlite3"

Opener: TypeAlias = "Callable[[], AbstractAsyncContextManager[Translator]]"
"""Opens a station's translator, in its process."""


class OpenTranslator(Protocol):
    """Opens a translator over engines, those of the settings where none is named; it can be pickled."""

    def __call__(
        self, *, engines: Sequence[str] = (), part: EqualShares = WHOLE
    ) -> AbstractAsyncContextManager[Translator]:
        """`part` is what it may have of the engines' slots."""
        ...


def opener(open_translator: OpenTranslator, engines: Sequence[str], station: int, stations: int) -> Opener:
    """What opens the translator of one of several stations: over engines that are its own where there are enough, else
    over all of them with an equal part of their slots.
    """
    if len(engines) >= stations:
        return partial(open_translator, engines=engines[station::stations])
    return partial(open_translator, engines=engines, part=EqualShares(stations, station))


class Assignment(Struct, frozen=True, kw_only=True):
    """All that a station has to know of a job; it can be pickled.

    `folder` is the job's, which every station and the driver see under this path, and `memos` one of the job's own on
    the station's node. `fingerprint` is who the job was planned to be translated by.
    """

    spec: JobSpec
    folder: Path
    fingerprint: Fingerprint
    glossaries: tuple[Glossary, ...]
    memos: Path


def assignment_of(job: Job, glossaries: Sequence[Glossary], memos: Path) -> Assignment:
    """A job as a station has to know it; in `memos` its folder has a name that no other job has."""
    planned = (str(job.folder.absolute()), job.ledger.created_at, job.spec, job.ledger.fingerprint)
    name = blake2b(msgspec.msgpack.encode(planned), digest_size=16).hexdigest()
    return Assignment(
        spec=job.spec,
        folder=job.folder.absolute(),
        fingerprint=job.ledger.fingerprint,
        glossaries=tuple(glossaries),
        memos=memos.absolute() / name,
    )


class Told(Struct, frozen=True):
    """What a station has counted since it was opened. One that is started anew has another name and counts from 0."""

    station: str
    tally: Tally


class Outcome(Struct, frozen=True):
    """What a shard came to: its receipt, or what went wrong as a value, so that it travels whole."""

    told: Told
    result: Receipt | DragomanError


class Station:
    """Works on shards with a translator and a memo of its own, which it opens for the first shard.

    `memo` is its folder in the assignment's `memos`. A station of the same name goes on with the answers in there, and
    asks again for what failed. It stops by itself where most of its answers are errors. The mutable state: `_opening`
    once it was asked for a shard, `_cells` once it is open, `_stopped` when nothing more is to be sent to an engine.
    """

    def __init__(self, assignment: Assignment, open_translator: Opener, memo: str) -> None:
        self._assignment = assignment
        self._open_translator = open_translator
        self._memo = assignment.memos / memo / MEMO
        self._name = uuid4().hex
        self._open = AsyncExitStack()
        self._opening: asyncio.Task[Workplace] | None = None
        self._cells: Cells | None = None
        self._stopped: DragomanError | None = None

    async def run(self, shard: Shard) -> Outcome:
        """Work on a shard. Raises only what is a fault of Dragoman's own."""
        result: Receipt | DragomanError
        try:
            result = await run_shard(shard, await self._workplace())
        except DragomanError as error:
            result = error
        return Outcome(await self.tell(), result)

    async def tell(self) -> Told:
        """What was counted so far."""
        return Told(self._name, self._cells.tally if self._cells else Tally())

    async def stop(self, reason: DragomanError) -> Told:
        """Send nothing more to the engine; when what flies is there, what was counted in all."""
        self._stopped = reason
        if self._opening is not None:
            self._opening.cancel()
        if self._cells is not None:
            self._cells.stop(reason)
            await self._cells.drained()
        return await self.tell()

    async def close(self) -> None:
        """Let what flies be stored, and let go of everything."""
        if self._stopped is None:
            await self.stop(Stopped("The work is over."))
        if self._opening is not None:
            await asyncio.wait([self._opening])
        await self._open.aclose()

    async def forget(self) -> None:
        """Remove what the stations of this job have stored on this node; at the end of the job, when all are closed."""
        await asyncio.to_thread(shutil.rmtree, self._assignment.memos, ignore_errors=True)

    async def _workplace(self) -> Workplace:
        if self._opening is None:
            self._opening = asyncio.create_task(self._opened(), name="open a workplace")
        await asyncio.wait([self._opening])
        if self._stopped is not None:
            raise self._stopped
        return self._opening.result()

    async def _opened(self) -> Workplace:
        job, enter = self._assignment, self._open.enter_async_context
        translator = await enter(self._open_translator())
        await translator.ready()
        check_engine(job.fingerprint, fingerprint_of(translator.info, job.glossaries))
        await asyncio.to_thread(_prepare_memo, self._memo)
        memo = await open_memo(self._memo)
        self._open.push_async_callback(memo.aclose)
        request = request_of(job.spec, job.glossaries)
        self._cells = Cells(translator, memo, request, Brakes().reason_to_stop)
        return await enter(open_workplace(job.spec, job.folder, self._cells))


def _prepare_memo(path: Path) -> None:
    """Make room for a memo, and forget the errors of an earlier run: they may have been forgotten in the ledger too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.closing(JobFile(path)) as file:
        file.retry_failed()

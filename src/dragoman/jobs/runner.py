"""Who works on shards: the seam, and the runner for one machine. `cluster` and `dask` have the others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from msgspec import structs

from dragoman.errors import DragomanError, UnreadableTable
from dragoman.jobs.cells import Cells, Memo, Tally
from dragoman.jobs.shard import Workplace, open_workplace, run_shard
from dragoman.jobs.spec import JobSpec, Receipt, Shard
from dragoman.types import Glossary, TranslateRequest

if TYPE_CHECKING:
    from dragoman.core.translator import Translator

OPEN_SHARDS = 3
"""Worked on at a time, so that the slow end of one overlaps with the next."""


class Desk(Protocol):
    """Where shards are fetched and receipts are brought."""

    async def next(self) -> Shard | None:
        """A shard to work on, leased to whoever asks; None when there are no more."""
        ...

    async def take(self, receipt: Receipt) -> None:
        """Commit what was done. A receipt of a lease that was lost is dropped."""
        ...

    async def give_back(self, shard: Shard) -> None:
        """Let a shard be handed out again, because whoever worked on it is gone."""
        ...

    async def stuck(self, shard: Shard, error: DragomanError) -> None:
        """Note that a shard's rows cannot be read; others can."""
        ...


class Runner(Protocol):
    """Fetches shards, has `run_shard` work on them, and brings the receipts."""

    @property
    def tally(self) -> Tally:
        """What was counted since the start, as far as it is known here."""
        ...

    async def run(self, desk: Desk) -> None:
        """Work until there are no more shards. Raises Stopped when `stop` was called, or what ended the work."""
        ...

    def stop(self, reason: DragomanError) -> None:
        """Send nothing more to an engine. What flies is committed, and `run` then raises `reason`."""
        ...


class LocalRunner:
    """All on this machine's event loop, a few shards at a time."""

    def __init__(self, workplace: Workplace) -> None:
        self._workplace = workplace
        self._stopped: DragomanError | None = None

    @property
    def tally(self) -> Tally:
        return self._workplace.cells.tally

    async def run(self, desk: Desk) -> None:
        async with asyncio.TaskGroup() as workers:
            for _ in range(OPEN_SHARDS):
                workers.create_task(self._work(desk))
        if self._stopped is not None:
            await self._workplace.cells.drained()
            raise self._stopped

    def stop(self, reason: DragomanError) -> None:
        self._stopped = self._stopped or reason
        self._workplace.cells.stop(reason)

    def abandon(self) -> None:
        """After `stop`, where there is no time to wait: what flies is cancelled, and asked for again another time."""
        self._workplace.cells.abandon()

    async def _work(self, desk: Desk) -> None:
        """One shard after the other; what goes wrong with the work as a whole ends that of the others too."""
        try:
            while self._stopped is None and (shard := await desk.next()) is not None:
                try:
                    receipt = await run_shard(shard, self._workplace)
                except UnreadableTable as error:
                    await desk.stuck(shard, error)
                else:
                    await desk.take(receipt)
        except DragomanError as error:
            self.stop(error)


@asynccontextmanager
async def local_runner(
    spec: JobSpec,
    folder: Path,
    memo: Memo,
    translator: Translator,
    glossaries: Sequence[Glossary] = (),
    pause_for: Callable[[Tally], str | None] = lambda _: None,
) -> AsyncIterator[LocalRunner]:
    """A runner on this event loop; on leaving it what flies is committed. `pause_for` may tell when it is to stop."""
    cells = Cells(translator, memo, request_of(spec, glossaries), pause_for)
    async with open_workplace(spec, folder, cells) as workplace:
        yield LocalRunner(workplace)


def request_of(spec: JobSpec, glossaries: Sequence[Glossary]) -> TranslateRequest:
    """What is asked for each text, with the terms of the glossaries that the job names."""
    wishes = structs.replace(spec.request.wishes, glossaries=tuple(glossaries))
    return structs.replace(spec.request, wishes=wishes)

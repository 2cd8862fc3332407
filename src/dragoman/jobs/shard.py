"""One shard from its rows to its part: the only work that a runner hands out, on this machine or another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from itertools import product
from pathlib import Path
from typing import ParamSpec, TypeVar

from dragoman.jobs.cells import Cells, Spent, Stopped, Wanted
from dragoman.jobs.spec import Cell, Counts, JobSpec, Receipt, Shard
from dragoman.jobs.tables.base import ShardRows
from dragoman.jobs.tables.parts import write_part
from dragoman.jobs.tables.planning import Reader

P = ParamSpec("P")
R = TypeVar("R")

CellsByOutput = Mapping[tuple[str, str], Sequence[Cell]]
"""The cells of a shard by column and target, one for each row."""


class Workplace:
    """What a shard is worked on with: the job's tables in a thread of their own, its cells, and the folder for parts.

    `open_workplace` makes one; several shards share it.
    """

    def __init__(self, spec: JobSpec, folder: Path, cells: Cells, thread: ThreadPoolExecutor, reader: Reader) -> None:
        self.spec = spec
        self.folder = folder
        self.cells = cells
        self._thread = thread
        self._reader = reader

    async def read(self, shard: Shard) -> ShardRows:
        """The shard's rows. Raises UnreadableTable or InputChanged."""
        return await self._run(self._reader.read, shard)

    async def write(self, rows: ShardRows, cells: CellsByOutput, name: str) -> str:
        """Write a part under this name in the job's folder; the SHA-256 of its bytes. Raises LedgerError."""
        return await self._run(write_part, self.spec, rows, cells, self.folder / name)

    async def _run(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: work(*args, **kwargs))


@asynccontextmanager
async def open_workplace(spec: JobSpec, folder: Path, cells: Cells) -> AsyncIterator[Workplace]:
    """A workplace; on leaving it sends nothing more, and what flies is committed first."""
    reader = Reader(spec)
    thread = ThreadPoolExecutor(1, thread_name_prefix="job tables")
    try:
        yield Workplace(spec, folder, cells, thread, reader)
    finally:
        try:
            cells.stop(Stopped("The work was ended."))  # also where a cancelled task left texts waiting
            await cells.drained()
        finally:
            thread.submit(reader.close)
            thread.shutdown(wait=False)  # to wait would block the loop


async def run_shard(shard: Shard, at: Workplace) -> Receipt:
    """Read a shard's rows, translate what the memo does not know, and write its part under a temporary name.

    The same rows and answers give the same bytes, wherever and however often it runs. The part counts only once
    whoever handed the shard out takes the receipt. Raises UnreadableTable, InputChanged, Stopped or LedgerError.
    """
    rows = await at.read(shard)
    spent = Spent()
    cells = await _translated(rows, at, spent)
    part = f"part-{shard.number:06d}.{shard.generation}.tmp"
    sha256 = await at.write(rows, cells, part)
    return Receipt(
        shard=shard.number,
        generation=shard.generation,
        part=part,
        sha256=sha256,
        counts=_counted(list(cells.values()), shard.rows),
        characters=spent.characters,
        tokens=spent.tokens,
    )


async def _translated(rows: ShardRows, at: Workplace, spent: Spent) -> CellsByOutput:
    outputs = list(product(at.spec.columns, at.spec.targets))
    count = rows.carried.num_rows
    sound = [row for row in range(count) if row not in rows.broken]
    wanted = [Wanted(rows.texts[column][row], target) for column, target in outputs for row in sound]
    cells = iter(await at.cells.translate(wanted, spent))
    broken = {row: Cell("error", findings=(f"unreadable: {why}",)) for row, why in rows.broken.items()}
    return {output: [broken[row] if row in broken else next(cells) for row in range(count)] for output in outputs}


def _counted(columns: Sequence[Sequence[Cell]], rows: int) -> Counts:
    """How many rows came to what."""
    ok = passthrough = error = 0
    for cells in zip(*columns, strict=True):
        statuses = {cell.status for cell in cells}
        if "error" in statuses:
            error += 1
        elif "ok" in statuses:
            ok += 1
        else:
            passthrough += 1
    return Counts(rows=rows, ok=ok, passthrough=passthrough, error=error)

"""What a job would take, told by a sample of its rows: real calls, of which nothing is kept."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from itertools import product
from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct, structs

from dragoman.jobs.cells import Cells, Spent, Tally, Wanted, passed_through
from dragoman.jobs.progress import Prices
from dragoman.jobs.runner import request_of
from dragoman.jobs.spec import Cell, JobSpec, Shard
from dragoman.jobs.tables.planning import Reader
from dragoman.types import Glossary, Tokens

if TYPE_CHECKING:
    from dragoman.core.translator import Translator

SHARD_ROWS = 1_000
"""A sample wants its input planned in shards of so many rows."""

READ_SHARDS = 20
TRANSLATED_ROWS = 200
EXAMPLES = 3

T = TypeVar("T")
Row = tuple[str | None, ...]


class Contents(Struct, frozen=True, kw_only=True):
    """What stands in a table, as far as `read` of its rows tell; all else counts texts in one target language.

    `needed` texts have something to be translated, `distinct` of them differ, and these hold so many `characters`.
    """

    read: int
    broken: int
    texts: int
    needed: int
    distinct: int
    characters: int


class Example(Struct, frozen=True, kw_only=True):
    """A text of the sample and what it came to."""

    column: str
    target: str
    text: str
    translation: str | None
    findings: tuple[str, ...]


class Trial(Struct, frozen=True, kw_only=True):
    """What the translated part of a sample came to."""

    rows: int
    seconds: float
    tally: Tally
    examples: list[Example]


class Estimate(Struct, frozen=True, kw_only=True):
    """What a job would take. Texts count once for each target; `calls` are those that an engine is asked.

    `passthrough` is the share of texts that hold nothing to translate, `duplicates` that of the others that came
    before among the rows read: over all rows there may be more. `rate` is in calls per second, and `errors` how many of
    the `tried` ones failed. `hours` and `tokens` are None where none succeeded, `cost` too where no price is given.
    """

    rows: int
    rows_read: int
    rows_broken: int
    texts: int
    passthrough: float
    duplicates: float
    calls: int
    characters: int
    tried: int
    errors: int
    rate: float
    tokens: Tokens | None
    hours: float | None
    cost: float | None
    examples: list[Example]


class _Nothing:
    """The memo of a sample: nothing is known, nothing is kept."""

    async def get_many(self, keys: Sequence[bytes]) -> list[Cell | None]:
        return [None] * len(keys)

    async def put(self, key: bytes, cell: Cell) -> asyncio.Future[Cell]:
        stored: asyncio.Future[Cell] = asyncio.get_running_loop().create_future()
        stored.set_result(cell)
        return stored


def read_rows(spec: JobSpec, shards: Sequence[Shard]) -> tuple[list[Row], int]:
    """The texts of rows from all over the table, by column, and how many others are broken. Blocks.

    Raises UnreadableTable and InputChanged.
    """
    reader = Reader(spec)
    rows: list[Row] = []
    broken = 0
    try:
        for shard in _spread(shards, READ_SHARDS):
            found = reader.read(shard)
            columns = [found.texts[column] for column in spec.columns]
            rows += [row for number, row in enumerate(zip(*columns, strict=True)) if number not in found.broken]
            broken += len(found.broken)
    finally:
        reader.close()
    return rows, broken


def contents_of(rows: Sequence[Row], broken: int) -> Contents:
    """What stands in these rows."""
    texts = [Wanted(text, "") for row in rows for text in row]
    cores = [(wanted.text or "").strip() for wanted in texts if passed_through(wanted) is None]
    distinct = set(cores)
    return Contents(
        read=len(rows) + broken,
        broken=broken,
        texts=len(texts),
        needed=len(cores),
        distinct=len(distinct),
        characters=sum(map(len, distinct)),
    )


async def try_out(
    spec: JobSpec, rows: Sequence[Row], translator: Translator, glossaries: Sequence[Glossary] = ()
) -> Trial:
    """Translate some of these rows, in the bulk lane and at full speed; nothing of it is stored. Raises Stopped."""
    some = _spread(rows, TRANSLATED_ROWS)
    wanted = [
        (column, Wanted(text, target))
        for row in some
        for (column, text), target in product(zip(spec.columns, row, strict=True), spec.targets)
    ]
    cells = Cells(translator, _Nothing(), structs.replace(request_of(spec, glossaries), no_store=True))
    started = time.perf_counter()
    answers = await cells.translate([one for _, one in wanted], Spent())
    seconds = time.perf_counter() - started
    told = list(_told(wanted, answers))
    return Trial(rows=len(some), seconds=seconds, tally=cells.tally, examples=_spread(told, EXAMPLES))


def estimate(spec: JobSpec, contents: Contents, trial: Trial, prices: Prices) -> Estimate:
    """The sample, held to be like the rest of the table. Tokens and time go by characters, not by rows."""
    scale = spec.rows / contents.read * len(spec.targets) if contents.read else 0.0
    tally = trial.tally
    more = contents.characters * scale / tally.characters if tally.characters else None
    tokens = None if more is None else Tokens(*(round(more * count) for count in structs.astuple(tally.tokens)))
    return Estimate(
        rows=spec.rows,
        rows_read=contents.read,
        rows_broken=contents.broken,
        texts=spec.rows * len(spec.columns) * len(spec.targets),
        passthrough=1 - contents.needed / contents.texts if contents.texts else 0.0,
        duplicates=1 - contents.distinct / contents.needed if contents.needed else 0.0,
        calls=round(contents.distinct * scale),
        characters=round(contents.characters * scale),
        tried=tally.called,
        errors=tally.errors,
        rate=tally.called / trial.seconds,
        tokens=tokens,
        hours=None if more is None else more * trial.seconds / 3600,
        cost=None if tokens is None else prices.cost(tokens),
        examples=trial.examples,
    )


def _told(wanted: Sequence[tuple[str, Wanted]], answers: Sequence[Cell]) -> Iterator[Example]:
    """The texts that were asked for, each once."""
    seen = set()
    for (column, one), cell in zip(wanted, answers, strict=True):
        if cell.status != "passthrough" and one.text is not None and (one.text, one.target) not in seen:
            seen.add((one.text, one.target))
            yield Example(
                column=column, target=one.target, text=one.text, translation=cell.text, findings=cell.findings
            )


def _spread(items: Sequence[T], count: int) -> list[T]:
    """So many of the items, from all over them; all where there are no more."""
    some = min(count, len(items))
    return [items[number * len(items) // some] for number in range(some)]

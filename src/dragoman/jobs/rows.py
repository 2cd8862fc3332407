"""Tables, columns and batches from Python: the cells of a job without its folder.

>>> async with open_translator(Settings(engine="ollama://localhost:11434/translategemma:12b")) as translator:
...     async for row in translate_table("products.csv", translator, columns=["title"], targets=["de"]):
...         print(row["title"], row["title_de"])
...     frame["title_de"] = await translate_column(frame["title"], translator, target="de")

Nothing of it survives the process; for a table of a night's length run a job.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import islice, product
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from cachebox import LRUCache

from dragoman.errors import BadOutput, InvalidRequest
from dragoman.jobs.cells import Cells, Spent, Stopped, Wanted
from dragoman.jobs.spec import Cell
from dragoman.types import Format, TranslateRequest, Wishes

if TYPE_CHECKING:
    from dragoman.core.translator import Translator

Row = Mapping[str, object]
Batch = Mapping[str, Sequence[str | None]]
Column = TypeVar("Column")

CHUNK_ROWS = 500
CHUNKS_AHEAD = 3
"""Chunks that are worked on while the first of them is waited for."""

KEPT_ANSWERS = 100_000
"""So many texts are known to have been translated before, when they come again."""

NAME = "{column}_{target}"


async def translate_table(
    table: str | Path | Iterable[Row],
    translator: Translator,
    *,
    columns: Sequence[str],
    targets: Sequence[str],
    source: str | None = None,
    format: Format = "text",
    wishes: Wishes = Wishes(),  # noqa: B008 - immutable
    name: str = NAME,
) -> AsyncGenerator[dict[str, object], None]:
    """The rows of a Parquet, CSV or JSON Lines file, or of any iterable, in order, each with its translations.

    Each text and target adds three fields, as `title_de`, `title_de_status` (ok, passthrough or error) and
    `title_de_findings`. A text that fails leaves its row and all others alone. Raises UnreadableTable and
    InvalidRequest.
    """
    request = TranslateRequest(texts=(), targets=tuple(targets), source=source, format=format, wishes=wishes)
    chunks = _chunks(table, columns, request, name)
    async with _cells(translator, request) as cells:

        async def translated(rows: Sequence[Row]) -> list[dict[str, object]]:
            return await _translated(rows, cells, columns, request.targets, name)

        async for chunk in _in_order(chunks, translated):
            for row in chunk:
                yield row


async def translate_column(
    column: Column,
    translator: Translator,
    *,
    target: str,
    source: str | None = None,
    format: Format = "text",
    wishes: Wishes = Wishes(),  # noqa: B008 - immutable
) -> Column:
    """The translations of a column, as what it is: a Series of pandas (with its index) or Polars, an Arrow array, or a
    list. What is missing stays missing. Raises BadOutput with the first reason where a text cannot be translated.
    """
    request = TranslateRequest(texts=(), targets=(target,), source=source, format=format, wishes=wishes)
    async with _cells(translator, request) as cells:
        found = await cells.translate([Wanted(text, target) for text in _texts(column)], Spent())
    translated: Column = _like(column, [_text(cell, place) for place, cell in enumerate(found)])
    return translated


def batch_translator(
    translator: Translator,
    *,
    columns: Sequence[str],
    targets: Sequence[str],
    source: str | None = None,
    format: Format = "text",
    wishes: Wishes = Wishes(),  # noqa: B008 - immutable
    name: str = NAME,
) -> Callable[[Batch], Awaitable[dict[str, list[str | None]]]]:
    """A function for `datasets.Dataset.map(…, batched=True)` and its like: lists by column in, the new columns out.

    It raises BadOutput with the first reason where a text cannot be translated.
    """
    request = TranslateRequest(texts=(), targets=tuple(targets), source=source, format=format, wishes=wishes)

    async def translate(batch: Batch) -> dict[str, list[str | None]]:
        outputs = list(product(columns, request.targets))
        wanted = [Wanted(text, target) for column, target in outputs for text in batch[column]]
        async with _cells(translator, request) as cells:
            found = iter(await cells.translate(wanted, Spent()))
        return {
            name.format(column=column, target=target): [
                _text(next(found), place) for place in range(len(batch[column]))
            ]
            for column, target in outputs
        }

    return translate


class _Kept:
    """A memo in RAM, of bounded length."""

    def __init__(self) -> None:
        self._answers: LRUCache[bytes, Cell] = LRUCache(KEPT_ANSWERS)

    async def get_many(self, keys: Sequence[bytes]) -> list[Cell | None]:
        return [self._answers.get(key) for key in keys]

    async def put(self, key: bytes, cell: Cell) -> asyncio.Future[Cell]:
        stored: asyncio.Future[Cell] = asyncio.get_running_loop().create_future()
        self._answers[key] = cell
        stored.set_result(cell)
        return stored


@asynccontextmanager
async def _cells(translator: Translator, request: TranslateRequest) -> AsyncIterator[Cells]:
    """Cells that end with who asks for them."""
    cells = Cells(translator, _Kept(), request)
    try:
        yield cells
    finally:
        cells.stop(Stopped("Nobody waits for the rest of the table."))
        await cells.drained()


async def _in_order(
    chunks: Iterator[list[Row]], work: Callable[[list[Row]], Awaitable[list[dict[str, object]]]]
) -> AsyncIterator[list[dict[str, object]]]:
    """What `work` makes of each chunk, in order, a few chunks ahead. Chunks are read in a thread."""
    ahead: deque[asyncio.Task[list[dict[str, object]]]] = deque()
    try:
        while True:
            while len(ahead) < CHUNKS_AHEAD and (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
                ahead.append(asyncio.create_task(_awaited(work(chunk))))
            if not ahead:
                return
            yield await ahead.popleft()
    finally:
        for task in ahead:
            task.cancel()
        await asyncio.gather(*ahead, return_exceptions=True)


async def _awaited(work: Awaitable[list[dict[str, object]]]) -> list[dict[str, object]]:
    return await work


async def _translated(
    rows: Sequence[Row], cells: Cells, columns: Sequence[str], targets: Sequence[str], name: str
) -> list[dict[str, object]]:
    from dragoman.jobs.tables.lines import text_of

    outputs = [
        (column, target, name.format(column=column, target=target)) for column, target in product(columns, targets)
    ]
    wanted = [Wanted(text_of(row, column), target) for row in rows for column, target, _ in outputs]
    found = iter(await cells.translate(wanted, Spent()))
    return [{**row, **_fields(found, [output for *_, output in outputs])} for row in rows]


def _fields(found: Iterator[Cell], outputs: Sequence[str]) -> dict[str, object]:
    fields: dict[str, object] = {}
    for output in outputs:
        cell = next(found)
        fields |= {output: cell.text, f"{output}_status": cell.status, f"{output}_findings": list(cell.findings)}
    return fields


def _chunks(
    table: str | Path | Iterable[Row], columns: Sequence[str], request: TranslateRequest, name: str
) -> Iterator[list[Row]]:
    rows = iter(_file_rows(Path(table), columns, request, name) if isinstance(table, str | Path) else table)
    while chunk := list(islice(rows, CHUNK_ROWS)):
        yield chunk


def _file_rows(path: Path, columns: Sequence[str], request: TranslateRequest, name: str) -> Iterator[Row]:
    """The rows of a file. One that cannot be read is refused here: a job would note it and go on."""
    from dragoman.jobs.tables.lines import LINE, decoded
    from dragoman.jobs.tables.planning import Reader, plan_table
    from dragoman.jobs.tables.values import plain_rows

    spec, shards = plan_table([path], columns=columns, request=request, name=name, shard_rows=CHUNK_ROWS)
    reader = Reader(spec)
    try:
        for shard in shards:
            rows = reader.read(shard)
            if rows.broken:
                raise InvalidRequest(next(iter(rows.broken.values())))
            names = rows.carried.column_names
            for values in plain_rows(rows.carried):
                row = dict(zip(names, values, strict=True))
                yield decoded(str(row[LINE])) if spec.family == "jsonl" else row
    finally:
        reader.close()


def _texts(column: Any) -> list[str | None]:  # noqa: ANN401 - of whichever library
    """The texts of a column; pandas says NaN for what is missing."""
    for to_list in ("to_pylist", "to_list"):
        if hasattr(column, to_list):
            column = getattr(column, to_list)()
            break
    return [_text_or_none(value) for value in column]


def _text_or_none(value: object) -> str | None:
    if isinstance(value, str):
        return value
    is_missing = value is None or value != value or type(value).__name__ == "NAType"  # NaN is not equal to itself
    if not is_missing:
        raise InvalidRequest(f"The column holds {type(value).__name__} beside texts; translate a column of texts.")
    return None


def _like(column: Any, texts: list[str | None]) -> Any:  # noqa: ANN401 - of whichever library
    if hasattr(column, "to_pylist"):
        import pyarrow as pa

        array = pa.array(texts, pa.string())
        return pa.chunked_array([array]) if isinstance(column, pa.ChunkedArray) else array
    if hasattr(column, "index") and hasattr(column, "to_list"):
        return type(column)(texts, index=column.index, name=column.name, dtype="str")
    if hasattr(column, "to_list"):
        return type(column)(column.name, texts)
    return texts


def _text(cell: Cell, place: int) -> str | None:
    if cell.status == "error":
        raise BadOutput(f"Text {place + 1}: {cell.findings[0]}", engine="")
    return cell.text

"""What all families of tables have in common: rows of a shard, ranges, and the names of what is appended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pyarrow as pa
from msgspec import Struct

from dragoman.errors import InputChanged
from dragoman.jobs.spec import Cell, CSVDialect, JobSpec, Shard

SHARD_BYTES = 16 * 1024 * 1024
"""A shard of long rows is closed before it has all its rows, so that memory stays bounded."""


class ShardRows(Struct):
    """The rows of a shard, in order.

    `carried` is what goes through unchanged, `texts` what is to be translated by column, and `broken` says by row (its
    index in the shard) why it cannot be read, for people, with file and place. A broken row carries what it can.
    """

    carried: pa.Table
    texts: dict[str, list[str | None]]
    broken: dict[int, str]


class Range(Struct, frozen=True):
    """Rows of a file that one shard takes; the bytes count for CSV and JSON Lines only."""

    rows: int
    offset: int = 0
    end: int = 0


class Survey(Struct, frozen=True):
    """What planning found out about the inputs: the names that are taken, and the ranges of each file."""

    names: tuple[str, ...]
    files: list[list[Range]]
    csv: CSVDialect = CSVDialect()


class Cursor(Protocol):
    """An open input. `read` raises InputChanged, UnreadableTable."""

    def read(self, shard: Shard) -> ShardRows: ...

    def close(self) -> None: ...


class Appended(Struct, frozen=True):
    """A column that is appended for each text and target: its name's ending, its type, and its value of a cell."""

    ending: str
    type: pa.DataType
    value: Callable[[Cell], str | float | None]


def appended(spec: JobSpec) -> list[Appended]:
    """The columns of one text and target, in their order."""
    columns = [
        Appended("", pa.string(), lambda cell: cell.text),
        Appended("_status", pa.string(), lambda cell: cell.status),
        Appended("_findings", pa.string(), lambda cell: "\n".join(cell.findings) or None),
    ]
    if spec.request.wishes.confidence:
        columns.append(Appended("_confidence", pa.float32(), lambda cell: cell.confidence))
    if spec.request.source is None:
        columns.append(Appended("_source", pa.string(), lambda cell: cell.source))
    return columns


def outputs(spec: JobSpec) -> Iterator[tuple[str, str]]:
    """Each text's column with each target, in the order of the output."""
    return ((column, target) for column in spec.columns for target in spec.targets)


def appended_names(spec: JobSpec) -> list[str]:
    """The names of all appended columns, in their order."""
    endings = [column.ending for column in appended(spec)]
    return [spec.output_column(column, target) + ending for column, target in outputs(spec) for ending in endings]


def other_rows(path: Path, shard: Shard) -> InputChanged:
    """The error for a range that does not hold the rows it was planned for."""
    return InputChanged(
        f"{path}: rows {shard.start + 1} to {shard.start + shard.rows} are not there as they were when the job was "
        f"planned. Put the file back as it was, or plan another job."
    )

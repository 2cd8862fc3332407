"""A shard's output as one Parquet file, whose bytes follow from the rows and cells alone."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from dragoman.errors import LedgerError
from dragoman.jobs.spec import Cell, JobSpec
from dragoman.jobs.tables.base import ShardRows, appended, outputs


def part_schema(spec: JobSpec, input_schema: pa.Schema) -> pa.Schema:
    """The columns of every part: the input's as they are, and behind them those of each text and target."""
    schema = input_schema
    for column, target in outputs(spec):
        for one in appended(spec):
            schema = schema.append(pa.field(spec.output_column(column, target) + one.ending, one.type))
    return schema


def write_part(spec: JobSpec, rows: ShardRows, cells: Mapping[tuple[str, str], Sequence[Cell]], path: Path) -> str:
    """Write the rows with their cells, by column and target, and sync the file. Returns the SHA-256 of its bytes.

    Raises LedgerError where it cannot be written.
    """
    data = _part_bytes(_part(spec, rows, cells))
    try:
        with path.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise LedgerError(f"{path} cannot be written: {error.strerror}. Make room, and resume the job.") from error
    return sha256(data).hexdigest()


def _part(spec: JobSpec, rows: ShardRows, cells: Mapping[tuple[str, str], Sequence[Cell]]) -> pa.Table:
    new = [
        pa.chunked_array([pa.array([one.value(cell) for cell in cells[output]], one.type)])
        for output in outputs(spec)
        for one in appended(spec)
    ]
    carried = [_uniform(column) for column in rows.carried.columns]
    return pa.table([*carried, *new], schema=part_schema(spec, rows.carried.schema))


def _uniform(column: pa.ChunkedArray) -> pa.Array:
    """The column in one piece. A dictionary holds just the values of these rows, in the order in which they come:
    how it is read depends on which rows were read before.
    """
    kind = column.type
    if not pa.types.is_dictionary(kind):
        return _in_one(column)
    coded = _in_one(column.cast(kind.value_type)).dictionary_encode()
    return pa.DictionaryArray.from_arrays(coded.indices.cast(kind.index_type), coded.dictionary, ordered=kind.ordered)


def _in_one(column: pa.ChunkedArray) -> pa.Array:
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def _part_bytes(table: pa.Table) -> pa.Buffer:
    sink = pa.BufferOutputStream()
    pq.write_table(
        table, sink, compression="zstd", row_group_size=max(1, table.num_rows), write_page_checksum=True, version="2.6"
    )
    return sink.getvalue()

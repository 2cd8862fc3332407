"""Parquet: planned from its metadata alone, and read in a stream that goes on from shard to shard."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from dragoman.errors import UnreadableTable
from dragoman.jobs.spec import JobSpec, Shard
from dragoman.jobs.tables.base import SHARD_BYTES, Range, ShardRows, Survey, other_rows
from dragoman.jobs.tables.columns import find, is_text, no_text, text_paths, texts, unknown_column

BATCH_ROWS = 1_000
_BUFFER_BYTES = 256 * 1024


def open_file(path: Path) -> pq.ParquetFile:
    """A Parquet file that is read in small pieces with their checksums. Raises UnreadableTable."""
    try:
        return pq.ParquetFile(path, pre_buffer=False, buffer_size=_BUFFER_BYTES, page_checksum_verification=True)
    except (pa.ArrowException, OSError) as error:
        raise UnreadableTable(f"{path} is no Parquet file that can be read: {_first_line(error)}") from error


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0]


def schema_of(path: Path) -> pa.Schema:
    """The columns of a file. Raises UnreadableTable."""
    with open_file(path) as file:
        schema: pa.Schema = file.schema_arrow
        return schema


def survey(paths: Sequence[Path], columns: Sequence[str], shard_rows: int, limit: int | None) -> Survey:
    """Read the metadata. Raises InvalidRequest, UnreadableTable."""
    schema = schema_of(paths[0])
    repeated = {name for name in schema.names if schema.names.count(name) > 1}
    if repeated:
        raise UnreadableTable(f"{paths[0]} has several columns with the same name: {', '.join(sorted(repeated))}.")
    for column in columns:
        _check(schema, column)
    files = []
    left = limit
    for path in paths:
        with open_file(path) as file:
            _check_alike(path, file.schema_arrow, paths[0], schema)
            found = _ranges(file.metadata, shard_rows, left)
        files.append(found)
        left = None if left is None else left - sum(one.rows for one in found)
    return Survey(tuple(schema.names), files)


def _check(schema: pa.Schema, column: str) -> None:
    fields = find(schema, column)
    if fields is None:
        raise unknown_column(column, list(text_paths(schema)))
    if not is_text(fields[-1].type):
        raise no_text(column, str(fields[-1].type), list(text_paths(schema)))


def _check_alike(path: Path, schema: pa.Schema, first: Path, expected: pa.Schema) -> None:
    if schema.equals(expected):
        return
    differing = {field.name for field in schema if field not in list(expected)}
    differing |= {field.name for field in expected if field not in list(schema)}
    what = f"the columns {', '.join(sorted(differing))}" if differing else "the order of its columns"
    raise UnreadableTable(f"{path} differs from {first} in {what}. Make a job of each.", field="paths")


def _ranges(metadata: pq.FileMetaData, shard_rows: int, limit: int | None) -> list[Range]:
    rows: int = metadata.num_rows if limit is None else min(limit, metadata.num_rows)
    size = sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))
    step = max(1, min(shard_rows, SHARD_BYTES * metadata.num_rows // max(1, size)))
    return [Range(min(step, rows - start)) for start in range(0, rows, step)]


class ParquetCursor:
    """Reads the shards of one Parquet file. Those that follow each other go on in the same stream.

    State: the stream, the row it stands at and what is left of its last batch; and for each row group that could not
    be read the row where that was, since looking again would mean to read all before it again.
    """

    def __init__(self, spec: JobSpec, path: Path) -> None:
        self._path = path
        self._columns = spec.columns
        self._file = open_file(path)
        groups = [self._file.metadata.row_group(group).num_rows for group in range(self._file.num_row_groups)]
        self._starts = list(accumulate(groups, initial=0))
        self._batches: Iterator[pa.RecordBatch] = iter(())
        self._row = -1
        self._left: pa.RecordBatch | None = None
        self._unreadable: dict[int, int] = {}

    def read(self, shard: Shard) -> ShardRows:
        """The columns as they are. Raises InputChanged, UnreadableTable."""
        if shard.start + shard.rows > self._starts[-1]:
            raise other_rows(self._path, shard)
        self._check_readable(shard)
        try:
            self._go_to(shard)
            carried = pa.Table.from_batches(list(self._take(shard.rows)), self._file.schema_arrow)
        except (pa.ArrowException, OSError) as error:
            self._give_up(shard)
            raise self._unreadable_rows(shard, _first_line(error)) from error
        found = {column: texts(carried, column) for column in self._columns}
        broken = {
            row: f"{self._path.name}, row {shard.start + row + 1}: {why}"
            for _, whys in found.values()
            for row, why in whys.items()
        }
        return ShardRows(carried, {column: values for column, (values, _) in found.items()}, broken)

    def _group(self, row: int) -> int:
        return bisect_right(self._starts, row) - 1

    def _groups(self, shard: Shard) -> tuple[int, int]:
        return self._group(shard.start), self._group(shard.start + shard.rows - 1)

    def _go_to(self, shard: Shard) -> None:
        """Stand at the shard's first row. A stream can begin only at a row group, so what is before is read over."""
        if shard.start == self._row:
            return
        group = self._group(shard.start)
        self._row, self._left = self._starts[group], None
        self._batches = self._file.iter_batches(
            batch_size=min(BATCH_ROWS, shard.rows),
            row_groups=range(group, self._file.num_row_groups),
            use_threads=False,
        )
        for _ in self._take(shard.start - self._row):
            pass

    def _take(self, rows: int) -> Iterator[pa.RecordBatch]:
        self._row += rows
        while rows:
            batch = self._left if self._left is not None else next(self._batches)
            taken = batch.slice(0, rows)
            rows -= taken.num_rows
            self._left = batch.slice(taken.num_rows) if taken.num_rows < batch.num_rows else None
            yield taken

    def _give_up(self, shard: Shard) -> None:
        self._row, self._left, self._batches = -1, None, iter(())
        first, last = self._groups(shard)
        if first == last:
            self._unreadable[first] = min(shard.start, self._unreadable.get(first, shard.start))

    def _check_readable(self, shard: Shard) -> None:
        group = self._group(shard.start)
        if self._unreadable.get(group, shard.start) < shard.start:
            raise self._unreadable_rows(shard, "they stand behind rows of their row group that cannot be read")

    def _unreadable_rows(self, shard: Shard, why: str) -> UnreadableTable:
        first, last = self._groups(shard)
        groups = f"row group {first}" if first == last else f"row groups {first} to {last}"
        return UnreadableTable(
            f"{self._path}, {groups}, rows {shard.start + 1} to {shard.start + shard.rows} cannot be read: {why}"
        )

    def close(self) -> None:
        self._batches = iter(())
        self._file.close()

"""A job's parts as one file, streamed in order: CSV, JSON Lines, Parquet, or a translation memory."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import Literal, TypeAlias

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from dragoman.errors import LedgerError, UnreadableTable
from dragoman.jobs.durable import rename
from dragoman.jobs.spec import JobSpec
from dragoman.jobs.tables import delimited, lines, parquet
from dragoman.jobs.tables.base import appended_names
from dragoman.jobs.tables.pairs import items
from dragoman.jobs.tables.parts import part_schema
from dragoman.jobs.tables.values import plain_rows
from dragoman.memory.tmx import write_tmx

ExportFamily = Literal["csv", "jsonl", "parquet", "tmx"]
_CHUNK_BYTES = 64 * 1024
_Rows: TypeAlias = "Callable[[JobSpec, Sequence[Path]], Iterator[bytes]]"


def export(spec: JobSpec, parts: Sequence[Path], to: Path, family: ExportFamily) -> int:
    """Write the parts as one file, which stands under its name only when it is whole. Returns how many rows they have.

    Raises LedgerError where a part cannot be read or the file cannot be written.
    """
    beside = to.with_name(f".{to.name}.{os.getpid()}.tmp")
    try:
        with beside.open("wb") as file:
            file.writelines(rows_as(family, spec, parts))
            file.flush()
            os.fsync(file.fileno())
        rename(beside, to)
    except OSError as error:
        raise LedgerError(
            f"{to} cannot be written: {error.strerror or error}. Make room, or name another file."
        ) from error
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
    return sum(map(_row_count, parts))


def rows_as(family: ExportFamily, spec: JobSpec, parts: Sequence[Path]) -> Iterator[bytes]:
    """The bytes of the file that `export` would write, piece by piece. Raises LedgerError where a part is unreadable.

    CSV is UTF-8 with the delimiter of the input. JSON Lines of such a job keep each line as it was and add to it; of
    others they are one object a row. TMX has each pair of a text and its sound translation once.
    """
    streams: dict[ExportFamily, _Rows] = {"csv": _csv, "jsonl": _json_lines, "parquet": _parquet, "tmx": _tmx}
    return streams[family](spec, parts)


def _open(part: Path) -> pq.ParquetFile:
    try:
        return parquet.open_file(part)
    except UnreadableTable as error:
        raise LedgerError(f"{error.message} Resume the job: it writes the part again.") from error


def _row_count(part: Path) -> int:
    with _open(part) as file:
        rows: int = file.metadata.num_rows
        return rows


def tables_of(parts: Iterable[Path], columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """What the parts hold, one after the other; only these columns where they are named. Raises LedgerError."""
    for part in parts:
        with _open(part) as file:
            try:
                table = file.read(columns, use_threads=False)
            except (pa.ArrowException, OSError) as error:
                raise LedgerError(f"{part} is damaged ({error}). Resume the job: it writes the part again.") from error
        yield table


def _schema(spec: JobSpec, parts: Sequence[Path]) -> pa.Schema:
    """A job over no rows has no parts, but columns."""
    if parts:
        with _open(parts[0]) as file:
            schema: pa.Schema = file.schema_arrow
            return schema
    path = Path(spec.inputs[0].path)
    if spec.family == "parquet":
        return part_schema(spec, parquet.schema_of(path))
    if spec.family == "jsonl":
        return part_schema(spec, lines.SCHEMA)
    return part_schema(spec, pa.schema([(name, pa.string()) for name in delimited.header(path, spec.csv)]))


class _Written:
    """What pyarrow takes for a file, read while it is written; the state is what was written and not yet taken."""

    closed = False

    def __init__(self) -> None:
        self._written = bytearray()

    def write(self, data: bytes) -> None:
        self._written += data

    def flush(self) -> None:
        """Nothing is kept back."""

    def taken(self) -> bytes:
        taken = bytes(self._written)
        self._written.clear()
        return taken


def _parquet(spec: JobSpec, parts: Sequence[Path]) -> Iterator[bytes]:
    """A group of rows for each part; the file's end says where they are."""
    file = _Written()
    with pq.ParquetWriter(file, _schema(spec, parts), compression="zstd", write_page_checksum=True) as writer:
        for table in tables_of(parts):
            writer.write_table(table, row_group_size=max(1, table.num_rows))
            yield file.taken()
    yield file.taken()


def _csv(spec: JobSpec, parts: Sequence[Path]) -> Iterator[bytes]:
    yield _csv_bytes([_schema(spec, parts).names], spec.csv.delimiter)
    for table in tables_of(parts):
        yield _csv_bytes((map(_csv_field, row) for row in plain_rows(table)), spec.csv.delimiter)


def _csv_bytes(rows: Iterable[Iterable[object]], delimiter: str) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows(rows)
    return text.getvalue().encode()


def _csv_field(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int, float)) or value is None:
        return value
    encoded = msgspec.json.encode(value, enc_hook=str).decode()
    return encoded.strip('"') if isinstance(value, bytes) else encoded


def _json_lines(spec: JobSpec, parts: Sequence[Path]) -> Iterator[bytes]:
    for table in tables_of(parts):
        names = table.column_names
        objects = (dict(zip(names, row, strict=True)) for row in plain_rows(table))
        if spec.family == "jsonl":
            new = appended_names(spec)
            yield b"".join(_added_to(str(row[lines.LINE]), {name: row[name] for name in new}) for row in objects)
        else:
            yield b"".join(msgspec.json.encode(row, enc_hook=str) + b"\n" for row in objects)


def _added_to(line: str, new: dict[str, object]) -> bytes:
    """The line byte for byte, with more fields at its end; a line that is no object becomes the field `line`."""
    try:
        empty = not lines.decoded(line)
    except ValueError:
        return msgspec.json.encode({lines.LINE: line, **new}) + b"\n"
    own = line.rstrip().removesuffix("}").encode()
    return own + (b"" if empty else b",") + msgspec.json.encode(new)[1:] + b"\n"


def _tmx(spec: JobSpec, parts: Sequence[Path]) -> Iterator[bytes]:
    """Through a temporary file: it is written by what writes the memory's, which takes a file."""
    with TemporaryFile() as file:
        write_tmx(items(spec, zip(tables_of(parts), map(_made_at, parts), strict=True)), file)
        file.seek(0)
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk


def _made_at(part: Path) -> int:
    return int(part.stat().st_mtime)

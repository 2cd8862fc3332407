"""CSV in all the forms that shops write it, read as Python's `csv` reads it, but one row at a time.

A record may go over several lines, so its end is found by the rules for quotes: one opens only at the start of a field,
and what follows a closed one belongs to the field as it stands.
"""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import TypeAlias

import pyarrow as pa
from msgspec import Struct

from dragoman.errors import InvalidRequest, UnreadableTable
from dragoman.jobs.spec import CSVDialect, JobSpec, Shard
from dragoman.jobs.tables.base import Range, ShardRows, Survey
from dragoman.jobs.tables.columns import unknown_column
from dragoman.jobs.tables.encodings import Tally, start_of
from dragoman.jobs.tables.ranges import MAX_RECORD_BYTES, Measured, RangeFile, is_wide, lines_of, narrow, ranges

DELIMITERS = ",;\t|"
LINE_ENDS = b"\r\n"
MAX_UNCLOSED = 100
"""So many records whose quote is never closed are read as broken rows; with more it is no CSV."""

Opening: TypeAlias = "Callable[[bytes], re.Match[bytes] | None]"

_SNIFFED_RECORDS = 50
_SNIFFED_BYTES = 1024 * 1024


def records(lines: Iterable[Measured], delimiter: str) -> Iterator[Measured]:
    """Join the lines of one record. A quote that is never closed is given up: its line is a record of its own, and the
    lines after it are read as if it were not there. Raises UnreadableTable where that happens all the time.
    """
    opens = _opening(delimiter)
    source = iter(lines)
    unclosed = 0
    while (line := next(source, None)) is not None:
        if b'"' not in line[0] or opens(line[0]) is None:
            yield line
            continue
        gathered, closed = _gathered(line, source, opens)
        if closed:
            yield b"".join(part for part, _ in gathered), sum(size for _, size in gathered)
            continue
        unclosed += 1
        if unclosed > MAX_UNCLOSED:
            raise UnreadableTable(
                f"The CSV has more than {MAX_UNCLOSED} rows in which a quote is opened and never closed. "
                f"Save it again with a quote at both ends of a field."
            )
        yield line
        source = chain(gathered[1:], source)


def _opening(delimiter: str) -> Opening:
    """Matches a line, or lines, that begin outside of quotes, where a quote is still open at their end.

    Nothing is tried twice (possessive quantifiers), so a field of megabytes takes one pass.
    """
    end = re.escape(delimiter.encode())
    quoted = rb'"[^"]*+(?:""[^"]*+)*+"'
    fields = rb"(?:%b[^%b]*+%b|[^\"%b][^%b]*+%b|%b)*+" % (quoted, end, end, end, end, end, end)
    return re.compile(rb'%b(?!%b)"' % (fields, quoted)).match


def _gathered(first: Measured, source: Iterator[Measured], opens: Opening) -> tuple[list[Measured], bool]:
    """The lines from an opened quote to where all are closed, and whether that was found."""
    gathered, total = [first], first[1]
    for line in source:
        gathered.append(line)
        total += line[1]
        if b'"' in line[0] and opens(b'"' + line[0]) is None:
            return gathered, True
        if total > MAX_RECORD_BYTES:
            break
    return gathered, False


class _Opened(Struct, frozen=True):
    """The head of a file: `rows` begins behind the line of names, all in bytes."""

    path: Path
    codec: str
    size: int
    header: bytes
    rows: int
    delimiter: str

    def names(self, codec: str) -> list[str]:
        text, why = _text(self.header, narrow(codec))
        names, why_not = _fields(text, self.delimiter)
        if why or why_not:
            raise UnreadableTable(f"{self.path}: the line that names the columns is broken: {why or why_not}.")
        repeated = {name for name in names if names.count(name) > 1}
        if repeated:
            listed = ", ".join(sorted(map(repr, repeated)))
            raise UnreadableTable(f"{self.path} has several columns with the same name: {listed}. Rename them.")
        return names


def survey(paths: Sequence[Path], columns: Sequence[str], shard_rows: int, limit: int | None) -> Survey:
    """Go once over the files. Raises InvalidRequest, UnreadableTable."""
    csv.field_size_limit(sys.maxsize)
    opened = [_open(path) for path in paths]
    _check_alike(opened)
    tally = Tally(opened[0].codec, b"".join(one.header for one in opened))
    if not tally.is_legacy:  # else the names can only be read once the encoding is known
        _check_known(columns, opened[0].names(opened[0].codec))
    files = []
    left = limit
    for one in opened:
        found = list(_ranges(one, tally, shard_rows, left)) if left != 0 else []
        files.append(found)
        left = None if left is None else left - sum(piece.rows for piece in found)
    codec = tally.codec(opened[0].path)
    names = opened[0].names(codec)
    _check_known(columns, names)
    return Survey(tuple(names), files, CSVDialect(opened[0].delimiter, codec))


def _check_known(columns: Sequence[str], names: Sequence[str]) -> None:
    for column in columns:
        if column not in names:
            raise unknown_column(column, names)


def _check_alike(opened: Sequence[_Opened]) -> None:
    first = opened[0]
    for other in opened[1:]:
        theirs, ours = (_fields(one.header.decode("latin-1"), one.delimiter)[0] for one in (other, first))
        if (other.delimiter, is_wide(other.codec), theirs) != (first.delimiter, is_wide(first.codec), ours):
            raise InvalidRequest(
                f"{other.path} is not written like {first.path}: columns, delimiter and encoding of all files of a "
                f"job have to be the same. Make a job of each.",
                field="paths",
            )


def _open(path: Path) -> _Opened:
    codec, bom = start_of(path)
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(bom)
        sample = list(_first(lines_of(file, codec, size - bom)))
    if not any(line.strip(LINE_ENDS) for line, _ in sample):
        raise UnreadableTable(f"{path} is empty: its first line has to name the columns.")
    if b"\r" in sample[0][0][:-2] and b"\n" not in sample[0][0]:
        raise UnreadableTable(f"{path} has lines that end in a carriage return alone. Save it with line feeds.")
    delimiter = _delimiter([line for line, _ in sample], default="\t" if path.suffix.lower() == ".tsv" else ",")
    header, taken = _header(records(sample, delimiter))
    return _Opened(path, codec, size, header, bom + taken, delimiter)


def _first(lines: Iterator[Measured]) -> Iterator[Measured]:
    total = 0
    for line in lines:
        yield line
        total += line[1]
        if total > _SNIFFED_BYTES:
            return


def _header(found: Iterator[Measured]) -> tuple[bytes, int]:
    taken = 0
    for record, size in found:
        taken += size
        if record.strip(LINE_ENDS):
            return record, taken
    raise AssertionError("This is a bug: a file of blank lines was taken for a table.")


def _delimiter(sample: Sequence[bytes], default: str) -> str:
    """The one with which most records have as many fields as the header, and then the one that gives most fields."""

    def score(delimiter: str) -> tuple[int, int, bool]:
        found = records(((line, len(line)) for line in sample), delimiter)
        widths = [
            len(_fields(record.decode("latin-1"), delimiter)[0])
            for record, _ in islice(found, _SNIFFED_RECORDS)
            if record.strip(LINE_ENDS)
        ]
        alike = widths.count(widths[0]) if widths[0] > 1 else 0
        return alike, widths[0], delimiter == default

    return max(DELIMITERS, key=score)


def _ranges(one: _Opened, tally: Tally, shard_rows: int, limit: int | None) -> Iterator[Range]:
    with one.path.open("rb") as file:
        file.seek(one.rows)
        found = records(lines_of(file, one.codec, one.size - one.rows), one.delimiter)
        yield from ranges(tally.seen(found), one.rows, shard_rows=shard_rows, limit=limit, spaces=LINE_ENDS)


def _fields(record: str, delimiter: str) -> tuple[list[str], str | None]:
    """The fields of a record, and why they are not to be trusted."""
    try:
        return next(csv.reader([record], delimiter=delimiter)), None
    except csv.Error:
        return record.rstrip("\r\n").split(delimiter), "a carriage return stands outside of quotes"


def header(path: Path, dialect: CSVDialect) -> list[str]:
    """The names of a file's columns. Raises UnreadableTable."""
    return _open(path).names(dialect.encoding)


class DelimitedCursor:
    """Reads the shards of one CSV file."""

    def __init__(self, spec: JobSpec, path: Path) -> None:
        csv.field_size_limit(sys.maxsize)
        self._columns = spec.columns
        self._delimiter = spec.csv.delimiter
        self._codec = narrow(spec.csv.encoding)
        self._opens = _opening(self._delimiter)
        self._names = header(path, spec.csv)
        self._file = RangeFile(path, spec.csv.encoding)

    def read(self, shard: Shard) -> ShardRows:
        """Every column as a string, exactly as written. Raises InputChanged, UnreadableTable."""
        rows: list[list[str | None]] = []
        broken: dict[int, str] = {}
        for record, position in self._file.records(shard, partial(records, delimiter=self._delimiter), LINE_ENDS):
            fields, why = self._row(record)
            if why is not None:
                broken[len(rows)] = f"{self._file.place(position)}: {why}"
            rows.append(fields)
        carried = pa.table(
            [pa.array(column, pa.string()) for column in zip(*rows, strict=True)],
            schema=pa.schema([(name, pa.string()) for name in self._names]),
        )
        return ShardRows(carried, {column: carried.column(column).to_pylist() for column in self._columns}, broken)

    def _row(self, record: bytes) -> tuple[list[str | None], str | None]:
        """The fields of a record, as many as there are names, and why they are not to be trusted."""
        text, why = _text(record, self._codec)
        fields, why_not = _fields(text, self._delimiter)
        why = why or why_not
        if self._is_unclosed(record, fields):
            why = why or "a quote is opened and never closed"
        if len(fields) != len(self._names):
            why = why or f"{len(fields)} fields where the header has {len(self._names)}"
            return self._fitted(fields), why
        return [*fields], why

    def _is_unclosed(self, record: bytes, fields: list[str]) -> bool:
        """An open quote takes the line's end into the last field, or there is none at the end of the file."""
        may_be = fields[-1].endswith("\n") or not record.endswith(b"\n")
        return may_be and self._opens(record) is not None

    def _fitted(self, fields: list[str]) -> list[str | None]:
        """Null for what is missing; what is too much stays in the last field."""
        width = len(self._names)
        if len(fields) > width:
            return [*fields[: width - 1], self._delimiter.join(fields[width - 1 :])]
        return [*fields, *[None] * (width - len(fields))]

    def close(self) -> None:
        self._file.close()


def _text(record: bytes, codec: str) -> tuple[str, str | None]:
    try:
        return record.decode(codec), None
    except UnicodeDecodeError as error:
        why = f"not {codec.upper()} ({error.reason} 0x{record[error.start]:02X})"
        return record.decode(codec, "backslashreplace"), why

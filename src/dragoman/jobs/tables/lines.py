"""JSON Lines: one object a line, read one by one, so that a broken line is a broken row and no more."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
import pyarrow as pa

from dragoman.errors import UnreadableTable
from dragoman.jobs.spec import JobSpec, Shard
from dragoman.jobs.tables.base import Range, ShardRows, Survey, appended_names
from dragoman.jobs.tables.columns import no_text, unknown_column
from dragoman.jobs.tables.encodings import start_of
from dragoman.jobs.tables.ranges import Measured, RangeFile, is_wide, lines_of, ranges

LINE = "line"
SCHEMA = pa.schema([(LINE, pa.string())])
SPACES = b" \t\r\n"

_LOOKED_AT = 100
_NAMED_DEPTH = 5


def decoded(line: str | bytes) -> dict[str, object]:
    """The object of a line. Raises ValueError, with words for people, for anything else."""
    try:
        value = msgspec.json.decode(line)
    except (msgspec.DecodeError, RecursionError):
        value = _leniently_decoded(line)
    if not isinstance(value, dict):
        raise ValueError(f"not a JSON object but {_kind(value)}")
    return value


def _leniently_decoded(line: str | bytes) -> object:
    """Many programs write NaN, and half of a surrogate pair in a field that is not ours does no harm."""
    try:
        return json.loads(line)
    except RecursionError:
        raise ValueError("not JSON that can be read: it is nested too deep") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 ({error.reason} at byte {error.start})") from error
    except ValueError as error:
        raise ValueError(f"not JSON: {error}") from error


def text_of(fields: Mapping[str, object], path: str) -> str | None:
    """The text at a path, None where there is none. Raises ValueError, with words for people, for what is no text."""
    value = _value(fields, path)
    if value is None:
        return None
    if not isinstance(value, str):
        raise ValueError(f"{path} is no text but {_kind(value)}")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{path} holds half of a surrogate pair at character {error.start}") from error
    return value


def _value(fields: Mapping[str, object], path: str) -> object:
    if path in fields:
        return fields[path]
    head, dot, rest = path.partition(".")
    inner = fields.get(head) if dot else None
    if inner is None:
        return None
    if not isinstance(inner, dict):
        raise ValueError(f"{head} is no object but {_kind(inner)}")
    return _value(inner, rest)


def _kind(value: object) -> str:
    names: dict[type, str] = {
        dict: "an object", list: "an array", bool: "true or false", int: "a number", float: "a number", str: "a string"
    }  # fmt: skip
    return names.get(type(value), "null")


class _Seen:
    """What lines hold, while they go by: names and texts of the first ones, and each column until it is seen."""

    def __init__(self, columns: Sequence[str]) -> None:
        self.names: dict[str, None] = {}
        self._missing = dict.fromkeys(columns, "")
        self._texts: set[str] = set()
        self._lines = 0

    def seen(self, lines: Iterable[Measured]) -> Iterator[Measured]:
        for line in lines:
            if self._lines < _LOOKED_AT or self._missing:
                self._look_at(line[0])
            yield line

    def _look_at(self, line: bytes) -> None:
        try:
            fields = decoded(line)
        except ValueError:
            return  # it will be a broken row
        self._lines += 1
        if self._lines <= _LOOKED_AT:
            self.names.update(dict.fromkeys(fields))
            self._texts.update(_text_paths(fields))
        for column in list(self._missing):
            self._look_for(column, fields)

    def _look_for(self, column: str, fields: dict[str, object]) -> None:
        try:
            if text_of(fields, column) is not None:
                del self._missing[column]
        except ValueError as error:
            self._missing[column] = str(error)

    def check(self) -> None:
        """Raises InvalidRequest for a column that no line has as a text; without any line nothing is known."""
        for column, why in self._missing.items():
            if why:
                raise no_text(column, why.rpartition(" but ")[2], self._texts)
            if self._lines:
                raise unknown_column(column, self._texts)


def _text_paths(fields: Mapping[str, object], before: str = "", depth: int = 0) -> Iterator[str]:
    """The paths of texts, for people: those that stand very deep are not named."""
    for name, value in fields.items():
        if isinstance(value, dict) and depth < _NAMED_DEPTH:
            yield from _text_paths(value, f"{before}{name}.", depth + 1)
        elif isinstance(value, str):
            yield before + name


def survey(paths: Sequence[Path], columns: Sequence[str], shard_rows: int, limit: int | None) -> Survey:
    """Go once over the files. Raises InvalidRequest, UnreadableTable."""
    seen = _Seen(columns)
    files = []
    left = limit
    for path in paths:
        found = list(_ranges(path, seen, shard_rows, left)) if left != 0 else []
        files.append(found)
        left = None if left is None else left - sum(one.rows for one in found)
    seen.check()
    return Survey(tuple(seen.names), files)


def _ranges(path: Path, seen: _Seen, shard_rows: int, limit: int | None) -> Iterator[Range]:
    codec, bom = start_of(path)
    if is_wide(codec):
        raise UnreadableTable(f"{path} is {codec.upper()}, and JSON Lines are UTF-8. Save it so.", field="paths")
    with path.open("rb") as file:
        file.seek(bom)
        lines = lines_of(file, codec, path.stat().st_size - bom)
        yield from ranges(seen.seen(lines), bom, shard_rows=shard_rows, limit=limit, spaces=SPACES)


class LinesCursor:
    """Reads the shards of one JSON Lines file."""

    def __init__(self, spec: JobSpec, path: Path) -> None:
        self._columns = spec.columns
        self._appended = appended_names(spec)
        self._file = RangeFile(path, "utf-8")

    def read(self, shard: Shard) -> ShardRows:
        """One column that holds the lines. Raises InputChanged, UnreadableTable."""
        lines: list[str] = []
        texts: dict[str, list[str | None]] = {column: [] for column in self._columns}
        broken = {}
        for raw, position in self._file.records(shard, iter, SPACES):
            line, found, why = self._row(raw.rstrip(b"\r\n"))
            if why is not None:
                broken[len(lines)] = f"{self._file.place(position)}: {why}"
            lines.append(line)
            for column, text in zip(self._columns, found, strict=True):
                texts[column].append(text)
        return ShardRows(pa.table([pa.array(lines, pa.string())], schema=SCHEMA), texts, broken)

    def _row(self, raw: bytes) -> tuple[str, Sequence[str | None], str | None]:
        """A line, its texts, and why it cannot be read."""
        try:
            fields = decoded(line := raw.decode())
            self._check_names(fields)
            return line, [text_of(fields, column) for column in self._columns], None
        except UnicodeDecodeError as error:
            why = f"not UTF-8 ({error.reason} at byte {error.start})"
        except ValueError as error:
            why = str(error)
        return raw.decode(errors="backslashreplace"), [None] * len(self._columns), why

    def _check_names(self, fields: Mapping[str, object]) -> None:
        taken = [name for name in self._appended if name in fields]
        if taken:
            raise ValueError(f"it has a field {taken[0]!r} already, where its translation was to go")

    def close(self) -> None:
        self._file.close()


def texts(table: pa.Table, path: str) -> list[str | None]:
    """The texts of a part's lines, None for a line that is broken."""
    return [_text_or_none(line, path) for line in table.column(LINE).to_pylist()]


def _text_or_none(line: str, path: str) -> str | None:
    try:
        return text_of(decoded(line), path)
    except ValueError:
        return None

"""Columns of an Arrow table by path, through structs: which there are, and their texts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from dragoman.errors import InvalidRequest

MOST_NAMED = 30


def unknown_column(column: str, names: Collection[str]) -> InvalidRequest:
    """The error for a path that does not exist."""
    return InvalidRequest(
        f"There is no column {column!r}. Those that can be translated: {_listed(names)}.",
        field="columns",
        accepted=sorted(names)[:MOST_NAMED],
    )


def no_text(column: str, kind: str, names: Collection[str]) -> InvalidRequest:
    """The error for a path that exists and holds no text."""
    return InvalidRequest(
        f"The column {column!r} holds no text but {kind}. Those that can be translated: {_listed(names)}.",
        field="columns",
        accepted=sorted(names)[:MOST_NAMED],
    )


def _listed(names: Collection[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return (", ".join(sorted(names)[:MOST_NAMED]) or "none") + more


def find(fields: Iterable[pa.Field], path: str) -> list[pa.Field] | None:
    """The fields that a path leads through, the last one the column itself; a name with dots in it goes first."""
    by_name = {field.name: field for field in fields}
    if path in by_name:
        return [by_name[path]]
    head, dot, rest = path.partition(".")
    if not dot or head not in by_name or not pa.types.is_struct(by_name[head].type):
        return None
    inner = find(by_name[head].type, rest)
    return None if inner is None else [by_name[head], *inner]


def text_paths(fields: Iterable[pa.Field], before: str = "") -> Iterator[str]:
    """The paths of all texts."""
    for field in fields:
        if pa.types.is_struct(field.type):
            yield from text_paths(field.type, f"{before}{field.name}.")
        elif is_text(field.type):
            yield before + field.name


def is_text(kind: pa.DataType) -> bool:
    """Whether a type holds texts, also where they are written as a dictionary."""
    plain = kind.value_type if pa.types.is_dictionary(kind) else kind
    return any(is_kind(plain) for is_kind in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view))


def texts(table: pa.Table, path: str) -> tuple[list[str | None], dict[int, str]]:
    """The texts of a column, and by row why one cannot be decoded; it is None then."""
    fields = find(table.schema, path)
    if fields is None:
        raise AssertionError(f"This is a bug: the column {path!r} is not in the table.")
    column = table.column(fields[0].name)
    for field in fields[1:]:
        column = pc.struct_field(column, [field.name])
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    try:
        whole: list[str | None] = column.to_pylist()
    except UnicodeDecodeError:
        return _decoded(column.cast(pa.large_binary()).to_pylist(), path)
    return whole, {}


def _decoded(values: list[bytes | None], path: str) -> tuple[list[str | None], dict[int, str]]:
    found: list[str | None] = []
    broken = {}
    for row, value in enumerate(values):
        try:
            found.append(None if value is None else value.decode())
        except UnicodeDecodeError as error:
            found.append(None)
            broken[row] = f"{path} is not UTF-8 ({error.reason} at byte {error.start})"
    return found, broken

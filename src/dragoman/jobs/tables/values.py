"""Values of Arrow tables as plain Python ones, whatever their types and bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pyarrow as pa


def plain_rows(table: pa.Table) -> Iterator[tuple[object, ...]]:
    """The rows. Times are written out as Arrow does, and bytes that are not UTF-8 by their number, as Python does."""
    return zip(*map(_plain, table.columns), strict=True)


def _plain(column: pa.ChunkedArray) -> list[object]:
    readable = _cast(column, _written)
    try:
        values: list[object] = readable.to_pylist()
    except UnicodeDecodeError:
        return [_decoded(value) for value in _cast(readable, _as_bytes).to_pylist()]
    return values


def _cast(column: pa.ChunkedArray, change: Callable[[pa.DataType], pa.DataType]) -> pa.ChunkedArray:
    wanted = _changed(column.type, change)
    return column if wanted == column.type else column.cast(wanted)


def _changed(kind: pa.DataType, change: Callable[[pa.DataType], pa.DataType]) -> pa.DataType:
    """The type with all that it consists of changed."""
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(field.name, _changed(field.type, change)) for field in kind])
    if pa.types.is_list(kind):
        return pa.list_(_changed(kind.value_type, change))
    if pa.types.is_large_list(kind):
        return pa.large_list(_changed(kind.value_type, change))
    return change(kind)


def _written(kind: pa.DataType) -> pa.DataType:
    """Python has no nanoseconds, and a dictionary is how a value is stored and not what it is."""
    if pa.types.is_dictionary(kind):
        return _written(kind.value_type)
    return pa.string() if pa.types.is_temporal(kind) else kind


def _as_bytes(kind: pa.DataType) -> pa.DataType:
    is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    return pa.large_binary() if is_text else kind


def _decoded(value: object) -> object:
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace")
    if isinstance(value, dict):
        return {name: _decoded(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_decoded(inner) for inner in value]
    return value

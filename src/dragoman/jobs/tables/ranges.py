"""Text files by ranges of bytes: their lines, where a shard of them ends, and which line a byte stands in."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, TypeAlias

from dragoman.errors import UnreadableTable
from dragoman.jobs.spec import Shard
from dragoman.jobs.tables.base import SHARD_BYTES, Range, other_rows

Measured: TypeAlias = "tuple[bytes, int]"
"""A line or record, as bytes in which ASCII is ASCII, and how many bytes of the file it takes."""
Split: TypeAlias = "Callable[[Iterable[Measured]], Iterator[Measured]]"
"""From lines to records."""

MAX_RECORD_BYTES = 32 * 1024 * 1024

_CHUNK_BYTES = 1024 * 1024  # a multiple of four, so that no unit of UTF-16 or UTF-32 is cut
_BYTES_OF_ONE = {"utf-16-le": 2, "utf-16-be": 2, "utf-32-le": 4, "utf-32-be": 4}


def is_wide(codec: str) -> bool:
    """Whether a letter of ASCII takes more than one byte."""
    return codec in _BYTES_OF_ONE


def narrow(codec: str) -> str:
    """The codec of lines as `lines_of` gives them: wide ones become UTF-8."""
    return "utf-8" if is_wide(codec) else codec


def lines_of(file: BinaryIO, codec: str, length: int) -> Iterator[Measured]:
    """The lines of the next `length` bytes, each with its line feed. Raises UnreadableTable for one without end."""
    return _wide_lines(file, codec, length) if is_wide(codec) else _narrow_lines(file, length)


def _narrow_lines(file: BinaryIO, left: int) -> Iterator[Measured]:
    while line := file.readline(min(left, MAX_RECORD_BYTES)):
        size = len(line)
        if size == MAX_RECORD_BYTES and not line.endswith(b"\n"):
            raise _endless(file)
        left -= size
        yield line, size


def _wide_lines(file: BinaryIO, codec: str, left: int) -> Iterator[Measured]:
    """Half of a surrogate pair stays what it is, so that the sizes are right; the row will say that it is broken."""
    rest = ""
    while chunk := file.read(min(left, _CHUNK_BYTES)):
        left -= len(chunk)
        *lines, rest = (rest + _decoded(file, chunk, codec)).split("\n")
        if len(rest) > MAX_RECORD_BYTES:
            raise _endless(file)
        yield from (_measured(line + "\n", codec) for line in lines)
    if rest:
        yield _measured(rest, codec)


def _decoded(file: BinaryIO, chunk: bytes, codec: str) -> str:
    try:
        return "".join(_halves(chunk, codec))
    except UnicodeDecodeError as error:
        raise UnreadableTable(
            f"{file.name} is not whole {codec.upper()} ({error.reason}). Save it as UTF-8 and plan the job again."
        ) from error


def _halves(chunk: bytes, codec: str) -> Iterator[str]:
    """A chunk may end between the halves of a pair; each half then stands for itself until they are encoded again."""
    unit = _BYTES_OF_ONE[codec]
    if len(chunk) % unit == 0:
        head, last = chunk[:-unit], chunk[-unit:]
        yield head.decode(codec, "surrogatepass")
        yield last.decode(codec, "surrogatepass")
    else:
        yield chunk.decode(codec, "surrogatepass")


def _measured(line: str, codec: str) -> Measured:
    raw = line.encode(codec, "surrogatepass")
    return raw.decode(codec, "surrogatepass").encode("utf-8", "surrogatepass"), len(raw)


def _endless(file: BinaryIO) -> UnreadableTable:
    return UnreadableTable(
        f"{file.name} has a line of more than {MAX_RECORD_BYTES // 1024**2} MiB. Is it a table, with a row a line?"
    )


def ranges(
    records: Iterable[Measured], offset: int, *, shard_rows: int, limit: int | None, spaces: bytes
) -> Iterator[Range]:
    """Cut records, the first of which begins at `offset`, into ranges. What holds nothing but `spaces` is no row."""
    start = position = offset
    rows = total = 0
    for record, size in records:
        position += size
        if not record.strip(spaces):
            continue
        rows += 1
        total += 1
        if rows == shard_rows or position - start >= SHARD_BYTES or total == limit:
            yield Range(rows, start, position)
            start, rows = position, 0
        if total == limit:
            return
    if rows:
        yield Range(rows, start, position)


class RangeFile:
    """A text file that is read by ranges. State: the open file, and how many lines were counted up to which byte."""

    def __init__(self, path: Path, codec: str) -> None:
        self.path = path
        self._codec = codec
        self._file = path.open("rb")
        self._counted = (0, 0)

    def records(self, shard: Shard, split: Split, spaces: bytes) -> list[tuple[bytes, int]]:
        """The records of a shard, each with the byte at which it begins. Raises InputChanged, UnreadableTable."""
        try:
            found, end = self._found(shard, split, spaces)
        except OSError as error:
            raise UnreadableTable(f"{self.path}, bytes {shard.offset} to {shard.end}: {error.strerror}.") from error
        if end != shard.end or len(found) != shard.rows:
            raise other_rows(self.path, shard)
        return found

    def _found(self, shard: Shard, split: Split, spaces: bytes) -> tuple[list[tuple[bytes, int]], int]:
        self._file.seek(shard.offset)
        found = []
        position = shard.offset
        for record, size in split(lines_of(self._file, self._codec, shard.end - shard.offset)):
            if record.strip(spaces):
                found.append((record, position))
            position += size
        return found, position

    def place(self, position: int) -> str:
        """File and line of a byte, for people. It counts on from the byte that was asked for before, if it can."""
        counted, lines = self._counted if self._counted[0] <= position else (0, 0)
        self._file.seek(counted)
        lines += sum(self._line_feeds(position - counted))
        self._counted = (position, lines)
        return f"{self.path.name}, line {lines + 1}"

    def _line_feeds(self, left: int) -> Iterator[int]:
        while chunk := self._file.read(min(left, _CHUNK_BYTES)):
            left -= len(chunk)
            wide = is_wide(self._codec)
            yield codecs.decode(chunk, self._codec, "replace").count("\n") if wide else chunk.count(b"\n")

    def close(self) -> None:
        self._file.close()

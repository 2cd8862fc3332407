"""In which encoding a CSV file is written: told by its first bytes, or by all its lines that are not UTF-8."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from dragoman.documents import encoding
from dragoman.errors import InvalidRequest, UnreadableTable
from dragoman.jobs.tables.ranges import Measured, is_wide

_HEAD_BYTES = 4096
_SAMPLE_BYTES = 50_000
_FEW_LINES = 2
"""From so many lines that are not UTF-8 on a file may be in another encoding; fewer are broken rows."""


def start_of(path: Path) -> tuple[str, int]:
    """The codec as far as the first bytes tell it, UTF-8 where they do not, and how long the byte order mark is."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    for bom, codec in encoding.BOMS.items():
        if head.startswith(bom):
            return codec, len(bom)
    return (_wide(head) or "utf-8"), 0


def _wide(head: bytes) -> str | None:
    """UTF-16 without a mark, by its first line. Odd zero bytes may also stand in UTF-8, so it has to be all of it."""
    line = head[: (head.find(b"\n") | 1) + 1] if b"\n" in head else head
    if b"\0" not in line:
        return None
    try:
        codec = encoding.decode(line)[1].codec
    except InvalidRequest:
        return None
    return codec if is_wide(codec) else None


class Tally:
    """Counts the records that are UTF-8 and those that are not while a file goes by, and keeps some to guess from."""

    def __init__(self, codec: str, header: bytes) -> None:
        self._codec = codec
        self._utf_8 = self._other = 0
        self.is_legacy = not _is_utf_8(header)
        """Whether the names of the columns are not UTF-8, so that no row can be either."""
        self._plain_sample = bytearray()
        self._other_sample = bytearray(header if self.is_legacy else b"")

    def seen(self, records: Iterable[Measured]) -> Iterator[Measured]:
        for record in records:
            line = record[0]
            if not line.isascii():
                self._count(line)
            elif len(self._plain_sample) < _SAMPLE_BYTES:
                self._plain_sample += line
            yield record

    def _count(self, line: bytes) -> None:
        if _is_utf_8(line):
            self._utf_8 += 1
            return
        self._other += 1
        if len(self._other_sample) < _SAMPLE_BYTES:
            self._other_sample += line

    def codec(self, path: Path) -> str:
        """The codec of the whole. Raises UnreadableTable where it is not UTF-8 and cannot be told."""
        if is_wide(self._codec) or not (self.is_legacy or self._other >= max(_FEW_LINES, self._utf_8 + 1)):
            return self._codec
        return _legacy(bytes(self._other_sample), bytes(self._plain_sample), path)


def _is_utf_8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _legacy(lines: bytes, context: bytes, path: Path) -> str:
    codec = encoding.legacy_codec(lines, context) or encoding.WESTERN
    try:
        lines.decode(codec)
    except UnicodeDecodeError as error:
        raise UnreadableTable(
            f"{path} is not UTF-8, and its encoding cannot be told. Save it as UTF-8.", field="paths"
        ) from error
    return codec

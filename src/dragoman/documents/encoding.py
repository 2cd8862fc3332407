"""Bytes to text and back: a document keeps its encoding, and what is not translated comes back byte for byte."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from dragoman.errors import InvalidRequest
from dragoman.text.detect import detect

BOMS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",  # before UTF-16, whose mark begins the same
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
SAMPLE_BYTES = 100_000
"""How much of a document its encoding is guessed from."""

# In texts of a few words letters alone do not tell these apart, so the language has to; Western is what is left.
_LATIN = {
    "cp1254": {"az", "tr"},
    "cp1257": {"et", "lt", "lv"},
    "cp1250": {"bs", "cs", "hr", "hu", "pl", "ro", "sk", "sl", "sq", "sr"},
}
WESTERN = "cp1252"
# What files are really written in: a guess from little text may be any of a hundred.
_COMMON = {
    "cp1251", "cp1253", "cp1255", "cp1256", "cp1258", "iso8859_2", "iso8859_5", "iso8859_7", "iso8859_9", "iso8859_15",
    "koi8_r", "koi8_u", "cp932", "shift_jis", "euc_jp", "euc_kr", "cp949", "gbk", "gb2312", "gb18030", "big5", "cp950",
    "mac_roman",
}  # fmt: skip
_MANY = 0.3
_CALLED_LATIN_1 = ("iso8859-1", "ascii")


class Encoding(Struct, frozen=True):
    """How a document's characters are written.

    Where a translation has letters that `codec` lacks, HTML and XML write them as references; any other document
    becomes UTF-8 with a byte order mark, by which programs that expect the old encoding see the change.
    """

    codec: str
    bom: bytes = b""
    lacking: Literal["utf-8", "references"] = "utf-8"

    def encode(self, text: str) -> bytes:
        """The bytes of a text."""
        if self.lacking == "references":
            return self.bom + text.encode(self.codec, errors="xmlcharrefreplace")
        try:
            return self.bom + text.encode(self.codec)
        except UnicodeEncodeError:
            return codecs.BOM_UTF8 + text.encode()


def decode(
    data: bytes, declared: str | None = None, lacking: Literal["utf-8", "references"] = "utf-8"
) -> tuple[str, Encoding]:
    """The text of a document and the encoding that gives the same bytes again.

    A byte order mark goes before what the document `declared`, that before UTF-8, and that before a guess. Raises
    InvalidRequest for what is no text.
    """
    bom = next((mark for mark in BOMS if data.startswith(mark)), b"")
    body = data[len(bom) :]
    for codec in [BOMS[bom]] if bom else _candidates(body, declared):
        text = _decoded(body, codec)
        if text is not None:
            return text, Encoding(codec, bom, lacking)
    raise InvalidRequest("The document is no text in an encoding that can be told; save it as UTF-8.", field="file")


def _candidates(data: bytes, declared: str | None) -> Iterator[str]:
    if declared is not None:
        yield from _meant(declared)
    if b"\0" in data:
        yield from _utf_16(data)
        return
    yield "utf-8"
    yield from _guessed(data)


def _meant(declared: str) -> Iterator[str]:
    """Browsers read Windows-1252 where a page says Latin-1 or ASCII, so that is what its author saw."""
    try:
        name = codecs.lookup(declared).name
    except (LookupError, ValueError):
        return
    yield from ("cp1252", "latin-1") if name in _CALLED_LATIN_1 else (name,)


def _utf_16(data: bytes) -> Iterator[str]:
    """UTF-16 without a mark, by where the zero bytes of its Latin letters stand; other bytes with zeros are no text."""
    half = len(data) / 2
    for codec, zeros, others in (("utf-16-le", data[1::2], data[::2]), ("utf-16-be", data[::2], data[1::2])):
        if zeros.count(0) > _MANY * half > others.count(0):
            yield codec


def _guessed(data: bytes) -> Iterator[str]:
    lines = data[:SAMPLE_BYTES].splitlines(keepends=True)
    telling = b"".join(line for line in lines if not line.isascii())
    codec = legacy_codec(telling, b"".join(line for line in lines if line.isascii()))
    if codec is not None:
        yield codec


def legacy_codec(lines: bytes, context: bytes) -> str | None:
    """The codec of lines that are neither ASCII nor UTF-8, `context` being others of the same file; None for what looks
    like no text.
    """
    from charset_normalizer import from_bytes  # a tenth of a second to import

    guesses = from_bytes(lines + context)  # the best first
    best = guesses.best()
    if best is None:
        return None
    if best.encoding in _COMMON:
        return best.encoding
    as_good = (one.encoding for one in guesses if one.chaos <= best.chaos and one.coherence)
    return next((codec for codec in as_good if codec in _COMMON), None) or _latin(lines)


def _latin(lines: bytes) -> str:
    for codec, languages in _LATIN.items():
        if _language(lines.decode(codec, "replace")) in languages:
            return codec
    return WESTERN


def _language(text: str) -> str | None:
    try:
        return detect(text).language
    except InvalidRequest:
        return None


def _decoded(data: bytes, codec: str) -> str | None:
    """The text, if these are the bytes that it would be written as: some codecs read several forms of one letter."""
    try:
        text = data.decode(codec)
        return text if text.encode(codec) == data else None
    except (UnicodeError, LookupError, TypeError, AttributeError):  # what a codec that is not of text raises
        return None

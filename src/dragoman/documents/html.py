"""HTML pages: each block, and each attribute that people read, is a passage; the rest stays byte for byte."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial

from dragoman.documents.base import Document, Piece, as_it_is, passage
from dragoman.documents.encoding import decode
from dragoman.text.markup import read_html
from dragoman.text.parts import as_it_was

DECLARED_WITHIN_BYTES = 1_024
"""Where HTML's standard has a page declare its encoding."""

_DECLARED = re.compile(rb"""<(?:meta\b[^>]*\bcharset|\?xml\b[^>]*\bencoding)\s*=\s*["']?([\w.:-]+)""", re.I)
_QUOTES = {'"': "&quot;", "'": "&#39;"}


def read(data: bytes) -> Document:
    """Read a page or a fragment. Raises InvalidRequest for what is no text."""
    found = _DECLARED.search(data, 0, DECLARED_WITHIN_BYTES)
    text, encoding = decode(data, found[1].decode("ascii") if found else None, "references")
    return Document(pieces=tuple(_pieces(text)), encoding=encoding, format="html")


def _pieces(text: str) -> Iterator[Piece]:
    before = ""
    for part in read_html(text):
        if isinstance(part, str):
            yield part
        else:
            yield passage(as_it_was(part), put=_in_attribute(before[-1:]))
        before = part if isinstance(part, str) else ""


def _in_attribute(quote: str) -> Callable[[str], str]:
    """How to put words after a quote: they are read and written as those of a block, where quotes mean nothing."""
    return partial(_without, quote=quote) if quote in _QUOTES else as_it_is


def _without(words: str, quote: str) -> str:
    return words.replace(quote, _QUOTES[quote])

"""JSON, as programs keep their words in: every string that is a value is a passage; keys and layout stay."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import partial

import msgspec

from dragoman.documents.base import Document, Piece, passage
from dragoman.documents.encoding import decode
from dragoman.errors import InvalidRequest

_STRING = re.compile(r'"(?:[^"\\]|\\.)*+"(?P<of_key>\s*+:)?')


def read(data: bytes) -> Document:
    """Read JSON. Raises InvalidRequest where it is none."""
    text, encoding = decode(data)
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidRequest(f"The document is not JSON: {error}.", field="file") from None
    return Document(pieces=tuple(_pieces(text)), encoding=encoding)


def _pieces(text: str) -> Iterator[Piece]:
    # A file that spells é as \u00e9 is meant to be plain ASCII.
    spell = partial(json.dumps, ensure_ascii=text.isascii() and "\\u" in text)
    at = 0
    for found in _STRING.finditer(text):
        if found["of_key"] is None:
            yield text[at : found.start()]
            yield passage(found[0], msgspec.json.decode(found[0], type=str), spell)
            at = found.end()
    yield text[at:]

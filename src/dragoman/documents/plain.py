"""Plain text: each line is a passage, and so is a paragraph whose lines were broken to a width.

That lines were broken to a width, as in mail and in many readme files, is seen from the lines themselves: the first
word of each would not have fitted on the line before, and a sentence goes on from one line to the next. Such a
paragraph is translated as a whole and broken again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial

from dragoman.documents.base import Document, Piece, passage
from dragoman.documents.encoding import decode
from dragoman.documents.lines import on_one_line, width_of, wrapped

LEAST_WIDTH, MOST_WIDTH = 50, 100
"""Columns of a paragraph that somebody broke to a width: shorter lines are verses or lists, longer ones are not."""

MOST_CHARACTERS = 5_000
"""Of one passage; a longer line is cut after a sentence or a word, so that requests stay small."""

_LINE = re.compile(r"([^\r\n]*+)(\r\n|\r|\n|\Z)")
_STARTS_AN_ITEM = re.compile(r"\s|[-*+•>|#]|\(?\w{1,3}[.)]\s")
_ENDS_A_SENTENCE = re.compile(r"[.!?:;…。！？：][\"'”’»)\]]*\s*\Z")
_LONG = re.compile(
    rf".{{1,{MOST_CHARACTERS}}}(?:[.!?。！？]\s*|\Z)|.{{1,{MOST_CHARACTERS}}}(?:\s+|\Z)|.{{1,{MOST_CHARACTERS}}}"
)

Line = tuple[str, str]
"""The words of a line and what ends it."""


def read(data: bytes) -> Document:
    """Read a plain text. Raises InvalidRequest for what is no text."""
    text, encoding = decode(data)
    return Document(pieces=tuple(_pieces(text)), encoding=encoding)


def _pieces(text: str) -> Iterator[Piece]:
    for paragraph in _paragraphs(text):
        if (width := _broken_at(paragraph)) is not None:
            yield from _as_a_whole(paragraph, width)
        else:
            for words, end in paragraph:
                yield from map(passage, _LONG.findall(words))
                yield end


def _paragraphs(text: str) -> Iterator[list[Line]]:
    """Lines that stand together; a blank line is one of its own."""
    lines: list[Line] = []
    for found in _LINE.finditer(text):
        if lines and not (found[1].strip() and lines[-1][0].strip()):
            yield lines
            lines = []
        lines.append((found[1], found[2]))
    yield lines


def _broken_at(paragraph: Sequence[Line]) -> int | None:
    """The width to which a paragraph's lines were broken, None where they were not."""
    lines = [words for words, _ in paragraph]
    if all(map(_ENDS_A_SENTENCE.search, lines[:-1])) or any(map(_STARTS_AN_ITEM.match, lines)):
        return None
    widths = [width_of(words.rstrip()) for words in lines]
    width = max(widths)
    if not LEAST_WIDTH <= width <= MOST_WIDTH:
        return None
    next_words = (words.split(maxsplit=1)[0] for words in lines[1:])
    fits = (before + 1 + width_of(word) <= width for before, word in zip(widths, next_words, strict=False))
    return None if any(fits) else width


def _as_a_whole(paragraph: Sequence[Line], width: int) -> Iterator[Piece]:
    ends = [end for _, end in paragraph]
    source = "".join(words + end for words, end in paragraph).removesuffix(ends[-1])
    yield passage(source, on_one_line([words for words, _ in paragraph]), partial(_broken, width=width, end=ends[0]))
    yield ends[-1]


def _broken(translation: str, width: int, end: str) -> str:
    return end.join(wrapped(translation, width))

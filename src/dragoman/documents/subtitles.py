"""SubRip (.srt) and WebVTT (.vtt): the words of each subtitle are a passage; numbers, times and settings stay.

The lines of a subtitle are one sentence broken to fit, so they are translated as one text and broken again into as
many lines of like length. Where a line begins with a dash somebody else speaks, and it is a passage of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial

from dragoman.documents.base import Document, Piece, passage
from dragoman.documents.encoding import decode
from dragoman.documents.lines import in_lines, on_one_line

MARKS = (r"</?(?:v|c|lang|ruby|rt)\b[^<>]*>", r"<[\d:.]+>", r"\{\\[^{}]*\}")
"""What WebVTT has beside HTML's tags (voices, classes, languages, times), and what players put into SubRip."""

_LINE = re.compile(r"([^\r\n]*+)(\r\n|\r|\n|\Z)")
_TIME = r"(?:\d+:)?\d{1,2}:\d{1,2}[,.]\d{1,3}"
_TIMES = re.compile(rf"\s*{_TIME}\s*-->\s*{_TIME}")
_RIM = re.compile(r"\s*(?:<v\b[^<>]*>|\{\\[^{}]*\}|\s)*+")
_SPEAKER = re.compile(r"\s*(?:<[^<>]*>|\{\\[^{}]*\}|\s)*[-–—]")

Line = tuple[str, str]


def read(data: bytes) -> Document:
    """Read subtitles. Raises InvalidRequest for what is no text."""
    text, encoding = decode(data)
    lines = [(found[1], found[2]) for found in _LINE.finditer(text)]
    return Document(pieces=tuple(_pieces(lines)), encoding=encoding, protect=MARKS)


def _pieces(lines: Sequence[Line]) -> Iterator[Piece]:
    at = 0
    while at < len(lines):
        yield "".join(lines[at])
        at += 1
        if _TIMES.match(lines[at - 1][0]):
            end = _end_of_words(lines, at)
            for spoken in _speeches(lines[at:end]):
                yield from _speech(spoken)
            at = end


def _end_of_words(lines: Sequence[Line], start: int) -> int:
    """Words go to a blank line; where that is missing, to the number and the times of the next subtitle."""
    for at in range(start, len(lines)):
        following = lines[at + 1][0] if at + 1 < len(lines) else ""
        is_number = lines[at][0].strip().isdecimal() and _TIMES.match(following)
        if not lines[at][0].strip() or is_number or _TIMES.match(lines[at][0]):
            return at
    return len(lines)


def _speeches(lines: Sequence[Line]) -> Iterator[list[Line]]:
    """The lines of a subtitle by speaker."""
    spoken: list[Line] = []
    for line in lines:
        if spoken and _SPEAKER.match(line[0]):
            yield spoken
            spoken = []
        spoken.append(line)
    if spoken:
        yield spoken


def _speech(lines: Sequence[Line]) -> Iterator[Piece]:
    ends = [end for _, end in lines]
    source = "".join(words + end for words, end in lines).removesuffix(ends[-1])
    rim = _RIM.match(source)
    start = rim.end() if rim else 0
    words = [line for line, _ in _LINE.findall(source[start:]) if line.strip()]
    yield source[:start]
    if words:
        yield passage(source[start:], on_one_line(words), partial(_broken, count=len(words), end=ends[0]))
    yield ends[-1]


def _broken(translation: str, count: int, end: str) -> str:
    return end.join(in_lines(translation, count))

"""Words set in lines: how wide they are, where they may be broken, and how many lines they fill."""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise

MOST_LINES = 10
"""For which the best width is sought."""

_TAG = re.compile(r"<[^<>]*>|\{\\[^{}]*\}")
# A word with its marks, or one character of a script that runs words together, with the marks that hang on it.
_WIDE = "\u2e80-\u2fff\u3005-\u30ff\u3400-\u9fff\uf900-\ufaff\uff66-\uff9f"
_OPENERS, _CLOSERS = "「『（《〈【［“‘", "、。，．！？：；」』）》〉】］”’…ー々っゃゅょッャュョ"
_ENDS_WIDE, _BEGINS_WIDE = re.compile(rf"[{_WIDE}{_CLOSERS}]"), re.compile(rf"[{_WIDE}{_OPENERS}]")
_CHUNK = re.compile(
    rf"\s*(?:(?:<[^<>]*>|\{{\\[^{{}}]*\}})*[{_OPENERS}]*[{_WIDE}](?:[{_CLOSERS}]|</[^<>]*>)*"
    rf"|(?:<[^<>]*>|\{{\\[^{{}}]*\}}|[^\s{_WIDE}])+[{_CLOSERS}]*)"
)


def width_of(words: str) -> int:
    """Columns that words take on a screen, without tags: a Chinese character takes two, a combining mark none."""
    bare = _TAG.sub("", words)
    if bare.isascii():
        return len(bare)
    return sum(map(_columns, bare))


def wrapped(words: str, width: int) -> list[str]:
    """The words in lines of at most `width` columns; a word that is longer has a line of its own."""
    lines: list[str] = []
    line, used = "", 0
    for chunk in _CHUNK.findall(words.strip()):
        columns = width_of(chunk)
        if line and used + columns > width:
            lines.append(line)
            line, used = "", 0
        added = chunk if line else chunk.lstrip()
        line, used = line + added, used + (columns if added is chunk else width_of(added))
    return [*lines, line]


def in_lines(words: str, count: int) -> list[str]:
    """The words in lines of like width, `count` of them or fewer; where so many are no subtitle, in about as many."""
    total = width_of(words)
    if count > MOST_LINES:
        return wrapped(words, max(1, total // count))
    narrow, wide = max(1, total // count), max(1, total)
    while narrow < wide:
        middle = (narrow + wide) // 2
        if len(wrapped(words, middle)) <= count:
            wide = middle
        else:
            narrow = middle + 1
    return wrapped(words, wide)


def on_one_line(lines: list[str]) -> str:
    """The lines of one sentence joined, without a space where their script has none between words."""
    words = [line.strip() for line in lines]
    joined = words[:1]
    for before, after in pairwise(words):
        runs_on = _ENDS_WIDE.match(before[-1:]) and _BEGINS_WIDE.match(after)
        joined.append(after if runs_on else f" {after}")
    return "".join(joined)


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1

"""Brackets and quotes that were opened and not closed."""

from __future__ import annotations

from collections import Counter

from dragoman.types import Finding, Pair

# What opens and what closes, whatever its width: `（` is closed by `)` in many a human text.
_BRACKETS = (("(（﴾", ")）﴿"), ("[［〔【", "]］〕】"), ("{｛", "}｝"))
# Which quote opens and which closes differs by language (“ closes a German „quote), so that only their number tells.
# Single ones are left out: they are apostrophes as well.
_QUOTES = '"“”„‟«»＂「」『』《》〈〉〝〞〟'
_MARKS = frozenset(_QUOTES).union(*(opening + closing for opening, closing in _BRACKETS))


def unbalanced(source: str, output: str, pair: Pair) -> Finding | None:
    """A bracket or a quote stands alone in the output, while the source has none that does."""
    if _alone(output) and not _alone(source):
        return Finding("unbalanced", f"These stand alone in the translation: {', '.join(_alone(output))}")
    return None


def _alone(text: str) -> list[str]:
    """What is not balanced: for brackets the sort that there is more of, for quotes the mark."""
    if _MARKS.isdisjoint(text):
        return []
    marks = Counter(filter(_MARKS.__contains__, text))
    alone = [side for sides in _BRACKETS if (side := _surplus(marks, *sides))]
    if sum(marks[quote] for quote in _QUOTES) % 2:
        alone.append(next(quote for quote in marks if quote in _QUOTES))
    return alone


def _surplus(marks: Counter[str], opening: str, closing: str) -> str:
    opened, closed = (sum(marks[mark] for mark in side) for side in (opening, closing))
    return opening[0] if opened > closed else closing[0] if closed > opened else ""

"""A model that says the same thing again and again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from operator import eq

from msgspec import Struct

from dragoman.types import Finding, Pair

_GRAM = 5
_CANDIDATES = 3
_MIN_AGAIN = 12  # characters: "very, very" and "ha ha ha" are speech
_MIN_TIMES = 3
_MORE_THAN_SOURCE = 1.5
_SHORT = 1_000  # characters, within which looking for one stretch after the other takes little time


class _Repetition(Struct, frozen=True):
    """A stretch that repeats every `period` characters; `again` is its length after the first time."""

    period: int = 1
    again: int = 0

    @property
    def times(self) -> float:
        """How often what repeats stands there."""
        return 1 + self.again / self.period


def loop(source: str, output: str, pair: Pair) -> Finding | None:
    """A stretch of the output stands three times or more in a row, and more often than anything in the source."""
    if not _may_repeat(output):
        return None
    found = _repetition(output, _MIN_AGAIN)
    if found.again < _MIN_AGAIN or found.times < max(_MIN_TIMES, _MORE_THAN_SOURCE * _repetition(source, 1).times):
        return None
    return Finding("loop", f"The translation repeats {found.period} characters about {found.times:.0f} times.")


def _may_repeat(text: str) -> bool:
    """Say whether so much may come again, as it seldom does: one of every few stretches in it was there before."""
    starts = range(0, len(text) - _GRAM + 1, _MIN_AGAIN - _GRAM + 1)
    return len(text) > _SHORT or any(text.find(text[start : start + _GRAM]) < start for start in starts)


def _repetition(text: str, min_again: int) -> _Repetition:
    """What repeats most often in a row in a text, of the likeliest periods that repeat `min_again` characters.

    Linear: in running text the distances at which five characters come again are scattered, in a loop they are all its
    period, so only the most frequent ones are looked at more closely.
    """
    grams = [text[index : index + _GRAM] for index in range(len(text) - _GRAM + 1)]
    if len(grams) - len(set(grams)) + _GRAM <= min_again:
        return _Repetition()  # the usual case, without looking for distances
    likely = _distances(grams).most_common(_CANDIDATES)
    periods = [period for period, count in likely if count + _GRAM > min_again]
    found = [_Repetition(period, _longest_again(text, period)) for period in periods]
    return max(found, key=lambda repetition: repetition.times, default=_Repetition())


def _distances(grams: Sequence[str]) -> Counter[int]:
    """How often one was last seen so many characters before."""
    seen: dict[str, int] = {}
    distances: Counter[int] = Counter()
    for index, gram in enumerate(grams):
        before = seen.get(gram)
        if before is not None:
            distances[index - before] += 1
        seen[gram] = index
    return distances


def _longest_again(text: str, period: int) -> int:
    """The length of the longest stretch that is the same as what stands one period before it."""
    same = groupby(map(eq, text, text[period:]))
    return max((sum(1 for _ in stretch) for equal, stretch in same if equal), default=0)

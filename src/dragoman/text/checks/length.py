"""An output that is shorter than the source can be said, or that breaks off."""

from __future__ import annotations

import re

from dragoman import languages
from dragoman.text.script import letters_of, script_of
from dragoman.types import Finding, Pair

# How many characters say what 100 of English do, where that is far from 100: medians over the catalogues of Django 5.2,
# strings of 40 characters and more. All other languages there lie between 87 and 127. Lao goes with Thai.
_CHARACTERS = {"Hans": 33, "Hant": 33, "Jpan": 51, "Kore": 53, "Hebr": 77, "Thai": 79, "Laoo": 79}

_LEAST_SHARE = 0.5
_LEAST_SHARE_UNENDED = 0.8  # where the source ends in a stop and the output in none
_LEEWAY = 8  # what a short text may lose without losing anything
_MIN_SENTENCES = 3
_MOST_SHARE = 3
_MOST_EXTRA = 40

_ENDS = ".!?…。！？．؟۔।॥።"
_ENDED_BY = tuple(_ENDS)
_CLOSING = " \t\n\"'”’»“)）」』"
_SENTENCE_END = re.compile(rf"[{re.escape(_ENDS)}]+(?=[\s\"'”’»“)）」』]|$)|[。！？]+")
_WITHOUT_STOPS = ("Thai", "Laoo")
_GOES_ON = (",", "、", "，", "،", "(", "（", "[", "「", "„")


def cut_short(source: str, output: str, pair: Pair) -> Finding | None:
    """Much shorter than such a source is in the target language, fewer than half of its sentences, or no end."""
    unended = _is_ended(source) and not _is_ended(output) and languages.script(pair.target) not in _WITHOUT_STOPS
    least = _LEAST_SHARE_UNENDED if unended else _LEAST_SHARE
    if _size(output, pair.target) + _LEEWAY < least * _size(source, pair.source):
        return Finding("truncated", "The translation is much shorter than its source.")
    sentences = _sentences(source)
    if sentences >= _MIN_SENTENCES and sentences > 2 * _sentences(output):
        return Finding("truncated", "The translation has fewer than half of the sentences of its source.")
    if _goes_on(output) and not _goes_on(source):
        return Finding("truncated", f"The translation ends in the middle: {output[-20:]}")
    return None


def is_far_longer(source: str, output: str, pair: Pair) -> bool:
    """Say whether the output is longer than any way to say such a source."""
    return _size(output, pair.target) > _MOST_SHARE * _size(source, pair.source) + _MOST_EXTRA


def _size(text: str, language: str) -> float:
    """About how many characters it would be in English; a Latin name in a Chinese text counts as it is."""
    characters = _CHARACTERS.get(languages.script(language))
    if characters is None:
        return len(text)
    own = letters_of(language)
    return len(text) + sum(map(own.__contains__, map(script_of, text))) * (100 / characters - 1)


def _sentences(text: str) -> int:
    return len(_SENTENCE_END.findall(text))


def _is_ended(text: str) -> bool:
    return text.rstrip(_CLOSING).endswith(_ENDED_BY)


def _goes_on(text: str) -> bool:
    return text.rstrip().endswith(_GOES_ON)

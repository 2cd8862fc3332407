"""Nothing came back, or the source itself did."""

from __future__ import annotations

import re

from dragoman import languages
from dragoman.text.addresses import without_addresses
from dragoman.text.checks.kinship import are_near
from dragoman.text.script import letters_of
from dragoman.types import Finding, Pair

_WORD = re.compile(r"[^\W\d_]+")
_MIN_WORDS = 3  # one or two are often the same in both languages: "Standard", "Video blog"
_MIN_WORDS_BETWEEN_SCRIPTS = 2
_MIN_UNSPACED_LETTERS = 6
_MIN_LETTERS = 5  # an ordinal's "th" is a dot elsewhere, and "none" a dash


def empty(source: str, output: str) -> Finding | None:
    """Nothing, or nothing but punctuation where the source has words."""
    if not output.strip():
        return Finding("empty", "The translation is empty.") if source.strip() else None
    if not any(map(str.isalnum, output)) and sum(map(str.isalpha, source)) >= _MIN_LETTERS:
        return Finding("empty", "The translation holds no words.")
    return None


def echo(source: str, output: str, pair: Pair) -> Finding | None:
    """The source came back, but for case, punctuation and spaces, where a translation was to be expected.

    Not expected between near languages, nor of names, codes and a few short words.
    """
    if _first_folded_word(source) != _first_folded_word(output):
        return None  # the usual case, without reading on
    if _folded_words(source) != _folded_words(output) or are_near(pair.source, pair.target):
        return None
    if not _is_translatable(_WORD.findall(without_addresses(source)), pair):
        return None
    return Finding("echo", "The source came back untranslated.")


def _first_folded_word(text: str) -> str:
    word = _WORD.search(text)
    return word[0].casefold() if word else ""


def _folded_words(text: str) -> list[str]:
    return list(map(str.casefold, _WORD.findall(text)))


def _is_translatable(words: list[str], pair: Pair) -> bool:
    """Say whether these are words of a language rather than names: two of them begin in small letters, where it has
    any.
    """
    if not languages.uses_spaces(pair.source):
        return sum(map(len, words)) >= _MIN_UNSPACED_LETTERS
    same_letters = letters_of(pair.source) & letters_of(pair.target)
    least = _MIN_WORDS if same_letters else _MIN_WORDS_BETWEEN_SCRIPTS
    small = sum(not word[0].isupper() and len(word) > 1 for word in words)
    return len(words) >= least and small >= least - 1

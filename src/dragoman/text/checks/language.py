"""The output is in another language or script than it was asked for."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import groupby

from dragoman import languages
from dragoman.text.checks.kinship import are_near
from dragoman.text.detect import detect_other
from dragoman.text.script import letters_of, script_of
from dragoman.types import Finding, Pair

_LETTER_PER_WORD = {"CJK", "HIRAGANA", "KATAKANA", "HANGUL"}
_MIN_LATIN_LETTERS = 12

_MIN_LETTERS = 30
_MIN_UNSPACED_LETTERS = 12
_MIN_CONFIDENCE = 0.65
_TELLING_SHARE = 0.2
# No other language of the table is written in these, so that they tell the language. Han does where there are no kana.
_OF_ONE_LANGUAGE = {
    "ARMENIAN", "CANADIAN", "GEORGIAN", "GREEK", "GUJARATI", "GURMUKHI", "HANGUL", "HIRAGANA",
    "KANNADA", "KATAKANA", "KHMER", "LAO", "MALAYALAM", "MYANMAR", "ORIYA", "SINHALA", "TAMIL", "TELUGU", "THAANA",
    "THAI", "YI",
}  # fmt: skip


def wrong_script(source: str, output: str, pair: Pair) -> Finding | None:
    """Words of the output are in a script that the target is not written in and that the source does not hold.

    Latin words may stand in any language, as names and codes do, if they are not most of the text.
    """
    own = letters_of(pair.target)
    if set(map(script_of, set(output))) <= own | {""}:
        return None
    strays = [(script, run) for script, run in _runs(output) if script not in own and _is_word(script, run)]
    known = {run for _, run in _runs(source)} if strays else ()
    foreign = [(script, run) for script, run in strays if run not in known]
    if wrong := next((run for script, run in foreign if script != "LATIN"), None):
        return Finding("wrong_script", f"The translation holds words of another script: {wrong[:40]}")
    latin_letters, own_letters = sum(len(run) for _, run in foreign), sum(script_of(letter) in own for letter in output)
    if latin_letters >= _MIN_LATIN_LETTERS and latin_letters > own_letters:
        return Finding("wrong_script", "The translation is in Latin script.")
    return None


def _runs(text: str) -> Iterator[tuple[str, str]]:
    """The stretches of letters of one script, with its name."""
    return ((script, "".join(letters)) for script, letters in groupby(text, script_of) if script)


def _is_word(script: str, run: str) -> bool:
    """One letter alone is a symbol (`π`), but for scripts in which it is a word."""
    return len(run) > 1 or script in _LETTER_PER_WORD


def wrong_language(source: str, output: str, pair: Pair) -> Finding | None:
    """The output is long enough to tell its language, and that is neither the target nor near to it."""
    found = detect_other(output, pair.target, _MIN_CONFIDENCE) if _is_telling(output, pair.target) else None
    if found is None or are_near(found.language, pair.target):
        return None
    if not (_is_evaluated(pair.target) or are_near(found.language, pair.source) or found.language == "en"):
        return None  # the detectors may not know the target, and name what resembles it
    return Finding("wrong_language", f"The translation seems to be in {languages.english_name(found.language)}.")


def _is_telling(output: str, target: str) -> bool:
    """Say whether it is worth asking: enough letters, of a script that several languages share."""
    least = _MIN_LETTERS if languages.uses_spaces(target) else _MIN_UNSPACED_LETTERS
    if len(output) < least or sum(map(str.isalpha, output)) < least:
        return False
    own = letters_of(target)
    telling = own if own == {"CJK"} else own & _OF_ONE_LANGUAGE
    return not telling or sum(map(telling.__contains__, map(script_of, output))) < _TELLING_SHARE * len(output)


@cache
def _is_evaluated(language: str) -> bool:
    return languages.base(language) in map(languages.base, (*languages.EVALUATED_LOCALES, "en"))

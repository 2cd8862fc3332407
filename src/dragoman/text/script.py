"""The script a text is written in, and the forms of one language that can be turned from one script into another.

Simplified and Traditional Chinese are told apart by the character sets their users made for them (GB 2312 and Big5)
and converted by OpenCC. Serbian and Bosnian have one letter or pair of Latin letters for each Cyrillic one; the other
way is not open, since `nj` is one letter in some words and two in others.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from msgspec import Struct
from opencc import OpenCC

from dragoman import languages
from dragoman.types import Finding

# The names by which Unicode calls the letters of each ISO 15924 script that `languages.script` gives.
_LETTERS = {
    "Adlm": {"ADLAM"}, "Arab": {"ARABIC"}, "Armn": {"ARMENIAN"}, "Beng": {"BENGALI"}, "Cans": {"CANADIAN"},
    "Cyrl": {"CYRILLIC"}, "Deva": {"DEVANAGARI"}, "Ethi": {"ETHIOPIC"}, "Geor": {"GEORGIAN"}, "Grek": {"GREEK"},
    "Gujr": {"GUJARATI"}, "Guru": {"GURMUKHI"}, "Hans": {"CJK"}, "Hant": {"CJK"}, "Hebr": {"HEBREW"},
    "Jpan": {"CJK", "HIRAGANA", "KATAKANA"}, "Khmr": {"KHMER"}, "Knda": {"KANNADA"}, "Kore": {"HANGUL", "CJK"},
    "Laoo": {"LAO"}, "Latn": {"LATIN"}, "Mlym": {"MALAYALAM"}, "Mong": {"MONGOLIAN"}, "Mymr": {"MYANMAR"},
    "Nkoo": {"NKO"}, "Orya": {"ORIYA"}, "Sinh": {"SINHALA"}, "Taml": {"TAMIL"}, "Telu": {"TELUGU"},
    "Thaa": {"THAANA"}, "Thai": {"THAI"}, "Tibt": {"TIBETAN"}, "Yiii": {"YI"},
}  # fmt: skip
_KNOWN = frozenset[str]().union(*_LETTERS.values())
_SAME = {"IDEOGRAPHIC": "CJK", "KATAKANA-HIRAGANA": "KATAKANA"}
_WIDTHS = {"FULLWIDTH", "HALFWIDTH"}


class _ScriptNames(dict[str, str]):
    """Script by character, filled as they are met; those beyond U+FFFF are not kept, so that it stays small."""

    def __missing__(self, character: str) -> str:
        name = _script_name(character) if unicodedata.category(character)[0] in "LM" else ""
        if character <= "\uffff":
            self[character] = name
        return name


def _script_name(letter: str) -> str:
    words = unicodedata.name(letter, "?").split()
    first = words[1] if words[0] in _WIDTHS else words[0]
    name = _SAME.get(first, first)
    return name if name in _KNOWN else ""


script_of = _ScriptNames().__getitem__
"""The script of a letter or mark, as Unicode names it (`LATIN`, `CJK`); "" for what belongs to none (`µ`, digits)."""


@cache
def letters_of(language: str) -> frozenset[str]:
    """The scripts, as Unicode names them, that a language's letters come from: three for Japanese."""
    return frozenset(_LETTERS[languages.script(language)])


def in_script(output: str, language: str) -> tuple[str, Finding | None]:
    """The output in the script of `language`, with a finding where it had to be converted.

    Converts between Simplified and Traditional Chinese (spelled as in Taiwan, or as in Hong Kong and Macao) and from
    Cyrillic to Latin for Serbian and Bosnian. Every other output comes back as it is.
    """
    form = _chinese_form(language)
    if form is not None and _strays(output, form):
        return _converted(output, form.config), _finding(form.came_in, form.wanted)
    if _is_latin_serbian(language) and _is_serbian_cyrillic(output):
        return _CYRILLIC.sub(_romanised, output), _finding("Cyrillic", "Latin")
    return output, None


def _finding(came_in: str, wanted: str) -> Finding:
    return Finding("script_converted", f"The translation came in {came_in} script and was converted to {wanted}.")


# Chinese


class _Form(Struct, frozen=True):
    """A way to write Chinese: OpenCC's configuration that leads to it, and a character set made for it."""

    came_in: str
    wanted: str
    config: str
    charset: str


_SIMPLIFIED = _Form("Traditional", "Simplified", "t2s", "gb2312")
_TAIWAN = _Form("Simplified", "Traditional", "s2tw", "cp950")
_HONG_KONG = _Form("Simplified", "Traditional", "s2hk", "big5hkscs")


@cache
def _chinese_form(language: str) -> _Form | None:
    match languages.script(language):
        case "Hans":
            return _SIMPLIFIED
        case "Hant":
            return _HONG_KONG if languages.resolve(language).endswith(("-HK", "-MO")) else _TAIWAN
    return None


def _strays(text: str, form: _Form) -> str:
    """The characters that only the other form has; rare ones that no set has, as in names, are common to both."""
    absent = [letter for letter in dict.fromkeys(text) if script_of(letter) == "CJK" and not _has(form, letter)]
    return "".join(letter for letter in absent if _converted(letter, form.config) != letter)


def _has(form: _Form, letter: str) -> bool:
    try:
        letter.encode(form.charset)
    except UnicodeEncodeError:
        return False
    return True


# OpenCC stops at a NUL and refuses surrogates.
_CONVERTIBLE = re.compile(r"[^\x00\ud800-\udfff]+")


def _converted(text: str, config: str) -> str:
    return _CONVERTIBLE.sub(lambda stretch: _converter(config).convert(stretch[0]), text)


@cache
def _converter(config: str) -> OpenCC:
    return OpenCC(config)


# Serbian

_CYRILLIC = re.compile(r"[Ђ-џ]+")
_ROMAN = dict(zip("абвгдђежзијклмнопрстћуфхцчш", "abvgdđežzijklmnoprstćufhcčš", strict=True)) | {
    "љ": "lj",
    "њ": "nj",
    "џ": "dž",
}


def _is_latin_serbian(language: str) -> bool:
    return languages.base(language) in ("sr", "bs") and languages.script(language) == "Latn"


def _is_serbian_cyrillic(text: str) -> bool:
    """Say whether it holds Cyrillic, and none that is another language's: that would come out half converted."""
    cyrillic = {letter for letter in text.lower() if script_of(letter) == "CYRILLIC"}
    return bool(cyrillic) and cyrillic <= _ROMAN.keys()


def _romanised(word: re.Match[str]) -> str:
    """A word in Latin letters; a capital of two letters is `NJ` in a word of capitals and `Nj` elsewhere."""
    capitals = word[0].isupper() and len(word[0]) > 1
    return "".join(_roman(letter, capitals) for letter in word[0])


def _roman(letter: str, capitals: bool) -> str:
    roman = _ROMAN.get(letter.lower(), letter)
    if letter.islower():
        return roman
    return roman.upper() if capitals else roman.capitalize()

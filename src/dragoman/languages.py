"""The languages Dragoman speaks: one canonical code for each, its names, its script, and what to fall back on.

The canonical codes are the keys of TranslateGemma's chat template: 581 BCP 47 tags with `-`, 161 languages in all.
They are Unicode CLDR's locales, spelled CLDR's way, so both codes and names are derived from Babel's copy of CLDR;
the tables below hold only what differs. Every public function takes any spelling that `resolve` takes.

Fallback order, from a tag to the code that serves it (RFC 4647 section 3.4, with the script kept throughout):

1. the tag itself
2. language, script and region       `zh-HK`      to `zh-Hant-HK`
3. language and region               `zh-Hant-TW` to `zh-TW`
4. language and script               `sr-Latn-HR` to `sr-Latn`
5. the language                      `pt-ZW`      to `pt`

A script that is not written is the one CLDR expects in that region, where a code knows it, else the language's own.
A step that would change the script is left out: `sr-Latn` is not served by `sr` (Cyrillic), `ru-Latn` by nothing.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import cache, lru_cache
from typing import Any, Literal, TypeAlias

from babel import localedata
from babel.core import get_global, parse_locale
from msgspec import Struct

from dragoman.errors import UnknownLanguage

Direction = Literal["ltr", "rtl"]
_Words: TypeAlias = Mapping[str, Mapping[str, str]]

# The targets of WMT24++ (https://aclanthology.org/2025.findings-acl.634), the ones TranslateGemma was evaluated on.
# fmt: off
EVALUATED_LOCALES = (
    "ar-EG", "ar-SA", "bg-BG", "bn-IN", "ca-ES", "cs-CZ", "da-DK", "de-DE", "el-GR", "es-MX", "et-EE", "fa-IR",
    "fi-FI", "fil-PH", "fr-CA", "fr-FR", "gu-IN", "he-IL", "hi-IN", "hr-HR", "hu-HU", "id-ID", "is-IS", "it-IT",
    "ja-JP", "kn-IN", "ko-KR", "lt-LT", "lv-LV", "ml-IN", "mr-IN", "nl-NL", "no-NO", "pa-IN", "pl-PL", "pt-BR",
    "pt-PT", "ro-RO", "ru-RU", "sk-SK", "sl-SI", "sr-RS", "sv-SE", "sw-KE", "sw-TZ", "ta-IN", "te-IN", "th-TH",
    "tr-TR", "uk-UA", "ur-PK", "vi-VN", "zh-CN", "zh-TW", "zu-ZA",
)
# fmt: on

# Keys of the template that the rule of `_follows_rule` does not give.
_ADDED = {
    "be-tarask",  # the only two variants, and CLDR writes them in capitals
    "el-polyton",
    "ik",  # in Babel's names, but without locale data
    "tl",  # CLDR knows it as an alias of fil only
    "es-ES",  # these two regions add nothing to the language, yet they are there
    "kk-KZ",
    "zh-CH",  # sic; the key that zh-CN would be expected to have
}
# Locales that the rule gives or that were evaluated, and that the template does not have.
_ABSENT = {"cu", "en-Dsrt", "en-Shaw", "is-IS", "zh-CN"}

# English names in the template (those of ISO 639-2) that are not CLDR's.
_ENGLISH_NAMES = {
    "bn": "Bengali",
    "ff": "Fulah",
    "ht": "Haitian",
    "km": "Central Khmer",
    "mi": "Maori",
    "ny": "Chichewa",
    "or": "Oriya",
    "os": "Ossetian",
    "to": "Tonga",
}

# What is sent for a language, beside CLDR's own aliases (`iw`, `cmn`, `deu`, `ger`).
_ALIASES = {
    "pb": "pt_BR",  # LibreTranslate's
    "zt": "zh_Hant",  # LibreTranslate's
    "tgl": "tl",  # CLDR says fil, which is a key of its own here
}
# CLDR folds Northern Kurdish into ku, which others send for Central Kurdish: two languages, so the caller must choose.
_NOT_ALIASES = {"kmr"}
# The one language whose only key carries a region.
_BARE_CODES = {"fil": "fil-PH"}

_RTL_SCRIPTS = {"Adlm", "Arab", "Hebr", "Nkoo", "Thaa"}
_UNSPACED_SCRIPTS = {"Hans", "Hant", "Jpan", "Khmr", "Laoo", "Mymr", "Thai", "Tibt"}

_MAX_CODE_CHARACTERS = 35  # RFC 5646 section 4.4.1
_MAX_SUGGESTIONS = 5
_WELL_FORMED = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*", re.ASCII)


class Language(Struct, frozen=True, kw_only=True):
    """One language, or one regional or written form of it.

    `name` is the English name as models are told it and carries no region, `display_name` is for people to choose by
    ("Portuguese (Brazil)"), `native_name` is the same in the language itself ("português (Brasil)"). `script` is an
    ISO 15924 code. `evaluated` marks the 55 that TranslateGemma's published quality stands on.
    """

    code: str
    name: str
    native_name: str
    display_name: str
    script: str
    direction: Direction
    evaluated: bool


def resolve(code: str) -> str:
    """Return the canonical code for `code`: any case, `-` or `_`, two or three letters, old codes, any region.

    Raises UnknownLanguage for what the fallback order does not serve; `auto` is not a language here.
    """
    # The length is checked first because the cache keeps what it is asked.
    resolved = _resolved(code) if len(code) <= _MAX_CODE_CHARACTERS else None
    if resolved is None:
        raise _unknown(code)
    return resolved


def fallbacks(code: str) -> tuple[str, ...]:
    """Return the canonical codes that could stand in for `code`, nearest first, itself excluded: `pt` for `pt-BR`."""
    resolved = resolve(code)
    candidates = dict.fromkeys(_fallback_order(*_subtags(resolved)))
    return tuple(candidate for candidate in candidates if candidate in _codes() and candidate != resolved)


def base(code: str) -> str:
    """Return the language without script and region: `zh` for `zh-Hant-HK`. `fil` is the one that is no code itself."""
    return resolve(code).partition("-")[0]


def english_name(code: str) -> str:
    """Return the English name exactly as TranslateGemma's template spells it; forms of one language share it."""
    return _english_names()[base(code)]


def name_in(reader: str, code: str) -> str:
    """Return what speakers of `reader` call `code`: "Chinesisch (Vereinfacht)" for `zh-Hans` in `de`; in English where
    they have no word. The first call for a reader reads files: keep it off the event loop.
    """
    words = [_words(locale) for locale in _own_locales(reader)]
    name = _word(words, "languages", base(code)) or english_name(code)
    return _with_details(name, resolve(code), [*words, _words("en")])


@lru_cache(maxsize=4096)
def script(code: str) -> str:
    """Return the ISO 15924 code of the script the language is written in: `Latn`, `Hant`, `Jpan`."""
    language, written, region = _subtags(resolve(code))
    return written or _expected_script(language, region)


def direction(code: str) -> Direction:
    """Return which way the language's script runs."""
    return "rtl" if script(code) in _RTL_SCRIPTS else "ltr"


def uses_spaces(code: str) -> bool:
    """Say whether words are set apart by spaces; False for Chinese, Japanese, Thai, Lao, Khmer, Burmese, Tibetan."""
    return script(code) not in _UNSPACED_SCRIPTS


@cache
def all_languages() -> tuple[Language, ...]:
    """Return every language, ordered by code. The first call reads native names from some 190 files: keep it off the
    event loop.
    """
    return tuple(map(_language, sorted(_codes())))


@cache
def evaluated_languages() -> tuple[Language, ...]:
    """Return the 55 languages TranslateGemma was evaluated on, ordered by code. The first call reads some 50 files."""
    return tuple(map(_language, sorted(_evaluated_codes())))


# The codes


@cache
def _codes() -> frozenset[str]:
    derived = {locale.replace("_", "-") for locale in localedata.locale_identifiers() if _follows_rule(locale)}
    return frozenset(derived | set(EVALUATED_LOCALES) | _ADDED) - _ABSENT


def _follows_rule(locale: str) -> bool:
    """A two-letter language, no variant, and a region only where it is a country and says more than the rest does."""
    language, region, script, variant = parse_locale(locale)[:4]
    if len(language) != 2 or variant:
        return False
    return region is None or not (region.isdigit() or region == _expected_region(language, script))


@cache
def _codes_by_folded() -> dict[str, str]:
    return {code.lower(): code for code in _codes()}


@cache
def _evaluated_codes() -> frozenset[str]:
    return frozenset(map(resolve, EVALUATED_LOCALES))


# From any spelling to a code


@lru_cache(maxsize=4096)
def _resolved(code: str) -> str | None:
    folded = code.replace("_", "-").lower()
    if exact := _codes_by_folded().get(folded):
        return exact
    if not _WELL_FORMED.fullmatch(folded):
        return None
    try:
        subtags = _subtags(folded)
    except ValueError:
        return None
    return next((code for code in _fallback_order(*subtags) if code in _codes()), None)


def _subtags(code: str) -> tuple[str, str | None, str | None]:
    """Language, script and region of a well-formed tag, an alias for the language replaced. Raises ValueError."""
    language, region, script = parse_locale(code, sep="-")[:3]
    language, implied_region, implied_script = parse_locale(_replacement(language))[:3]
    return language, script or implied_script, region or implied_region


def _replacement(language: str) -> str:
    if language in _ALIASES:
        return _ALIASES[language]
    if language in _codes() or language in _NOT_ALIASES:
        return language
    alias = str(get_global("language_aliases").get(language, language))
    # An alias to a region (prs to fa_AF) stands for a language of its own that CLDR counts as a variety of another.
    return language if parse_locale(alias)[1] else alias


def _fallback_order(language: str, script: str | None, region: str | None) -> Iterator[str]:
    """Yield the fallback order, steps 1 to 5; nothing for a language without any code."""
    bare = _BARE_CODES.get(language, language)
    if bare not in _codes():
        return
    yield _joined(language, script, region)
    script = script or _known_script(language, region)
    yield _joined(language, script, region)
    if script == _expected_script(language, region):
        yield _joined(language, region)
    yield _joined(language, script)
    if script == _expected_script(language):
        yield bare


def _joined(*subtags: str | None) -> str:
    return "-".join(filter(None, subtags))


def _known_script(language: str, region: str | None) -> str:
    expected = _expected_script(language, region)
    return expected if _joined(language, expected) in _codes() else _expected_script(language)


def _expected_script(language: str, region: str | None = None) -> str:
    """CLDR's likely script of a language, in a region if one is given."""
    likely = get_global("likely_subtags")
    return str(likely.get(f"{language}_{region}") or likely[language]).split("_")[1]


def _expected_region(language: str, script: str | None) -> str:
    """CLDR's likely region of a language, in a script if one is given."""
    likely = get_global("likely_subtags")
    return str(likely.get(f"{language}_{script}") or likely[language]).split("_")[2]


# Refusing


def _unknown(code: str) -> UnknownLanguage:
    shown = code if len(code) <= _MAX_CODE_CHARACTERS else f"{code[:_MAX_CODE_CHARACTERS]}…"
    suggestions = _suggestions(code) if len(code) <= _MAX_CODE_CHARACTERS else ()
    hint = f" Did you mean {', '.join(suggestions)}?" if suggestions else ""
    return UnknownLanguage(
        f"Unknown language {shown!r}.{hint} GET /v1/languages and `dragoman languages` list every code.",
        accepted=suggestions,
    )


def _suggestions(code: str) -> tuple[str, ...]:
    """Codes the caller may have meant: of a related language, of the country (`cn`), of a near spelling or a name."""
    folded = code.replace("_", "-").lower()
    language = folded.partition("-")[0]
    related = get_global("language_aliases").get(language, language)
    spoken = get_global("likely_subtags").get(f"und_{language.upper()}", "")
    by_name = {name.lower(): _BARE_CODES.get(language, language) for language, name in _english_names().items()}
    known = by_name | _codes_by_folded()
    alike = [spelling for spelling in known if spelling[0] == folded[:1]]  # matching all 742 takes milliseconds
    near = get_close_matches(folded, alike, n=_MAX_SUGGESTIONS, cutoff=0.7)
    found = [_resolved(related), _resolved(spoken), *(known[match] for match in near)]
    return tuple(dict.fromkeys(filter(None, found)))[:_MAX_SUGGESTIONS]


# Names


@cache
def _english_names() -> Mapping[str, str]:
    names = _words("en")["languages"]
    return {language: _ENGLISH_NAMES.get(language) or names[language] for language in map(base, _codes())}


@cache
def _language(code: str) -> Language:
    name = english_name(code)
    words = [_words(locale) for locale in _own_locales(code)]
    own_name = _word(words, "languages", base(code)) or name
    return Language(
        code=code,
        name=name,
        native_name=_with_details(own_name, code, [*words, _words("en")]),
        display_name=_with_details(name, code, [_words("en")]),
        script=script(code),
        direction=direction(code),
        evaluated=code in _evaluated_codes(),
    )


def _with_details(name: str, code: str, words: Sequence[_Words]) -> str:
    """`name` with what `code` says of script, region and variant in brackets: "Chinese (Traditional, Hong Kong)"."""
    _, region, script, variant = parse_locale(code, sep="-")[:4]
    written = (("scripts", script), ("territories", region), ("variants", variant))
    details = [_word(words, kind, subtag) or subtag for kind, subtag in written if subtag]
    return f"{name} ({', '.join(details)})" if details else name


def _word(words: Sequence[_Words], kind: str, subtag: str) -> str | None:
    return next((found for source in words if (found := source[kind].get(subtag))), None)


def _own_locales(code: str) -> list[str]:
    """The locales that may say in the language itself what it is called, the likeliest first."""
    language = base(code)
    parent = get_global("parent_exceptions").get(language)  # nb and nn keep their words in no
    locales = [f"{language}_{script(code)}", language, parent]
    return [locale for locale in locales if locale in localedata.locale_identifiers()]


@lru_cache(maxsize=8)  # codes come sorted: those of one language share their files
def _words(locale: str) -> _Words:
    """What a locale calls the `languages`, `scripts`, `territories` and `variants`, each by its code.

    Babel's own loader merges each locale with its parents and keeps it: 160 of them hold 100 MB.
    """
    with open(localedata.resolve_locale_filename(locale), "rb") as file:
        data: dict[str, Any] = pickle.load(file)
    return {kind: data.get(kind, {}) for kind in ("languages", "scripts", "territories", "variants")}

"""Where the sentences of one line end.

sentencex (Wikimedia's rules, about 300 languages) proposes; the rules here refuse what it cuts too eagerly (quotations
that the sentence goes on after, abbreviations, initials, ordinals) and add what it leaves whole (Khmer, Tibetan, Thai,
Lao). Where a rule cannot be sure it refuses: two sentences in one piece are translated well, half a sentence is not.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import accumulate

import sentencex

# sentencex takes time that grows with the square of the line where quotation marks abound: 1.4 s for 40,000
# characters. In windows of this many characters the time grows with the line.
_WINDOW = 600
_SPACE = re.compile(r"\s*")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")

_OPENING = frozenset("\"'“‘„‚«‹「『（《〈【(［[")
_CLOSING = frozenset("\"'”’“‘»›」』）》〉】)］]")
_LONGEST_ABBREVIATION = 12

# Languages that write an ordinal as "3.".
_DOT_ORDINALS = "bs cs da de dsb et eu fi fo hr hsb hu is kl ksh lb lt lv nb nn no pl sk sl sr tr"
DOT_ORDINALS = frozenset(_DOT_ORDINALS.split())

# Abbreviations that hardly ever end a sentence and that sentencex cuts after, by language.
_ABBREVIATIONS = {
    language: frozenset(words.split())
    for language, words in {
        "bg": "гр им проф св т.е ул",
        "bn": "ডা ড মো মোঃ",
        "cs": "čp mgr např sv tj ul",
        "de": "abs art gem inkl jh jhdt st vgl zzgl",
        "el": "κα κος π.χ",
        "en": "approx cf fig figs gov inc mt no nos vs",
        "es": "av avda dña gral núm pág sta sto",
        "fi": "esim prof tri",
        "fr": "dr me mgr mlle mlles mm mme mmes no st ste vol",
        "gu": "ડૉ શ્રી",
        "he": "גב מס עמ פרופ",
        "hi": "डॉ प्रो श्री सुश्री",
        "hu": "dr kb pl ún",
        "id": "dr gg hj jl kh no prof pt sdr",
        "it": "arch avv dott dott.ssa geom ing prof rag sig sig.ra",
        "kn": "ಡಾ ಶ್ರೀ",
        "ml": "ഡോ ശ്രീ",
        "mr": "डॉ प्रा श्री",
        "nl": "bijv d.w.z dhr drs mevr mw ing",
        "no": "bl.a dvs f.eks kl",
        "pa": "ਡਾ ਸ਼੍ਰੀ",
        "pl": "dr godz inż m.in np płk prof św tj ul",
        "pt": "av dra sra v.exa",
        "ro": "de.ex dl dlui dna dr nr sf str",
        "ru": "им проф св т.е ул",
        "sk": "napr sv tj ul",
        "sl": "npr sv tj ul",
        "sr": "др нпр проф св тј ул dr npr prof sv tj ul",
        "sv": "bl.a dvs kl t.ex",
        "ta": "டாக்டர் திரு திருமதி",
        "te": "డా శ్రీ",
        "tr": "av doç dr no örn prof sn vb yrd",
        "uk": "вул ім проф св",
        "vi": "gs pgs ths tp ts",
    }.items()
}
_ABBREVIATIONS |= {"nb": _ABBREVIATIONS["no"], "nn": _ABBREVIATIONS["no"]}

_SHAD = re.compile(r"(?<=[។៕།༎])\s+")
# Thai and Lao set clauses apart by a space, yet also numbers and foreign words: only a space between two of their own
# letters counts, and not after the marks for repetition and abbreviation.
_CLAUSE_GAPS = {
    "th": re.compile(r"(?<=[\u0e01-\u0e2e\u0e30-\u0e3a\u0e40-\u0e45\u0e47-\u0e4e])\s+(?=[\u0e01-\u0e2e\u0e40-\u0e44])"),
    "lo": re.compile(r"(?<=[\u0e81-\u0ec5\u0ec7-\u0ecd])\s+(?=[\u0e81-\u0eae\u0ec0-\u0ec4\u0edc-\u0edf])"),
}
_SENSIBLE_CLAUSES = 60
_SHORT_REST = 20


def sentence_ends(line: str, language: str) -> list[int]:
    """Return where each sentence of `line` ends, white space after it included; the last is `len(line)`.

    `language` is a code without region (`languages.base`). Any string will do, also one that is no valid Unicode, and
    the time taken grows with its length alone.
    """
    rules = _Rules(line, language)
    found = {end for end in _after_space(line, _proposed_ends(line, language)) if rules.is_end(end)}
    if language in ("km", "bo", "dz"):
        found.update(match.end() for match in _SHAD.finditer(line))
    if gaps := _CLAUSE_GAPS.get(language):
        found.update(_clause_ends(line, gaps))
    return sorted(found | {len(line)})


def _proposed_ends(line: str, language: str) -> Iterator[int]:
    start = 0
    while start < len(line):
        window = line[start : start + _WINDOW]
        ends = list(accumulate(map(len, sentencex.segment(language, _LONE_SURROGATE.sub("\ufffd", window)))))
        whole = [end for end in ends if end < len(window)]
        yield from (start + end for end in whole)
        # The next window starts where the last sentence of this one does, unless that one fills most of the window.
        start += whole[-1] if _reaches_further(window, whole) else len(window)


def _reaches_further(window: str, whole: list[int]) -> bool:
    return len(window) == _WINDOW and bool(whole) and whole[-1] > _WINDOW // 2


def _after_space(line: str, ends: Iterable[int]) -> Iterator[int]:
    """Move each end behind the white space that follows it; ends inside that space are passed over."""
    passed = 0
    for end in ends:
        if end > passed:
            space = _SPACE.match(line, end)
            passed = space.end() if space else end
            yield passed


def _clause_ends(line: str, gaps: re.Pattern[str]) -> Iterator[int]:
    last = 0
    for gap in gaps.finditer(line):
        if gap.start() - last >= _SENSIBLE_CLAUSES and len(line) - gap.end() >= _SHORT_REST:
            yield gap.end()
            last = gap.end()


class _Rules:
    """What makes a proposed end wrong, for one line."""

    def __init__(self, line: str, language: str) -> None:
        self._line = line
        self._abbreviations = _ABBREVIATIONS.get(language, frozenset())
        self._dot_ordinals = language in DOT_ORDINALS
        # In a line without capitals, as people chat, a small letter says nothing.
        self._has_capitals = line != line.lower()

    def is_end(self, end: int) -> bool:
        if end >= len(self._line):
            return True
        before = self._line[max(0, end - _LONGEST_ABBREVIATION) : end]
        shown = before.rstrip()
        if not shown:
            return True
        after = self._line[end]
        if len(shown) == len(before) and not _ends_unspaced(shown[-1], after):
            return False
        return not (self._goes_on_small(shown[-1], after) or (shown[-1] == "." and self._is_abbreviated(shown, after)))

    def _goes_on_small(self, mark: str, after: str) -> bool:
        return after.islower() and (self._has_capitals or mark in _CLOSING)

    def _is_abbreviated(self, shown: str, after: str) -> bool:
        """Tell whether the last word of `shown`, which ends with a full stop, is short for something."""
        word = shown[:-1].rsplit(None, 1)[-1].lstrip("([\"'“„«") if shown[:-1].strip() else ""
        if len(word) == 1 and word.isalpha():
            return True
        if word.isdigit():
            return self._dot_ordinals and len(word) <= 2
        if after.isdigit() and word.isalpha() and len(word) <= 3:
            return True
        return word.lower() in self._abbreviations


def _ends_unspaced(mark: str, after: str) -> bool:
    """Tell whether a sentence can end between two characters without a space between them.

    After a quotation the sentence goes on, as in `「はい。」と言った。`, unless the next quotation begins.
    """
    if mark in _CLOSING:
        return after in _OPENING
    return not mark.isascii() or unicodedata.category(after) == "Lo"

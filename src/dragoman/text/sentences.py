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
# Closing marks that cannot open anything directly behind the end of a sentence; of `“` and `"` one cannot be sure.
_REST_OF_SENTENCE = re.compile(r"[”’»›」』）》〉】)］\]]*\s*")
# Hebrew writes abbreviations and numerals with what looks like quotation marks, and sentencex seeks the other one.
_HEBREW_MARK = re.compile("(?<=[א-ת])(?:\"(?=[א-ת])|')")
# Without these sentencex takes a lone surrogate for an error, and a Greek question mark for a letter.
_UNKNOWN_TO_IT = re.compile("[\ud800-\udfff\u037e]")

_OPENING = frozenset("\"'“‘„‚«‹「『（《〈【(［[")
_CLOSING = frozenset("\"'”’“‘»›」』）》〉】)］]")
_LONGEST_ABBREVIATION = 12
_LONGEST_DASH = 4
_LONGEST_BEFORE_NUMBER = 3
_NUMBER = re.compile(r"(\d{1,9})\d*([.)]\s)?")
_ROMAN = frozenset("IVXLC")

# Languages that write an ordinal as "3.".
_DOT_ORDINALS = "bs cs da de dsb et eu fi fo hr hsb hu is kl ksh lb lt lv nb nn no pl sk sl sr tr"
DOT_ORDINALS = frozenset(_DOT_ORDINALS.split())

# Abbreviations that hardly ever end a sentence and that sentencex cuts after, by language.
_ABBREVIATIONS = {
    language: frozenset(words.split())
    for language, words in {
        "af": "bl bv dr mej mev mnr prof vgl",
        "az": "küç pr",
        "bg": "г-н гл гр им обл проф св т.е т.нар ул",
        "bn": "ড ডা প্রফ মো মোঃ",
        "ca": "av avda c dr dra núm pl pàg sr sra st sta",
        "cs": "kap mgr mj např odst sv tab tj tř ul čl čp",
        "da": "bl.a",
        "de": (
            "abb abs abzgl anm art aufl ausg bd dez dipl einschl exkl fa geb gem gest hl hrn hrsg inkl jh jhdt "
            "kap okt sek st tab tel verf verh vgl zzgl"
        ),
        "el": "αγ αρ βλ δηλ εικ κα καθ κεφ κκ κος λεωφ οδ π.χ πίν σελ τηλ",
        "en": "approx cf ch e.g ed eds eq fig figs gov i.e inc ms mt no nos vol vs",
        "eo": "d-ro ekz s-ino s-ro",
        "es": "aprox av avda cía dña ed gral núm pág sta sto",
        "et": "joon lk mnt nt pr ptk tab tel tn",
        "eu": "adib",
        "fi": "dipl.ins esim klo kpl ks mk nro ns prof puh tri ts vrt",
        "fil": "atty bb engr gng sta sto",
        "fr": (
            "art av bd c.-à-d ch cie dr déc ets févr janv me mgr mlle mlles mm mme mmes no nov oct pr sept st ste vol"
        ),
        "gu": "ડૉ શ્રી",
        "he": "אינג ברח גב לרח מס עמ פרופ רח שד",
        "hi": "कु डॉ पं पृ प्रो श्री श्रीमती सं सुश्री",
        "hr": "br dipl dr gl gosp npr prof sl str sv tab tel tj tzv ul čl",
        "hu": "br dr gr ifj kb ld pl sz tel vö ún",
        "id": "bpk dr gg hj hlm ir jl kab kec kel kh no prof pt sdr tgl yth",
        "is": "bls kl sbr t.d",
        "it": "arch avv dott dott.ssa geom ing on p.zza pag pagg prof prof.ssa rag s.p.a sig sig.ra",
        "kn": "ಡಾ ಶ್ರೀ",
        "lt": "pav pr psl pvz tel žr",
        "lv": "kab lpp piem sk tel",
        "ml": "ഡോ ശ്രീ",
        "mr": "कु डॉ प्रा श्री",
        "ms": "hj jln pn tn",
        "ne": "डा प्रा श्री",
        "nl": "bijv d.w.z dhr drs excl incl ing mevr mw o.a tel",
        "no": "bl.a dvs ekskl f.eks inkl jf kap kl mht pga tlf",
        "pa": "ਡਾ ਸ਼੍ਰੀ",
        "pl": (
            "al art bp dr gen godz hab im inż kpt ks m.in mgr mln np nr os pl por prof płk rys str tab tel tj tys "
            "ul ust wg woj zob św"
        ),
        "pt": "aprox av cap cia dra ed ltda núm profa pág págs sra srta sta tel v.exa vol",
        "ro": "ap bd bl cap de.ex dl dlui dna dr ex nr pag sf str tel",
        "ru": "ген гл гор доц др им наб напр обл пл полк проф р-н рис св ср т.е табл ул",
        "sk": "kap napr obr ods sv tab tj ul čl",
        "sl": "dr mag npr pogl prof str sv tab tel tj ul čl št",
        "sr": "br dr npr prof sl str sv tj tzv ul бр ген гл др инж нпр проф св сл стр таб тел тзв тј ул",
        "sv": "bl.a dvs exkl inkl jfr kap kl resp t.ex tel",
        "sw": "bi bw dk mh prof",
        "ta": "டாக்டர் திரு திருமதி பேரா",
        "te": "డా శ్రీ",
        "tr": "alb apt av bkz blv cad doç dr mah müh no prof sf sn sok tel vb yrd yy örn öğr",
        "uk": "вул ген гл др напр просп проф рис св т.е табл тел ім",
        "vi": "bs gs ks pgs ths tp ts",
    }.items()
}
_ABBREVIATIONS |= {"nb": _ABBREVIATIONS["no"], "nn": _ABBREVIATIONS["no"], "bs": _ABBREVIATIONS["hr"]}

_SHAD = re.compile(r"(?<=[។៕།༎])\s+")
# The full stop that Ethiopic is often typed with, two word dividers.
_DOUBLE_DIVIDER = re.compile(r"፡፡\s*")
_ADDED_ENDS = dict.fromkeys(("km", "bo", "dz"), _SHAD) | dict.fromkeys(("am", "ti"), _DOUBLE_DIVIDER)
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
    if added := _ADDED_ENDS.get(language):
        found.update(match.end() for match in added.finditer(line))
    if gaps := _CLAUSE_GAPS.get(language):
        found.update(_clause_ends(line, gaps))
    return sorted(found | {len(line)})


def _proposed_ends(line: str, language: str) -> Iterator[int]:
    start = 0
    while start < len(line):
        window = _as_it_knows(line[start : start + _WINDOW])
        ends = list(accumulate(map(len, sentencex.segment(language, window))))
        whole = [end for end in ends if end < len(window)]
        yield from (start + end for end in whole)
        # The next window starts where the last sentence of this one does, unless that one fills most of the window.
        start += whole[-1] if _reaches_further(window, whole) else len(window)


def _as_it_knows(window: str) -> str:
    if window.isascii():
        return window
    known = _UNKNOWN_TO_IT.sub(lambda sign: ";" if sign[0] == "\u037e" else "\ufffd", window)
    return _HEBREW_MARK.sub("\u05f3", known)


def _reaches_further(window: str, whole: list[int]) -> bool:
    return len(window) == _WINDOW and bool(whole) and whole[-1] > _WINDOW // 2


def _after_space(line: str, ends: Iterable[int]) -> Iterator[int]:
    """Move each end behind the closing marks and white space that follow it; ends among them are passed over."""
    passed = 0
    for end in ends:
        if end > passed:
            rest = _REST_OF_SENTENCE.match(line, end)
            passed = rest.end() if rest else end
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
        return not (self._goes_on(shown[-1], end) or (shown[-1] == "." and self._is_abbreviated(shown, end)))

    def _goes_on(self, mark: str, end: int) -> bool:
        """Tell whether what follows an end, a dash before it set aside, looks like the rest of a sentence."""
        after = (self._line[end : end + _LONGEST_DASH].lstrip("-–—―\u00a0 ") or self._line[end])[0]
        if mark in _CLOSING:
            return after.islower() or (unicodedata.category(after) == "Lo" and self._line[end - 1].isspace())
        return after.islower() and self._has_capitals

    def _is_abbreviated(self, shown: str, end: int) -> bool:
        """Tell whether the last word of `shown`, which ends with a full stop, is short for something."""
        word = shown[:-1].rsplit(None, 1)[-1].lstrip("([\"'“„«") if shown[:-1].strip() else ""
        if _are_initials(word):
            return True
        if word and (_ROMAN.issuperset(word) or (word.isdigit() and len(word) <= 2)):
            return self._dot_ordinals
        if self._is_numbered(word, end):
            return True
        # The article of `l'av.` is no part of it.
        return word.lower().replace("’", "'").rpartition("'")[2] in self._abbreviations

    def _is_numbered(self, word: str, end: int) -> bool:
        """Tell whether a short word belongs to the number after it, as in `vol. 4`, and that is not a list's `4. `."""
        number = _NUMBER.match(self._line, end)
        if number is None or len(word) > _LONGEST_BEFORE_NUMBER or not word.isalpha() or "가" <= word[-1] <= "힣":
            return False
        return not (number[2] and f"{int(number[1]) - 1}{number[2]}" in self._line[max(0, end - _WINDOW) : end])


def _are_initials(word: str) -> bool:
    """Tell whether a word is `J`, `J.-C` or, where letters have no case, `أ.د`; `U.S` often ends a sentence."""
    if "." not in word:
        return len(word) == 1 and word.isalpha()
    letters = [part.removeprefix("-") for part in word.split(".")]
    are_letters = all(len(letter) == 1 and letter.isalpha() for letter in letters)
    return are_letters and (".-" in word or word.lower() == word.upper())


def _ends_unspaced(mark: str, after: str) -> bool:
    """Tell whether a sentence can end between two characters without a space between them.

    After a quotation the sentence goes on, as in `「はい。」と言った。`, unless the next quotation begins.
    """
    if mark in _CLOSING:
        return after in _OPENING
    return not mark.isascii() or unicodedata.category(after) == "Lo"

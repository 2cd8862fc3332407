"""Numbers that were lost on the way, or that nobody wrote.

Compared are multisets of digit groups, so that dates may be put in another order and separators may differ. What may be
said in other ways as well (small numbers in words, hours of 12 or 24, Roman centuries, 1.5 million) is given the
benefit of the doubt.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable

from dragoman.types import Finding, Pair

_DIGITS = re.compile(r"\d+")
# With what divides thousands and lakhs (point, comma, apostrophes, spaces, the Arabic marks).
_GROUPED = re.compile(r"\d+(?:[.,'’٫٬ \u00a0\u2009\u202f]\d{2,3}(?!\d))*+")
_DECIMAL = re.compile(r"\d+(?:[.,'’٫٬]\d+|[ \u00a0\u2009\u202f]\d{3}(?!\d))*+")
_SCALE = re.compile(
    r"\d\s?[km]\b|\bm[iı]l|thousand|tausend|tusen|duizend|tysi|hundred|bn\b|\bbin\b|тыс|мил|млн|млрд|тис|мільй"
    r"|ألف|آلاف|مليون|ملايين|مليار|هزار|میلیون|हज़ार|हजार|लाख|करोड़|lakh|crore|[百千万萬億亿兆백천만억조]|พัน|หมื่น|แสน|ล้าน",
    re.IGNORECASE,
)
_HAN_NUMERAL = re.compile(r"[二三四五六七八九十百千万萬億亿半]")  # 一 is also half of the words there are
_ROMAN_NUMERAL = re.compile(r"(?<![A-Za-z])[IVXLC]{1,8}(?![A-Z])")
_ROMAN = (("C", 100), ("XC", 90), ("L", 50), ("XL", 40), ("X", 10), ("IX", 9), ("V", 5), ("IV", 4), ("I", 1))

_SMALL = 12
_SPELLED_OUT = 100
_MAX_COMPARED = 20
_SHOWN = 3


def number(source: str, output: str, pair: Pair) -> Finding | None:
    """A number of the source is not in the output, or the other way round, and no other way to say it would explain
    that.
    """
    if sorted(_DIGITS.findall(source)) == sorted(_DIGITS.findall(output)):
        return None
    before, after = _numbers(source), _numbers(output)
    lost, invented = list((before - after).elements()), list((after - before).elements())
    if not (lost or invented) or _differ_in_scale(source, output):
        return None
    if max(len(lost), len(invented)) <= _MAX_COMPARED:
        _pair_off(lost, invented)
        lost, invented = _unspelled(lost, output), _unspelled(invented, source)
    return _verdict(lost, invented, has_digits=bool(before))


def _verdict(lost: list[str], invented: list[str], *, has_digits: bool) -> Finding | None:
    """A number in place of another is a fault. One that only went or only came may stand in words on the other side."""
    if not (lost and invented):
        lost = [digits for digits in lost if not _is_at_most(digits, _SMALL)]
        invented = [digits for digits in invented if not _may_be_words(digits, has_digits)]
    said = [f"{what}: {', '.join(which[:_SHOWN])}" for what, which in (("lost", lost), ("invented", invented)) if which]
    return Finding("number", f"The numbers differ ({'; '.join(said)}).") if said else None


def _may_be_words(digits: str, has_digits: bool) -> bool:
    """Say whether the source may hold it in words; one that writes digits does so for what is neither small nor
    round.
    """
    is_round = len(digits.rstrip("0")) == 1 and len(digits) > 1
    return is_round or _is_at_most(digits, _SMALL if has_digits else _SPELLED_OUT)


# The numbers of a text, as ASCII digits without leading zeros


def _numbers(text: str) -> Counter[str]:
    """Digit groups, those of one number in thousands as one."""
    found: Counter[str] = Counter()
    for grouped in _GROUPED.findall(text):
        parts = _DIGITS.findall(grouped)
        found.update(map(_plain, ["".join(parts)] if len(parts[-1]) == len("000") and len(parts) > 1 else parts))
    return found


def _plain(digits: str) -> str:
    ascii_digits = digits if digits.isascii() else "".join(_ascii(character) for character in digits)
    return "".join(filter(str.isdigit, ascii_digits)).lstrip("0") or "0"


def _ascii(character: str) -> str:
    return str(unicodedata.decimal(character, ""))


def _is_at_most(digits: str, limit: int) -> bool:
    return len(digits) <= len(str(limit)) and int(digits) <= limit


# Other ways to say it


def _differ_in_scale(source: str, output: str) -> bool:
    """Say whether all numbers begin alike where one side has a word such as million: 1.5 million, 150万."""
    if not (_SCALE.search(source) or _SCALE.search(output)):
        return False
    return _significant(source) == _significant(output)


def _significant(text: str) -> Counter[str]:
    return Counter(digits.rstrip("0") for digits in map(_plain, _DECIMAL.findall(text)))


def _pair_off(lost: list[str], invented: list[str]) -> None:
    """Take out what is one hour on two clocks, or one year in two lengths."""
    for digits in tuple(lost):
        if twin := next((other for other in invented if _are_same_time(digits, other)), None):
            lost.remove(digits)
            invented.remove(twin)


def _are_same_time(one: str, other: str) -> bool:
    if {len(one), len(other)} == {2, 4}:
        return one.endswith(other) or other.endswith(one)
    return _is_at_most(one, 24) and _is_at_most(other, 24) and abs(int(one) - int(other)) == 12


def _unspelled(numbers: Iterable[str], text: str) -> list[str]:
    """Those that the text does not hold as a Roman numeral, if it has no Chinese ones."""
    if _HAN_NUMERAL.search(text):
        return []
    roman = set(_ROMAN_NUMERAL.findall(text))
    return [
        digits for digits in numbers if not (roman and _is_at_most(digits, 399) and _as_roman(int(digits)) in roman)
    ]


def _as_roman(value: int) -> str:
    numeral = ""
    for letters, worth in _ROMAN:
        numeral += letters * (value // worth)
        value %= worth
    return numeral

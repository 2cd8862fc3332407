"""Plain text cut into what an engine translates in one go, and put together again.

Text is cut at line breaks and at the ends of sentences; what is still too long is cut between clauses, else between
words, else between two characters as a reader counts them. Nothing is lost: the pieces join to the very same text.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from functools import cached_property

from msgspec import Struct

from dragoman.languages import base
from dragoman.text.addresses import ADDRESS
from dragoman.text.sentences import DOT_ORDINALS, sentence_ends
from dragoman.text.tokens import TOKEN_COST, estimate_tokens, running_cost
from dragoman.types import Pair

__all__ = ["SAFE_TOKENS", "Piece", "cut", "estimate_tokens", "join"]

# 100 Chinese characters or about 265 English ones. TranslateGemma stops early on long text: in the one published test,
# pieces of 80 to 100 Chinese characters kept all of the content and pieces of 120 to 150 kept half of it.
SAFE_TOKENS = 75
_FEWEST_TOKENS = 8

_LINE = re.compile(r"[^\n\r\v\f\x1c-\x1e\x85\u2028\u2029]*(?:[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]\s*)?")

# White space, control characters and marks of no width: outside a sentence they say nothing to a translator.
_BLANKS = (*range(0x21), *range(0x7F, 0xA1), 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000)
_OF_NO_WIDTH = (0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2060, 0x206A), 0xFEFF)
_EDGE = "".join(map(chr, _BLANKS + _OF_NO_WIDTH))
_EDGE_CLASS = f"[{re.escape(_EDGE)}]"
_MARKER = r"[-*+–—•‣◦▪·]|>{1,9}|\#{1,6}|\[[ xX]\]|\(?\d{1,3}\)|\(?[A-Za-z]\)"
_RIM = re.compile(rf"(?:{_EDGE_CLASS}|(?:{_MARKER}|\d{{1,3}}\.)(?=\s))*")
# Where `3.` is an ordinal, it belongs to the sentence.
_RIM_BEFORE_ORDINALS = re.compile(rf"(?:{_EDGE_CLASS}|(?:{_MARKER})(?=\s))*")
_RIM_INSIDE_LINE = re.compile(f"{_EDGE_CLASS}*")

_CLOSERS = "\"'”’“‘»›」』）》〉】)］]"
_WIDE_MARKS = "。！？｡…：；，、､،؛"
# A long sentence may be cut after a match. Full-width marks need no space after them.
_BREAK = re.compile(rf"\s+|[{_WIDE_MARKS}](?![\s{_WIDE_MARKS}{re.escape(_CLOSERS)}])")
# How good a cut is by the mark before it, the best first; spaces without any come last.
_GRADES = dict.fromkeys("。！？｡….!?؟।॥።။", 0) | dict.fromkeys(";:；：؛–—", 1) | dict.fromkeys(",，、､،၊", 2)
_POOREST_GRADE = 3

_JAMO_AND_FLAGS = frozenset(map(chr, (*range(0x1100, 0x1200), *range(0x1F1E6, 0x1F200))))
# Thai and Lao vowels are letters of their own, written before or after their consonant.
_HOLDS_NEXT = frozenset("\u200dเแโใไເແໂໃໄ")
_HOLDS_PREVIOUS = frozenset((*"\u200c\u200dะาำๅະາຳﾞﾟ", *map(chr, range(0x1F3FB, 0x1F400))))


class Piece(Struct, frozen=True):
    """A part of a text: `lead` and `tail` come back as they are, `core` is translated.

    `core` is one line without outer white space, with a letter in it that is not part of a web or mail address; it is
    "" where there is nothing to translate, and all of the piece is `lead` then. White space, control characters and
    what marks a list item, a heading or a quoted line (`- `, `1. `, `a) `, `# `, `> `) are kept out of it.
    """

    lead: str
    core: str
    tail: str


def cut(text: str, language: str, max_tokens: int = SAFE_TOKENS) -> list[Piece]:
    """Return the pieces of `text`, whose leads, cores and tails join to it; no core crosses a line break.

    `language` is a code of `dragoman.languages`; `max_tokens`, at least 8, bounds each core as `estimate_tokens`
    counts. Web and mail addresses are never cut: one that is longer than a core may be is left untranslated. Takes any
    string, lone surrogates too, in time that grows with its length alone.
    """
    if max_tokens < _FEWEST_TOKENS:
        raise ValueError(f"max_tokens must be at least {_FEWEST_TOKENS}, not {max_tokens}")
    spoken = base(language)
    return [piece for line in _LINE.findall(text) if line for piece in _pieces(line, spoken, max_tokens)]


def join(pieces: Sequence[Piece], translations: Sequence[str] | None = None, pair: Pair | None = None) -> str:
    """Put pieces together again: the text itself, or its translation.

    `translations` holds one string for each piece with a core, in order. With `pair`, sentences on one line are set
    apart as the target language does it: `。` and the next sentence stand together, a full stop is followed by a space.
    """
    words = [piece.core for piece in pieces] if translations is None else _placed(pieces, translations)
    adds, drops = _gap_changes(pair) if pair else (False, False)
    parts: list[str] = []
    tail = ""
    for number, piece in enumerate(pieces):
        gap = tail + piece.lead
        if number and piece.core and pieces[number - 1].core:
            if adds and gap == "":
                gap = " "
            elif drops and gap == " " and not _are_foreign(words[number - 1], words[number]):
                gap = ""
        parts += (gap, words[number])
        tail = piece.tail
    return "".join([*parts, tail])


def _placed(pieces: Sequence[Piece], translations: Sequence[str]) -> list[str]:
    expected = sum(1 for piece in pieces if piece.core)
    if expected != len(translations):
        raise ValueError(f"{len(translations)} translations for {expected} pieces. This is a bug.")
    given = iter(translations)
    return [next(given) if piece.core else "" for piece in pieces]


def _gap_changes(pair: Pair) -> tuple[bool, bool]:
    """Tell whether spaces between sentences are to be added, and whether to be dropped."""
    source_has, target_has = _spaces_sentences(pair.source), _spaces_sentences(pair.target)
    return target_has and not source_has, source_has and not target_has


def _spaces_sentences(language: str) -> bool:
    """Tell whether a space stands between sentences. Thai, Lao and Khmer, which run words together, have one."""
    return base(language) not in ("zh", "ja")


def _are_foreign(before: str, after: str) -> bool:
    """Tell whether a space must stay: a cut inside a sentence may leave Latin letters on both sides of it."""
    return before[-1:].isascii() and after[:1].isascii()


def _pieces(line: str, language: str, max_tokens: int) -> Iterator[Piece]:
    rim = _RIM_BEFORE_ORDINALS if language in DOT_ORDINALS else _RIM
    opening = _rim_end(rim, line)
    # `1. ` at the start of a line looks like a sentence of its own.
    sentences = [end for end in sentence_ends(line, language) if end > opening or end == len(line)]
    start = 0
    for end in _piece_ends(_Line(line), sentences, max_tokens * TOKEN_COST):
        yield _piece(line[start:end], rim)
        start, rim = end, _RIM_INSIDE_LINE


def _piece(text: str, rim: re.Pattern[str]) -> Piece:
    lead = _rim_end(rim, text)
    core = text[lead:].rstrip(_EDGE)
    return Piece(text[:lead], core, text[lead + len(core) :]) if _is_translatable(core) else Piece(text, "", "")


def _rim_end(rim: re.Pattern[str], text: str) -> int:
    outer = rim.match(text)
    return outer.end() if outer else 0


def _is_translatable(core: str) -> bool:
    return any(map(str.isalpha, ADDRESS.sub("", core)))


def _piece_ends(line: _Line, sentence_ends: Sequence[int], limit: int) -> Iterator[int]:
    start = 0
    for end in sentence_ends:
        if line.address_across(end):
            continue
        while line.costs[end] - line.costs[start] > limit:
            start = line.cut_inside(start, end, limit)
            yield start
        if start < end:
            yield end
        start = end


class _Line:
    """A line with its cost, and with the places where its long sentences may be cut."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.costs = running_cost(text)

    @cached_property
    def addresses(self) -> list[tuple[int, int]]:
        return [match.span() for match in ADDRESS.finditer(self.text)]

    @cached_property
    def breaks(self) -> list[int]:
        ends = (match.end() for match in _BREAK.finditer(self.text))
        return [end for end in ends if not self.address_across(end)]

    def address_across(self, position: int) -> tuple[int, int] | None:
        """The address that a cut at `position` would split."""
        index = bisect_left(self.addresses, (position, 0)) - 1
        found = self.addresses[index] if index >= 0 else None
        return found if found and found[1] > position else None

    def grade(self, position: int) -> int:
        """How good a place to cut this break is, 0 the best."""
        shown = self.text[max(0, position - 4) : position].rstrip().rstrip(_CLOSERS)
        return _GRADES.get(shown[-1:], _POOREST_GRADE)

    def cut_inside(self, start: int, end: int, limit: int) -> int:
        """Where to cut a part that costs more than `limit`, so that the parts come out about equally long."""
        costs = self.costs
        total = costs[end] - costs[start]
        share = total // -(-total // limit)
        nearest = bisect_left(costs, costs[start] + share // 2, start + 1, end)
        furthest = bisect_right(costs, costs[start] + limit, start + 1, end) - 1
        candidates = self.breaks[bisect_left(self.breaks, nearest) : bisect_right(self.breaks, furthest)]
        if candidates:
            return min(candidates, key=lambda at: (self.grade(at), abs(costs[at] - costs[start] - share)))
        if address := self.address_across(furthest):
            return address[0] if address[0] > start else address[1]
        return _before_cluster(self.text, start, furthest)


def _before_cluster(text: str, start: int, position: int) -> int:
    """The last place up to `position` that splits no character as a reader counts them (UAX #29, in essence)."""
    at = position
    while at > start and _belong_together(text[at - 1], text[at]):
        at -= 1
    return at if at > start else position


def _belong_together(left: str, right: str) -> bool:
    if left in _HOLDS_NEXT or right in _HOLDS_PREVIOUS or unicodedata.category(right).startswith("M"):
        return True
    # After a virama the next consonant joins the same cluster.
    return unicodedata.combining(left) == 9 or (left in _JAMO_AND_FLAGS and right in _JAMO_AND_FLAGS)

"""Runs cut into what an engine translates in one go, and their translations joined.

A run is cut at line breaks and at the ends of sentences; what is still too long is cut between clauses, else between
words, else between two characters as a reader counts them. What is held is never cut, and nothing is lost: the parts
come to the very same text.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial

from msgspec import Struct

from dragoman.languages import base
from dragoman.text.parts import SOFT_SPACES, Held, MarkdownSpelling, Part, Run, each_run, escaped
from dragoman.text.sentences import DOT_ORDINALS, sentence_ends
from dragoman.text.tokens import TOKEN_COST, estimate_tokens
from dragoman.text.view import View
from dragoman.types import Pair, Split

__all__ = ["SAFE_TOKENS", "Gap", "cut", "estimate_tokens", "join"]

# 100 Chinese characters or about 265 English ones. TranslateGemma stops early on long text: in the one published test,
# pieces of 80 to 100 Chinese characters kept all of the content and pieces of 120 to 150 kept half of it.
SAFE_TOKENS = 75
_FEWEST_TOKENS = 8

_LINE_ENDS = "\n\r\v\f\x1c-\x1e\x85\u2028\u2029"
_LINE = re.compile(rf"[^{_LINE_ENDS}]+(?:[{_LINE_ENDS}]\s*)?|[{_LINE_ENDS}]\s*")
_LINE_BREAK = re.compile(rf"[{_LINE_ENDS}]\s*")

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
_GRADES = dict.fromkeys("。！？｡….!?؟।॥။።", 0) | dict.fromkeys(";:；：؛–—", 1) | dict.fromkeys(",，、､،၊", 2)
_POOREST_GRADE = 3

# No sentence ends inside of words and these marks, but in Thai and Lao, which end them with a space.
_WORDS_ALONE = re.compile(r"[\w ,'’\"()/&%-]*+.?")
_END_BY_SPACE = frozenset({"th", "lo"})

_JAMO_AND_FLAGS = frozenset(map(chr, (*range(0x1100, 0x1200), *range(0x1F1E6, 0x1F200))))
# Thai and Lao vowels are letters of their own, written before or after their consonant.
_HOLDS_NEXT = frozenset("\u200dเแโใไເແໂໃໄ")
_HOLDS_PREVIOUS = frozenset((*"\u200c\u200dะาำๅະາຳﾞﾟ", *map(chr, range(0x1F3FB, 0x1F400))))

_SINGLE_SPACES = frozenset(f" {SOFT_SPACES}")
_MARKS = ("*", "_", "~", "`")
_TAGS_IN_FRONT = re.compile(r"(?:<[^<>]*>)*")
_TAGS_BEHIND = re.compile(r"(?:<[^<>]*>)*\Z")
_LONGEST_TAGS = 100


class Gap(str):
    """What stands between two sentences of one line: a space, or nothing. `join` sets it as the target does."""

    __slots__ = ()


def cut(run: Run, language: str, *, max_tokens: int = SAFE_TOKENS, split: Split = "sentences") -> tuple[Part, ...]:
    """Return the run as parts: a `Run` for each sentence, with what is held in it, and all else as it is written.

    Each of these runs has a letter outside what is held, no white space around it, and costs at most `max_tokens`, at
    least 8, as `estimate_tokens` counts, with 3 for what is held. White space, control characters, what marks a list
    item, a heading or a quoted line (`- `, `1. `, `a) `, `# `, `> `), and bare stretches around a sentence are kept
    out of it; twins stay together where one of them is inside. Runs inside what is held are cut in the same way.

    `split` "newlines" cuts at line breaks and not between sentences, "off" at neither; what is too long is always
    cut. With "off" the line breaks are held, otherwise no run crosses one that is not. `language` is a code of
    `dragoman.languages`. Takes any run, lone surrogates too, in time that grows with its length alone.
    """
    if max_tokens < _FEWEST_TOKENS:
        raise ValueError(f"max_tokens must be at least {_FEWEST_TOKENS}, not {max_tokens}")
    return each_run((run,), partial(_cut, language=base(language), limit=max_tokens * TOKEN_COST, split=split))


def join(parts: Sequence[Part], translate: Callable[[Run], str], pair: Pair) -> str:
    """Return what the parts come to, as `parts.written` does, with sentences set apart as the target language does it.

    `。` and the next sentence stand together, a full stop is followed by a space; that holds for sentences on one line
    that were cut from one run, also where tags end or begin between them.
    """
    adds, drops = _gap_changes(pair)
    pieces: list[str] = []
    before = ""
    gap: int | None = None
    for part in parts:
        piece = translate(part) if isinstance(part, Run) else str(part)
        if isinstance(part, Run):
            if gap is not None and _is_beside_marks(part, pieces[gap - 1], (*pieces[gap + 1 :], piece)[0]):
                pieces[gap] = pieces[gap] or " "
            elif gap is not None and drops and not _are_foreign(before, piece):
                pieces[gap] = ""
            before, gap = piece, None
        elif isinstance(part, Gap):
            piece = " " if adds else piece
            gap = len(pieces)
        pieces.append(piece)
    return "".join(pieces)


@lru_cache(maxsize=4096)
def _gap_changes(pair: Pair) -> tuple[bool, bool]:
    """Tell whether spaces between sentences are to be added, and whether to be dropped."""
    source_has, target_has = _spaces_sentences(pair.source), _spaces_sentences(pair.target)
    return target_has and not source_has, source_has and not target_has


def _spaces_sentences(language: str) -> bool:
    """Tell whether a space stands between sentences. Thai, Lao and Khmer, which run words together, have one."""
    return base(language) not in ("zh", "ja")


def _is_beside_marks(run: Run, before: str, after: str) -> bool:
    """Tell whether marks of Markdown end or begin there: without a space beside them they may be none."""
    return isinstance(run.escaping, MarkdownSpelling) and (before[-1:] in _MARKS or after[:1] in _MARKS)


def _are_foreign(before: str, after: str) -> bool:
    """Tell whether a space must stay: a cut inside a sentence may leave Latin letters on both sides of it."""
    end = _TAGS_BEHIND.sub("", before[-_LONGEST_TAGS:])
    start = _TAGS_IN_FRONT.sub("", after[:_LONGEST_TAGS], count=1)
    return end[-1:].isascii() and start[:1].isascii()


class _Sentence(Struct, frozen=True):
    """A sentence's places in what a view shows, and its elements: from `start` to `end` without what is around it."""

    place: int
    end_place: int
    border: int
    start: int
    end: int


def _cut(run: Run, language: str, limit: int, split: Split) -> tuple[Part, ...]:
    if _is_whole(run, language, limit):
        return (run,)
    view = View(_on_one_line(run) if split == "off" else run)
    parts: list[Part] = []
    at = 0
    previous: _Sentence | None = None
    for sentence in _sentences(view, language, limit, split):
        if previous and (gap := _gap_between(view, previous, sentence)):
            start, end, words = gap
            parts += (*view.literal(at, start), words)
            at = end
        parts += (*view.literal(at, sentence.start), view.run_of(sentence.start, sentence.end))
        at, previous = sentence.end, sentence
    return tuple(_merged([*parts, *view.literal(at, view.end)]))


def _is_whole(run: Run, language: str, limit: int) -> bool:
    """Tell whether a run is certainly one sentence, as many are, without looking for where sentences end."""
    text = run.text
    if run.held or language in _END_BY_SPACE or not _WORDS_ALONE.fullmatch(text) or text[-1:] in _EDGE:
        return False
    is_bare = _rim_end(_RIM, text, 0, len(text)) == 0
    return is_bare and any(map(str.isalpha, text)) and estimate_tokens(text) * TOKEN_COST <= limit


def _on_one_line(run: Run) -> Run:
    """The run with its line breaks held, so that what is cut from it goes to an engine on one line."""
    held: list[Held] = []
    start = 0
    for stretch, one in zip(run.stretches(), (*run.held, None), strict=True):
        breaks = ((start + found.start(), start + found.end()) for found in _LINE_BREAK.finditer(stretch))
        held += (Held(first, last, "kept", (run.text[first:last],), bare=True) for first, last in breaks)
        if one is not None:
            held.append(one)
            start = one.end
    return Run(run.text, tuple(held), run.escaping)


def _gap_between(view: View, previous: _Sentence, sentence: _Sentence) -> tuple[int, int, Gap] | None:
    """The gap between two sentences and its elements, if there is one space or nothing between them."""
    between = view.shown[previous.end_place : sentence.place]
    if between == "":
        return sentence.border, sentence.border, Gap()
    start = view.element(previous.end_place)
    if between not in _SINGLE_SPACES or not previous.end <= start < sentence.start or view.is_held(start):
        return None
    return start, start + 1, Gap(escaped(between, view.run.escaping))


def _merged(parts: Sequence[Part]) -> Iterator[Part]:
    """The parts without empty strings, and with those that stand together in one; gaps stay by themselves."""
    literal: list[str] = []
    for part in parts:
        if isinstance(part, str) and not isinstance(part, Gap):
            literal.append(part)
            continue
        if any(literal):
            yield "".join(literal)
        literal = []
        yield part
    if any(literal):
        yield "".join(literal)


def _sentences(view: View, language: str, limit: int, split: Split) -> Iterator[_Sentence]:
    at_line_start = _RIM_BEFORE_ORDINALS if language in DOT_ORDINALS else _RIM
    for line in _LINE.finditer(view.shown):
        rim, start = at_line_start, line.start()
        ends = _sentence_ends(line[0], language, rim) if split == "sentences" else [len(line[0])]
        for end in _piece_ends(view, start, [start + end for end in ends], limit):
            if sentence := _sentence(view, start, end, rim):
                yield sentence
            start, rim = end, _RIM_INSIDE_LINE


def _sentence_ends(line: str, language: str, rim: re.Pattern[str]) -> list[int]:
    # `1. ` at the start of a line looks like a sentence of its own.
    opening = _rim_end(rim, line, 0, len(line))
    return [end for end in sentence_ends(line, language) if end > opening or end == len(line)]


def _sentence(view: View, start: int, end: int, rim: re.Pattern[str]) -> _Sentence | None:
    """What is to be translated between two places, if anything."""
    place = _rim_end(rim, view.shown, start, end)
    core = view.shown[place:end].rstrip(_EDGE)
    if not any(map(str.isalpha, core)):
        return None
    end_place = place + len(core)
    border = view.border(start)
    elements = view.element(place), view.element(end_place - 1) + 1
    return _Sentence(place, end_place, border, *view.with_twins(*elements, border, view.border(end)))


def _rim_end(rim: re.Pattern[str], text: str, start: int, end: int) -> int:
    outer = rim.match(text, start, end)
    return outer.end() if outer else start


def _piece_ends(view: View, start: int, sentence_ends: Sequence[int], limit: int) -> Iterator[int]:
    if view.most_cost <= limit:
        yield from sentence_ends
        return
    for end in sentence_ends:
        while view.cost(start, end) > limit:
            start = _cut_inside(view, start, end, limit)
            yield start
        if start < end:
            yield end
        start = end


def _cut_inside(view: View, start: int, end: int, limit: int) -> int:
    """Where to cut a part that costs more than `limit`, so that the parts come out about equally long."""
    before, total = view.cost_before(start), view.cost(start, end)
    share = total // -(-total // limit)
    places = range(len(view.shown) + 1)
    nearest = bisect_left(places, before + share // 2, start + 1, end, key=view.cost_up_to)
    furthest = bisect_right(places, before + limit, start + 1, end, key=view.cost_up_to) - 1
    if candidates := _breaks(view.shown, nearest, furthest):
        return min(candidates, key=lambda at: (_grade(view.shown, at), abs(view.cost(start, at) - share)))
    return _before_cluster(view.shown, start, furthest)


def _breaks(text: str, nearest: int, furthest: int) -> list[int]:
    found = (match.end() for match in _BREAK.finditer(text, nearest - 1, furthest + 1))
    return [end for end in found if nearest <= end <= furthest]


def _grade(text: str, position: int) -> int:
    """How good a place to cut this break is, 0 the best."""
    before = text[max(0, position - 4) : position].rstrip().rstrip(_CLOSERS)
    return _GRADES.get(before[-1:], _POOREST_GRADE)


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

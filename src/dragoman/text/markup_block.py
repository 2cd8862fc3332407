r"""One block of markup, such as a paragraph, on its way to a `Run`.

A reader hands in words, characters that the source spells in its own way, and what is to be held, in the order of the
source; `parts` makes the run of it. A run's translation is written with the source's spellings (`&mdash;` for `—`,
`\*` for `*`), so that references come back without a model having seen them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from html.entities import html5
from itertools import groupby
from typing import Literal, TypeAlias

from msgspec import Struct

from dragoman.text.parts import SOFT_SPACES, Escaping, Held, Kind, Part, Run, Spelling

TEXT: Mapping[str, str] = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
"""What text in HTML and XML must escape."""

Spelled: TypeAlias = tuple[tuple[str, str], ...]
"""Characters, and how each of them is written."""

_REFERENCE = re.compile(
    r"&(?:#(?:[xX](?P<hex>[0-9A-Fa-f]{1,6})|(?P<decimal>[0-9]{1,7}))|(?P<name>[A-Za-z][A-Za-z0-9]*+));?"
)
_NOTABLE = re.compile(rf"{_REFERENCE.pattern}|[&<>\"']|[ \t\r\n\f]{{2,}}+|[\t\r\n\f]")
_XML_NAMES = frozenset({"amp", "lt", "gt", "quot", "apos"})


class Piece(Struct):
    """A stretch of a block, `raw` in the source: words or a character `shown` to a model, or held for its `parts`."""

    role: Literal["words", "spelled", "break", "tag", "held"]
    raw: str
    shown: str = ""
    parts: tuple[Part, ...] = ()
    kind: Kind = "kept"
    bare: bool = False
    twin: int | None = None


class Block:
    """The pieces of one block. `escapes` are the characters that the format asks to be spelled in some way.

    `spelling` makes a run's escaping of what it spells, where that is not what text in HTML asks for.
    """

    def __init__(
        self, escapes: Mapping[str, str], *, is_xml: bool = False, spelling: Callable[[Spelled], Spelling] = Spelling
    ) -> None:
        self.escapes = escapes
        self.is_xml = is_xml
        self.spelling = spelling
        self.pieces: list[Piece] = []

    def markup(self, raw: str, *, is_value: bool = False) -> None:
        """Add text of HTML or XML: a block's, where `<` is held, or an attribute's value."""
        position = 0
        while position < len(raw):
            found = _NOTABLE.search(raw, position)
            start = found.start() if found else len(raw)
            if start > position:
                self.words(raw[position:start])
            if found is None:
                return
            position = self._notable(found, is_value)

    def words(self, text: str) -> None:
        """Add words that stand for themselves."""
        self.pieces.append(Piece("words", text, text))

    def spelled(self, character: str, raw: str) -> None:
        """Add a character that is written as `raw`."""
        self.pieces.append(Piece("spelled", raw, character))

    def line_break(self, raw: str) -> None:
        """Add white space that reads as one space."""
        self.pieces.append(Piece("break", raw, " "))

    def tag(self, raw: str, parts: tuple[Part, ...] = (), *, bare: bool = True) -> Piece:
        """Add an inline tag, to be given a `twin` when its other end comes. `parts` are those of its attributes."""
        self.pieces.append(Piece("tag", raw, "", parts or (raw,), "tag", bare))
        return self.pieces[-1]

    def close(self, raw: str, opening: Piece | None, twin: int, parts: tuple[Part, ...] = ()) -> None:
        """Add the closing tag of `opening`, or of nothing; if nothing stands between them, they are one stretch."""
        if opening is None:
            self.tag(raw, parts)
        elif self.pieces[-1] is opening:
            opening.raw += raw
            opening.parts += parts or (raw,)
        else:
            self.tag(raw, parts).twin = opening.twin = twin

    def hold(self, raw: str, kind: Kind, parts: tuple[Part, ...] = (), *, bare: bool, shown: str = "") -> None:
        """Add what is left alone; with what else is left alone beside it, it becomes one stretch."""
        self.pieces.append(Piece("held", raw, shown, parts or (raw,), kind, bare))

    def parts(self) -> tuple[Part, ...]:
        """The block as parts: a run between its outer white space, or, without a letter to translate, no run."""
        if not any(character.isalpha() for piece in self.pieces for character in piece.shown):
            return merged(part for piece in self.pieces for part in piece.parts or (piece.raw,))
        start, end = _trimmed(self.pieces)
        inner = list(_joined(self.pieces[start:end]))
        lead, tail = (_raw(self.pieces[:start]), _raw(self.pieces[end:]))
        return merged((lead, _run(inner, _Spellings(inner, self.escapes), self.spelling), tail))

    def _notable(self, found: re.Match[str], is_value: bool) -> int:
        raw = found[0]
        if raw[0] == "&" and len(raw) > 1:
            return self._reference(found)
        if raw == "<" and not is_value:
            # With the next character, which starts no tag, it cannot start one in the translation either.
            following = found.string[found.end() : found.end() + 1]
            raw += following if following != "<" else ""
            self.hold(raw, "kept", bare=False)
        elif raw.isspace():
            (self.line_break if raw.strip(" ") else self.words)(raw)
        else:
            self.spelled(raw, raw)
        return found.start() + len(raw)

    def _reference(self, found: re.Match[str]) -> int:
        raw = found[0]
        character = _referred(found, self.is_xml)
        if character is None and not raw.endswith(";"):
            self.spelled("&", "&")
            return found.start() + 1
        if character is None or not raw.endswith(";") or len(character) > 1:
            self.hold(raw, "kept", bare=False)
        elif character.isprintable() and character != " ":
            self.spelled(character, raw)
        else:
            self.hold(raw, "kept", bare=True, shown=character)
        return found.end()


def value_parts(raw: str, quote: str) -> tuple[Part, ...]:
    """The value of an attribute as parts, to be written between the same quotes, or without any."""
    block = Block(_IN_QUOTES.get(quote, _UNQUOTED))
    block.markup(raw, is_value=True)
    return block.parts()


def merged(parts: Iterable[Part]) -> tuple[Part, ...]:
    """The parts without empty strings, and strings beside each other as one."""
    made: list[Part] = []
    text: list[str] = []
    for part in parts:
        if isinstance(part, str):
            text.append(part)
            continue
        made += ("".join(text), part)
        text.clear()
    return tuple(part for part in (*made, "".join(text)) if part)


_IN_QUOTES = {
    '"': {"&": "&amp;", "<": "&lt;", '"': "&quot;"},
    "'": {"&": "&amp;", "<": "&lt;", "'": "&#39;"},
}
_UNQUOTED = {
    "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;",
    " ": "&#32;", "\t": "&#9;", "\n": "&#10;", "\f": "&#12;", "\r": "&#13;", "=": "&#61;", "`": "&#96;",
}  # fmt: skip


def _referred(found: re.Match[str], is_xml: bool) -> str | None:
    """What a reference stands for, None where nobody can tell."""
    if name := found["name"]:
        known = not is_xml or name in _XML_NAMES
        return html5.get(name + ";" * found[0].endswith(";")) if known else None
    number = int(found["hex"], 16) if found["hex"] else int(found["decimal"])
    return chr(number) if number <= 0x10FFFF else "\ufffd"


def _joined(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """The pieces, with those left alone beside each other as one."""
    for is_held, group in groupby(pieces, lambda piece: piece.role == "held"):
        if not is_held:
            yield from group
            continue
        held = list(group)
        first = next((piece for piece in held if not piece.bare), held[0])
        shown = "".join(piece.shown for piece in held) if all(piece.shown for piece in held) else ""
        parts = tuple(part for piece in held for part in piece.parts)
        yield Piece("held", _raw(held), shown, parts, first.kind, first.bare)


def _raw(pieces: Iterable[Piece]) -> str:
    return "".join(piece.raw for piece in pieces)


def _trimmed(pieces: Sequence[Piece]) -> tuple[int, int]:
    """Where the pieces start and end without outer white space."""
    start, end = 0, len(pieces)
    while pieces[start].shown.isspace():
        start += 1
    while pieces[end - 1].shown.isspace():
        end -= 1
    return start, end


class _Spellings:
    """How a run writes its characters: each in one way, plain rather than by reference, and else in the first."""

    def __init__(self, pieces: Sequence[Piece], escapes: Mapping[str, str]) -> None:
        plain = set().union(*(piece.shown for piece in pieces if piece.role == "words"))
        self._written = dict(escapes)
        for piece in sorted((one for one in reversed(pieces) if one.role == "spelled"), key=_is_plain, reverse=True):
            self._written[piece.shown] = piece.raw
        self._written.update(zip(plain, plain, strict=True))
        breaks = dict.fromkeys(piece.raw for piece in pieces if piece.role == "break")
        free = [space for space in SOFT_SPACES if space not in self._written]
        self._breaks = dict(zip(breaks, free, strict=False))

    def escaping(self, spelling: Callable[[Spelled], Spelling]) -> Escaping:
        """What a run's `escaping` has to be."""
        changed = {shown: raw for shown, raw in self._written.items() if shown != raw}
        if changed == TEXT and not self._breaks and spelling is Spelling:
            return "text"
        return spelling((*changed.items(), *((space, raw) for raw, space in self._breaks.items())))

    def shown(self, piece: Piece) -> str:
        """What stands in the run's text for a piece."""
        if piece.role == "break":
            return self._breaks.get(piece.raw, " ")
        return piece.shown or piece.raw

    def comes_back(self, piece: Piece, before: str, after: str) -> bool:
        """Whether a piece is written as it was without being held, or near enough inside a word."""
        match piece.role:
            case "words":
                return True
            case "break":
                return piece.raw in self._breaks
            case "spelled":
                return self._written[piece.shown] == piece.raw or _is_in_word(piece.shown, before, after)
            case _:
                return False


def _is_plain(piece: Piece) -> bool:
    return piece.raw == piece.shown


def _is_in_word(character: str, before: str, after: str) -> bool:
    # A stretch held inside a word would break it for the model.
    if character in "'’&":
        return before[-1:].isalnum() and after[:1].isalnum()
    return character.isalnum() and not character.isascii()


def _run(pieces: Sequence[Piece], spellings: _Spellings, spelling: Callable[[Spelled], Spelling]) -> Run:
    text: list[str] = []
    held: list[Held] = []
    at = 0
    around = ["", *(piece.shown for piece in pieces), ""]
    for piece, before, after in zip(pieces, around, around[2:], strict=False):
        shown = spellings.shown(piece)
        if not spellings.comes_back(piece, before, after):
            parts = piece.parts if len(piece.parts) == 1 else merged(piece.parts or (piece.raw,))
            held.append(Held(at, at + len(shown), piece.kind, parts, piece.twin, piece.bare or shown == " "))
        text.append(shown)
        at += len(shown)
    return Run("".join(text), tuple(held), spellings.escaping(spelling))

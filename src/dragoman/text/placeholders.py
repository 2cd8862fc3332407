"""What no model may touch is held: placeholders, tags, addresses, paths, code, emoji, quantities, what a caller names.

Where two of them overlap, the outer one is held, or both as one, so that nothing that was to be kept is shown to a
model. What the run holds already stays. The bodies of ICU plurals and selects become runs of their own.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import unescape

from msgspec import Struct, structs

from dragoman.text import icu
from dragoman.text.icu import Message
from dragoman.text.markup_elements import HTML
from dragoman.text.parts import Held, Kind, Part, Run, escaped
from dragoman.text.protections import NO_MORE, Protections
from dragoman.text.shapes import TAG, braces_in, is_plain, shapes_in

__all__ = ["Protections", "hold"]

_DEEPEST_MESSAGE = 4
_GLUE = re.compile(r"[-+/:.,_=&|×]{0,2}")


def hold(run: Run, protect: Protections = NO_MORE) -> Run:
    """The run with everything held that no model may touch; what it holds already wins, and holding again adds nothing.

    Takes any text, in time that grows with its length alone.
    """
    return _Holder(protect).hold(run)


class _Found(Struct, frozen=True):
    """A stretch that is to be held."""

    start: int
    end: int
    kind: Kind
    message: Message | None = None


class _Already:
    """What a run holds already, to be asked for what lies where."""

    def __init__(self, held: Sequence[Held]) -> None:
        self._held = held
        self._starts = [one.start for one in held]
        self._ends = [one.end for one in held]

    def across(self, start: int, end: int) -> Sequence[Held]:
        """What overlaps a stretch."""
        return self._held[bisect_right(self._ends, start) : bisect_left(self._starts, end)]

    def within(self, start: int, end: int) -> Sequence[Held]:
        """What lies wholly in a stretch."""
        return self._held[bisect_left(self._starts, start) : bisect_right(self._ends, end)]

    def fits(self, message: Message) -> bool:
        """Whether all that it holds of a message lies in the bodies of its branches."""
        inside = sum(len(self.within(*body)) for body in message.bodies)
        return inside == len(self.across(message.start, message.end))


class _Holder(Struct, frozen=True):
    """How runs are held. `depth` is how many messages they lie in, `counts` whether `#` is a number in them."""

    protect: Protections
    depth: int = 0
    counts: bool = False

    def hold(self, run: Run) -> Run:
        if not self.depth and is_plain(run.text) and next(self.protect.found_in(run.text), None) is None:
            return run
        already = _Already(run.held)
        found = list(_glued(run.text, _disjoint(self._found(run.text, already)), already))
        moved = {held.start for one in found if one.message for held in already.across(one.start, one.end)}
        new = _twinned(run, [self._held(run, one, already) for one in found])
        kept = [held for held in run.held if held.start not in moved]
        return Run(run.text, tuple(sorted([*kept, *new], key=lambda held: held.start)), run.escaping)

    def _found(self, text: str, already: _Already) -> Iterator[_Found]:
        """All that is to be held, beside what is."""
        messages = icu.messages(text) if self.depth < _DEEPEST_MESSAGE else ()
        whole = [_Found(one.start, one.end, "placeholder", one) for one in messages if already.fits(one)]
        yield from whole
        braces = icu.syntax_in(text, counts=self.counts) if self.depth else braces_in(text)
        yield from (_Found(*span, "placeholder") for span in _outside(whole, braces) if not already.across(*span))
        yield from (_Found(*one) for one in shapes_in(text) if not already.across(one[0], one[1]))
        for start, end, kind in self.protect.found_in(text):
            yield from (_Found(*gap, kind) for gap in _gaps(start, end, already.across(start, end)))

    def _held(self, run: Run, found: _Found, already: _Already) -> Held:
        if found.message is None:
            becomes: tuple[Part, ...] = (_as_written(run, found.start, found.end),)
        else:
            becomes = tuple(self._message_parts(run, found.message, already))
        return Held(found.start, found.end, found.kind, becomes)

    def _message_parts(self, run: Run, message: Message, already: _Already) -> Iterator[Part]:
        """A message with the bodies of its branches as runs, in which its syntax is held as well."""
        inner = _Holder(self.protect, self.depth + 1, self.counts or message.counts)
        at = message.start
        for start, end in message.bodies:
            yield _as_written(run, at, start)
            moved = (
                structs.replace(one, start=one.start - start, end=one.end - start) for one in already.within(start, end)
            )
            yield inner.hold(
                Run(run.text[start:end], tuple(moved), icu.WORDS if run.escaping == "none" else run.escaping)
            )
            at = end
        yield _as_written(run, at, message.end)


def _as_written(run: Run, start: int, end: int) -> str:
    """A stretch as the format writes it. The text of a message's branch is as written: only new braces are quoted."""
    stretch = run.text[start:end]
    return stretch if run.escaping == icu.WORDS else escaped(stretch, run.escaping)


def _outside(messages: Sequence[_Found], spans: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The spans that do not start in a message: quoted braces in it make wrong pairs."""
    ends = [one.end for one in messages]
    starts = [one.start for one in messages]
    return (span for span in spans if bisect_right(starts, span[0]) == bisect_right(ends, span[0]))


def _gaps(start: int, end: int, held: Iterable[Held]) -> Iterator[tuple[int, int]]:
    """What a stretch leaves when everything held is taken out of it."""
    for one in held:
        if start < one.start:
            yield start, one.start
        start = one.end
    if start < end:
        yield start, end


def _disjoint(found: Iterable[_Found]) -> Iterator[_Found]:
    """The outer ones of those inside each other, and one for all that overlap; but a message stays as it is."""
    current: _Found | None = None
    for one in sorted(found, key=lambda one: (one.start, -one.end, one.message is None)):
        if current is None:
            current = one
        elif one.start >= current.end:
            yield current
            current = one
        elif one.end > current.end:
            if one.message:
                yield structs.replace(current, end=one.start)
                current = one
            elif current.message:
                yield current
                current = structs.replace(one, start=current.end)
            else:
                current = structs.replace(current, end=one.end)
    if current is not None:
        yield current


def _glued(text: str, found: Iterable[_Found], already: _Already) -> Iterator[_Found]:
    """The same with placeholders that no space sets apart, such as `%Y-%m-%d`, as one: it is kept more surely."""
    current: _Found | None = None
    for one in found:
        if current is not None and _are_glued(text, current, one) and not already.across(current.end, one.start):
            current = structs.replace(current, end=one.end)
            continue
        if current is not None:
            yield current
        current = one
    if current is not None:
        yield current


def _are_glued(text: str, one: _Found, other: _Found) -> bool:
    alike = one.kind == other.kind == "placeholder" and one.message is None and other.message is None
    return alike and _GLUE.fullmatch(text, one.end, other.start) is not None


def _twinned(run: Run, held: Sequence[Held]) -> Iterator[Held]:
    """The same with tags that belong together as twins. What is a tag and what a placeholder is told apart here."""
    tags = {
        number: tag
        for number, one in enumerate(held)
        if one.kind == "tag" and (tag := TAG.fullmatch(run.text, one.start, one.end))
    }
    twins = _twins(tags, 1 + max((one.twin for one in run.held if one.twin is not None), default=-1))
    for number, one in enumerate(held):
        if one.kind != "tag":
            yield one
        elif number in tags and number not in twins and _stands_for_words(tags[number]):
            yield structs.replace(one, kind="placeholder")
        else:
            yield structs.replace(one, twin=twins.get(number), bare=_is_bare(run.text[one.start : one.end]))


def _twins(tags: Mapping[int, re.Match[str]], first: int) -> dict[int, int]:
    """The number of the twin of each tag that has one: a closing tag belongs to the last open one of its name."""
    opened: dict[str, list[int]] = {}
    twins: dict[int, int] = {}
    for number, tag in tags.items():
        name = tag["name"].lower()
        if not (tag["close"] or tag["alone"]):
            opened.setdefault(name, []).append(number)
        elif tag["close"] and opened.get(name):
            twins[number] = twins[opened[name].pop()] = first + len(twins) // 2
    return twins


def _stands_for_words(tag: re.Match[str]) -> bool:
    """Whether it is a placeholder such as `<name>`, and no tag."""
    is_known = tag["name"].isdigit() or tag["name"].lower() in HTML
    return not (tag["close"] or tag["alone"] or tag["attributes"] or is_known)


def _is_bare(tag: str) -> bool:
    """A tag or comment says nothing in a sentence, and neither does the entity of a space."""
    return tag.startswith("<") or unescape(tag).isspace()

"""What a cutter sees of a run: its words in one string, where nothing that is held can be mistaken or split.

In `View.shown` a held stretch that stands for words is one character that is no letter; a bare one or an emoji is not
there at all: `<b>Hi, {name}.</b> Bye.` is seen as `Hi, X. Bye.`. Places between characters are counted in that string.
Counting the characters outside held stretches and each held stretch as one *element* gives a second scale, on which
bare ones have a place too; parts of the run are made from ranges of elements.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import cached_property

from dragoman.text.parts import Held, Part, Run, escaped
from dragoman.text.tokens import TOKEN_COST, running_cost, total_cost

MARKER_TOKENS = 3
"""About what a marker in a held stretch's place costs a model."""

# Both cost as much as a marker, or a little more.
_WORD = "\ue001"
_NUMBER = "\U0001d7ce"
_STANDS_FOR_NUMBER = re.compile(r"\d|%[\d$.]*[dif]")


class View:
    """A run as a cutter sees it."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.shown = run.text
        self._offsets: Sequence[int] = range(len(run.text) + 1)
        self._elements: Sequence[int] = range(len(run.text))
        self._borders: Sequence[int] = range(len(run.text) + 1)
        self._held: list[int] = []
        self._partners: dict[int, int] = {}
        if run.held:
            self._read(run)
        self.most_cost = total_cost(self.shown) + (self.end - len(self.shown)) * MARKER_TOKENS * TOKEN_COST
        """What no part costs more than, in hundredths of a token: told faster than the cost of any part."""

    @cached_property
    def _costs(self) -> list[int]:
        return running_cost(self.shown)

    def _read(self, run: Run) -> None:
        """Find each shown character's element, and each element's place in the run's text."""
        shown: list[str] = []
        offsets: list[int] = []
        elements: list[int] = []
        start = 0
        for stretch, held in zip(run.stretches(), run.held, strict=False):
            shown.append(stretch)
            elements.extend(range(len(offsets), len(offsets) + len(stretch)))
            offsets.extend(range(start, held.start))
            start = held.end
            self._held.append(len(offsets))
            if stands_as := _shown_as(run, held):
                shown.append(stands_as)
                elements.append(len(offsets))
            offsets.append(held.start)
        shown.append(run.text[start:])
        elements.extend(range(len(offsets), len(offsets) + len(run.text) - start))
        offsets.extend(range(start, len(run.text) + 1))
        self.shown, self._offsets, self._elements = "".join(shown), offsets, elements
        self._partners = _partners(run, self._held)
        self._borders = self._settled_borders()

    def _settled_borders(self) -> list[int]:
        """The element before which each place between shown characters lies: behind what closes there."""
        borders = [0, *(element + 1 for element in self._elements)]
        borders[-1] = len(self._offsets) - 1
        for element in self._held:
            place = bisect_left(self._elements, element)
            is_within = 0 < place < len(self._elements) and self._elements[place] != element
            if is_within and self._partners.get(element, element) < element:
                borders[place] = element + 1
        return borders

    @property
    def end(self) -> int:
        """How many elements there are."""
        return len(self._offsets) - 1

    def element(self, place: int) -> int:
        """The element of the shown character after a place."""
        return self._elements[place]

    def border(self, place: int) -> int:
        """The element that a part beginning at a place begins with; what closes there belongs to the part before."""
        return self._borders[place]

    def is_held(self, element: int) -> bool:
        """Tell whether an element is a held stretch."""
        index = bisect_left(self._held, element)
        return index < len(self._held) and self._held[index] == element

    def cost(self, start: int, end: int) -> int:
        """What the shown characters between two places cost, in hundredths of a token.

        Markers of bare stretches count as well, but for those at its ends: they will not be in the segment.
        """
        return self.cost_up_to(end) - self.cost_before(start)

    def cost_before(self, place: int) -> int:
        """What stands before a place costs, bare stretches there included; it grows with the place."""
        if place == len(self.shown):
            return self.cost_up_to(place)
        return self._costs[place] + self._bare_cost(place)

    def cost_up_to(self, place: int) -> int:
        """What stands before a place costs, bare stretches there left out; it grows with the place."""
        return self._costs[place] + self._bare_cost(place - 1) if place else 0

    def _bare_cost(self, place: int) -> int:
        return (self._elements[place] - place) * MARKER_TOKENS * TOKEN_COST

    def with_twins(self, first: int, last: int, start: int, end: int) -> tuple[int, int]:
        """Widen the elements from `first` to `last` by the twins of what they hold that lie between start and end."""
        if not self._partners:
            return first, last
        waiting = self._held_in(first, last)
        while waiting:
            partner = self._partners.get(waiting.pop(), first)
            if start <= partner < first:
                waiting += self._held_in(partner, first)
                first = partner
            elif last <= partner < end:
                waiting += self._held_in(last, partner + 1)
                last = partner + 1
        return first, last

    def _held_in(self, start: int, end: int) -> list[int]:
        return self._held[bisect_left(self._held, start) : bisect_left(self._held, end)]

    def _between(self, start: int, end: int) -> tuple[Held, ...]:
        return self.run.held[bisect_left(self._held, start) : bisect_left(self._held, end)]

    def run_of(self, start: int, end: int) -> Run:
        """The elements from `start` to `end` as a run of their own."""
        offset = self._offsets[start]
        if not self._held:
            return Run(self.run.text[offset : self._offsets[end]], escaping=self.run.escaping)
        held = tuple(
            Held(one.start - offset, one.end - offset, one.kind, one.becomes, one.twin, one.bare)
            for one in self._between(start, end)
        )
        return Run(self.run.text[offset : self._offsets[end]], held, self.run.escaping)

    def literal(self, start: int, end: int) -> Iterator[Part]:
        """The elements from `start` to `end` as the format writes them, untranslated."""
        if start == end:
            return
        offset = self._offsets[start]
        for held in self._between(start, end):
            yield escaped(self.run.text[offset : held.start], self.run.escaping)
            yield from held.becomes
            offset = held.end
        yield escaped(self.run.text[offset : self._offsets[end]], self.run.escaping)


def _shown_as(run: Run, held: Held) -> str:
    text = run.text[held.start : held.end]
    # Around a sentence an emoji says nothing that its translation depends on, and no mark is seen through it.
    if held.bare or held.kind == "emoji":
        return " " if text[:1].isspace() else ""
    return _NUMBER if _STANDS_FOR_NUMBER.match(text) else _WORD


def _partners(run: Run, elements: Sequence[int]) -> dict[int, int]:
    """The element of each twin's other end."""
    opened: dict[int, int] = {}
    partners: dict[int, int] = {}
    for held, element in zip(run.held, elements, strict=True):
        if held.twin is None:
            continue
        opening = opened.pop(held.twin, None)
        if opening is None:
            opened[held.twin] = element
        else:
            partners |= {opening: element, element: opening}
    return partners

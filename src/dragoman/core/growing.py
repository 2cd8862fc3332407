"""A translation that is still being written: what of it can be shown already. No I/O."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence

from msgspec import structs

from dragoman.text import marks
from dragoman.text.marks import Masked
from dragoman.text.parts import Part, Run, runs_in

_MAY_OPEN = re.compile("[<＜〈⟨{｛&]")
_LONGEST_MARKER = len("&lt;  /  123456  /  &gt;")


def restored_so_far(masked: Masked, text: str, is_ready: Callable[[Run], bool]) -> tuple[Part, ...] | None:
    """The translation so far with what is held in its places; None where that cannot be told from this text.

    What may be the beginning of a marker is left out, and so is a marker behind which no word has come: where the white
    space beside it belongs is known only then. It ends before what holds a run that is not ready.
    """
    text = text[: _end_of_ready(masked, text, is_ready)]
    seen = list(masked.form.pattern.finditer(text))
    opening = _MAY_OPEN.search(text, max(seen[-1].end() if seen else 0, len(text) - _LONGEST_MARKER))
    settled = text[: opening.start()] if opening else text
    while seen and not settled[seen[-1].end() :].strip():
        settled = settled[: seen.pop().start()]
    return marks.restore(_only(masked, [int(one[2]) for one in seen]), settled.rstrip())


def _end_of_ready(masked: Masked, text: str, is_ready: Callable[[Run], bool]) -> int:
    held = zip(masked.run.held, masked.marks, strict=True)
    waiting = {mark.number for one, mark in held if not all(map(is_ready, runs_in(one.becomes)))}
    places = (found.start() for found in masked.form.pattern.finditer(text) if int(found[2]) in waiting)
    return next(places, len(text)) if waiting else len(text)


def _only(masked: Masked, numbers: Sequence[int]) -> Masked:
    """As if no more were held than the markers of these numbers stand for; the first of a twin opens."""
    if len(numbers) == len(masked.marks):
        return masked
    left = Counter(numbers)
    kept = []
    for held, mark in zip(masked.run.held, masked.marks, strict=True):
        if left[mark.number]:
            left[mark.number] -= 1
            kept.append((held, mark))
    run = structs.replace(masked.run, held=tuple(held for held, _ in kept))
    return structs.replace(masked, run=run, marks=tuple(mark for _, mark in kept))

"""What is told of a request while it is worked on. `item` counts texts times targets and `segment` the sentences of an
item, both from 0 and in the order of the whole answer.

The text of an item is that of its segments, each after what stands before it, and what stands after the last. Words are
told as the engine makes them, before anybody could check them, so a segment's text may be taken back as a whole.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from dragoman.errors import DragomanError
from dragoman.types import Detected, Finding, Timings, Tokens, Translation


class ItemStarted(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A text in one target language, and how many segments it has. `text` is the number of the text."""

    item: int
    text: int
    target: str
    source: str
    segments: int
    detected: Detected | None = None


class SegmentStarted(Struct, frozen=True):
    """From here on this segment's text is written. `before` is what stands between it and the one before it."""

    item: int
    segment: int
    source: str
    before: str


class SegmentDelta(Struct, frozen=True):
    """More of the segment's text."""

    item: int
    segment: int
    text: str


class SegmentReplaced(Struct, frozen=True):
    """The whole text of the segment is this instead."""

    item: int
    segment: int
    text: str


class SegmentDone(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The segment's final text, and what the checks say of it; `remembered`: it came from the memory."""

    item: int
    segment: int
    text: str
    findings: Sequence[Finding]
    remembered: bool
    confidence: float | None = None


class ItemDone(Struct, frozen=True):
    """The translation as the whole answer has it. `after` is what stands after the last segment."""

    item: int
    translation: Translation
    after: str


class ItemFailed(Struct, frozen=True):
    """There is no translation, whatever was told of it."""

    item: int
    error: DragomanError


class Done(Struct, frozen=True):
    """The end: how many items there are and how many of them failed, and the stage times of the slowest."""

    translations: int
    failed: int
    tokens: Tokens
    timings: Timings


Event = ItemStarted | SegmentStarted | SegmentDelta | SegmentReplaced | SegmentDone | ItemDone | ItemFailed | Done

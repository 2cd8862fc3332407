"""What streams say on Dragoman's own routes: each event of the core has a name and a JSON object."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from dragoman.core.events import (
    Done,
    Event,
    ItemDone,
    ItemFailed,
    ItemStarted,
    SegmentDelta,
    SegmentDone,
    SegmentReplaced,
    SegmentStarted,
)
from dragoman.server.problems import Failure, problem_of
from dragoman.server.schemas import ItemError, TranslatedItem, item_error, translated_item

ERROR = "error"
"""The event of a request that failed as a whole after its stream began. Its data is a problem (RFC 9457)."""

_NAMES: dict[type[Event], str] = {
    ItemStarted: "item.started",
    SegmentStarted: "segment.started",
    SegmentDelta: "segment.delta",
    SegmentReplaced: "segment.replaced",
    SegmentDone: "segment.done",
    ItemDone: "item.done",
    ItemFailed: "item.failed",
    Done: "done",
}


class _TranslationOfItem(Struct, frozen=True):
    item: int
    translation: TranslatedItem
    after: str


class _ErrorOfItem(Struct, frozen=True):
    item: int
    error: ItemError


def in_words(event: Event, request_id: str) -> tuple[str, bytes]:
    """The name of an event, and its JSON object."""
    return _NAMES[type(event)], msgspec.json.encode(_object(event, request_id))


def _object(event: Event, request_id: str) -> Struct:
    match event:
        case ItemDone(item, translation, after):
            return _TranslationOfItem(item, translated_item(translation), after)
        case ItemFailed(item, error):
            return _ErrorOfItem(item, item_error(problem_of(error, request_id), error))
        case _:
            return event


def sse(name: str, data: bytes) -> bytes:
    """One server-sent event (WHATWG HTML, section 9.2)."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), data)


class NativeEvents:
    """Dragoman's own stream of server-sent events."""

    def __init__(self, request_id: str) -> None:
        self._request_id = request_id

    def event(self, event: Event) -> bytes:
        return sse(*in_words(event, self._request_id))

    def failure(self, failure: Failure) -> bytes:
        return sse(ERROR, msgspec.json.encode(failure.problem))

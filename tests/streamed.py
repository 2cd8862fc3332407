"""A reader of streams: keeps the text as a page would, and fails where a stream breaks its own rules."""

from __future__ import annotations

from typing import Any

import msgspec

from dragoman.core.events import Done
from dragoman.core.translator import Translator
from dragoman.server.live.wire import in_words
from dragoman.types import TranslateRequest

Events = list[tuple[str, dict[str, Any]]]


class Reading:
    """What has been read of one stream: `texts` by item and segment, `shown` every text that an item had, `items` as
    they came in the end.
    """

    def __init__(self) -> None:
        self.started: dict[int, dict[str, Any]] = {}
        self.before: dict[int, list[str]] = {}
        self.texts: dict[int, list[str]] = {}
        self.done: dict[int, list[dict[str, Any]]] = {}
        self.shown: dict[int, list[str]] = {}
        self.items: dict[int, dict[str, Any]] = {}
        self.end: dict[str, Any] | None = None

    def read(self, name: str, data: dict[str, Any]) -> None:
        """Take the next event."""
        assert self.end is None, "nothing comes after the end"
        getattr(self, "_" + name.replace(".", "_"))(data)
        if name.startswith("segment."):
            self.shown[data["item"]].append(self.text(data["item"]))

    def text(self, item: int) -> str:
        """The item's text as it stands."""
        return "".join(before + text for before, text in zip(self.before[item], self.texts[item], strict=True))

    def _item_started(self, data: dict[str, Any]) -> None:
        item = data["item"]
        assert item not in self.started
        self.started[item] = data
        self.before[item], self.texts[item], self.done[item], self.shown[item] = [], [], [], []

    def _segment_started(self, data: dict[str, Any]) -> None:
        texts = self.texts[data["item"]]
        assert data["segment"] == len(texts), "segments are written in order"
        self.before[data["item"]].append(data["before"])
        texts.append("")

    def _segment_delta(self, data: dict[str, Any]) -> None:
        assert data["text"]
        self.texts[data["item"]][data["segment"]] += data["text"]

    def _segment_replaced(self, data: dict[str, Any]) -> None:
        assert data["text"] != self.texts[data["item"]][data["segment"]]
        self.texts[data["item"]][data["segment"]] = data["text"]

    def _segment_done(self, data: dict[str, Any]) -> None:
        done = self.done[data["item"]]
        assert data["segment"] == len(done), "segments are done in order"
        assert data["text"] == self.texts[data["item"]][data["segment"]]
        done.append(data)

    def _item_done(self, data: dict[str, Any]) -> None:
        item = data["item"]
        assert len(self.done[item]) == self.started[item]["segments"], "every segment is done"
        assert self.text(item) + data["after"] == data["translation"]["text"]
        self.items[item] = data["translation"]

    def _item_failed(self, data: dict[str, Any]) -> None:
        self.items[data["item"]] = {"error": data["error"]}

    def _done(self, data: dict[str, Any]) -> None:
        assert len(self.items) == len(self.started) == data["translations"]
        assert data["failed"] == sum("error" in item for item in self.items.values())
        self.end = data


async def streamed(translator: Translator, request: TranslateRequest) -> tuple[Reading, Events]:
    """Read a whole stream from the core, in the words in which it goes over the wire."""
    reading, events = Reading(), Events()
    async with translator.stream(request) as telling:
        while reading.end is None:
            for event in await telling.news():
                name, data = in_words(event, "request")
                events.append((name, msgspec.json.decode(data)))
                reading.read(*events[-1])
                assert (name == "done") == isinstance(event, Done)
    return reading, events

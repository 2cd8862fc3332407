"""Translations written to a terminal as they are made, one below the other."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import unicodedata
from typing import BinaryIO

from msgspec import structs

from dragoman.cli.lines import Line
from dragoman.cli.records import Answer, Records
from dragoman.core.events import (
    Done,
    Event,
    ItemDone,
    ItemFailed,
    SegmentDelta,
    SegmentReplaced,
    SegmentStarted,
)
from dragoman.core.translator import Translator
from dragoman.errors import DragomanError
from dragoman.types import TranslateRequest, Translation


def is_watched() -> bool:
    """Whether somebody looks at the output, on a terminal whose cursor can go back."""
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


async def stream(translator: Translator, records: Records, line: Line) -> Answer:
    """Write each translation of a line as it is made, an empty line where it failed; what is left to be reported."""
    try:
        request = records.parse(line)
        results = [
            await _write(translator, structs.replace(request, targets=(target,)), GrowingText(sys.stdout.buffer))
            for target in request.targets
        ]
    except DragomanError as error:
        return structs.replace(records.refused(line, error), output=b"")
    return structs.replace(records.translated(line, request, results), output=b"")


async def _write(translator: Translator, request: TranslateRequest, screen: GrowingText) -> Translation | DragomanError:
    text = TextSoFar()
    async with translator.stream(request) as telling:
        while not text.is_over:
            for event in await telling.news():
                text.take(event)
            # In a thread: a terminal that is paused must not stop the event loop.
            await asyncio.to_thread(screen.show, text.so_far)
    assert text.result is not None
    await asyncio.to_thread(screen.show, f"{text.so_far}\n")
    return text.result


class TextSoFar:
    """The text of a stream's only item. The mutable state is its pieces, and what it came to at the end."""

    def __init__(self) -> None:
        self._before: list[str] = []
        self._texts: list[str] = []
        self._after = ""
        self.result: Translation | DragomanError | None = None
        self.is_over = False

    @property
    def so_far(self) -> str:
        """The text as it stands; nothing where there is no translation."""
        if isinstance(self.result, DragomanError):
            return ""
        pieces = (before + text for before, text in zip(self._before, self._texts, strict=True))
        return "".join(pieces) + self._after

    def take(self, event: Event) -> None:
        """Follow an event."""
        match event:
            case SegmentStarted():
                self._before.append(event.before)
                self._texts.append("")
            case SegmentDelta():
                self._texts[event.segment] += event.text
            case SegmentReplaced():
                self._texts[event.segment] = event.text
            case ItemDone():
                self.result, self._after = event.translation, event.after
            case ItemFailed():
                self.result = event.error
            case Done():
                self.is_over = True


class GrowingText:
    """A text on a terminal; where it becomes another, as far as it is on the screen, it is written anew."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._shown = ""

    def show(self, text: str) -> None:
        """Let this text stand there, and the cursor behind it."""
        if text == self._shown:
            return
        if text.startswith(self._shown):
            words = text[len(self._shown) :]
        else:
            words = going_back(self._shown, *shutil.get_terminal_size()) + text
        self._out.write(words.encode())
        self._out.flush()
        self._shown = text


def going_back(text: str, columns: int, rows: int) -> str:
    """The control sequences (ECMA-48) that erase a text of which the cursor stands at the end."""
    taken = sum(max(1, -(-_width(line) // columns)) for line in text.split("\n"))
    up = min(taken, rows) - 1
    return "\r" + (f"\x1b[{up}A" if up else "") + "\x1b[J"


def _width(line: str) -> int:
    """How many columns a line takes: two for a wide character, none for a mark on another."""
    return sum(
        0 if unicodedata.combining(letter) else 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        for letter in line.expandtabs()
    )

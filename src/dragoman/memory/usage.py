"""What callers use: requests and characters, counted by the windows of the clock, in RAM until a file has them.

Windows are fixed and in UTC: a calendar minute, day and month. So they mean the same to several processes and after a
restart, and a caller may use a minute's worth on either side of its edge.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Literal, NamedTuple

from dragoman.settings import DAY_S

MINUTE_S = 60

Period = Literal["minute", "day", "month"]


class Window(NamedTuple):
    """A period that begins at `start`, in Unix seconds."""

    period: Period
    start: int


class Windows(NamedTuple):
    """The windows of one moment."""

    minute: Window
    day: Window
    month: Window


class Used(NamedTuple):
    """What was used in a window."""

    requests: int = 0
    characters: int = 0


NOTHING = Used()

Counts = dict[tuple[str, Window], Used]
"""What was used, by the id of the key and the window."""


def windows_of(now: float) -> Windows:
    """The windows that a moment, in Unix seconds, lies in."""
    return _windows_from(int(now) // MINUTE_S * MINUTE_S)


@lru_cache(maxsize=2)  # every request asks
def _windows_from(minute: int) -> Windows:
    day = minute - minute % DAY_S
    month = day - (datetime.fromtimestamp(day, UTC).day - 1) * DAY_S
    return Windows(Window("minute", minute), Window("day", day), Window("month", month))


class Meter:
    """Counts in RAM of what is used here, beside what a file says of all processes.

    Mutable state: `_used` is all that is known, `_fresh` what of it was counted since it was last given to be written,
    `_leaving` what is on its way to the file.
    """

    def __init__(self) -> None:
        self._used: Counts = {}
        self._fresh: Counts = {}
        self._leaving: Counts = {}

    def used(self, key_id: str, window: Window) -> Used:
        """What a caller used in a window, here and as far as is known in other processes."""
        return self._used.get((key_id, window), NOTHING)

    def add(self, key_id: str, window: Window, used: Used) -> None:
        """Count something more."""
        _add(self._used, (key_id, window), used)
        _add(self._fresh, (key_id, window), used)

    def leave(self) -> Counts:
        """What is to be written to the file now: settled by `arrived` or `came_back`."""
        self._leaving, self._fresh = self._fresh, {}
        return self._leaving

    def arrived(self, kept: Counts | None) -> None:
        """It was written; `kept` is what the file holds now, None where nothing was written and nothing is new."""
        self._leaving = {}
        if kept is not None:
            self._used = dict(kept)
            for counted, used in self._fresh.items():
                _add(self._used, counted, used)

    def came_back(self) -> None:
        """It could not be written, and will be tried again."""
        for counted, used in self._leaving.items():
            _add(self._fresh, counted, used)
        self._leaving = {}


def _add(counts: Counts, counted: tuple[str, Window], used: Used) -> None:
    requests, characters = counts.get(counted, NOTHING)
    counts[counted] = Used(requests + used.requests, characters + used.characters)

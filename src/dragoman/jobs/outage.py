"""A whole engine that is away: everything waits, one text at a time asks whether it is back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from dragoman.errors import DragomanError

log = logging.getLogger(__name__)

FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 60.0


class Outage:
    """Whether the engine is away, and when it is to be asked again: after 1 s, 2 s, 4 s … and then every minute.

    The mutable state is `_wait_s`, 0 while the engine is there, and `_asking`, whether one text may go and see.
    """

    def __init__(self, ask_again: Callable[[], None]) -> None:
        self._ask_again = ask_again
        self._wait_s = 0.0
        self._asking = False
        self._timer: asyncio.TimerHandle | None = None

    def room(self, room: int) -> int:
        """How many texts may be out, of so many when all is well."""
        if not self._wait_s:
            return room
        return int(self._asking)

    def begin(self, error: DragomanError) -> None:
        """The engine was not there. Several tell so at once; the first is told on, and what fails while all wait is
        the same outage.
        """
        if self._timer is not None:
            return
        self._wait_s = min(LONGEST_WAIT_S, 2 * self._wait_s) or FIRST_WAIT_S
        self._asking = False
        log.warning("The engine is away; asking again in %g s: %s", self._wait_s, error.message)
        self._timer = asyncio.get_running_loop().call_later(self._wait_s, self._ask)

    def over(self) -> None:
        """The engine answered."""
        if self._wait_s:
            log.warning("The engine is back; the job goes on.")
        self.end()

    def end(self) -> None:
        """Wait for nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        self._wait_s = 0.0
        self._asking = False

    def _ask(self) -> None:
        self._timer = None
        self._asking = True
        self._ask_again()

"""The engine's slots, handed out in order of arrival."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Slots:
    """A counting lock whose size may change while it is held: a probe can learn how many slots an engine has.

    The mutable state is `_limit`, `_taken` and `_waiting`. A permit is either counted in `_taken` or does not exist:
    it passes straight from who leaves to who is next.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    def __repr__(self) -> str:
        return f"<Slots: {self._taken} of {self._limit} taken, {len(self._waiting)} waiting>"

    @property
    def limit(self) -> int:
        return self._limit

    @limit.setter
    def limit(self, limit: int) -> None:
        self._limit = limit
        self._hand_out()

    @property
    def taken(self) -> int:
        return self._taken

    @property
    def waiting(self) -> int:
        return sum(not turn.done() for turn in self._waiting)

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Wait for a free slot and hold it. Cancelling the wait leaves the queue; nothing leaks."""
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        self._hand_out()
        try:
            await turn
        except asyncio.CancelledError:
            # The turn may have come in the very moment of the cancel: then it is ours to give back.
            if not turn.cancelled():
                self._give_back()
            raise
        try:
            yield
        finally:
            self._give_back()

    def _give_back(self) -> None:
        self._taken -= 1
        self._hand_out()

    def _hand_out(self) -> None:
        while self._waiting and self._taken < self._limit:
            turn = self._waiting.popleft()
            if not turn.done():  # else its owner left while waiting
                self._taken += 1
                turn.set_result(None)

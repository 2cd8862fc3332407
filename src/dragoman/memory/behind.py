"""Writing behind: whoever puts an entry never waits for the store that keeps it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from dragoman.memory.base import Entry, Item

GATHER_S = 0.05
GROUP = 500


class WriteBehind:
    """Entries on their way to a slower store: bounded, found while they wait, and written in groups, one at a time.

    A group begins when it holds `GROUP` entries or `GATHER_S` after its first one: to wake a thread or a server for
    each entry costs more than to write it. `write` must not raise. Of the state, `_waiting` is the group that gathers,
    `_timer` what will begin it, `_writing` the group under way and `_task` who writes it.
    """

    def __init__(self, write: Callable[[Mapping[bytes, Entry]], Awaitable[None]], *, limit: int, name: str) -> None:
        self._write = write
        self._limit = limit
        self._name = name
        self._waiting: dict[bytes, Entry] = {}
        self._writing: dict[bytes, Entry] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    def add(self, items: Sequence[Item]) -> int:
        """Take the items, and return how many were dropped because `limit` entries wait already."""
        dropped = 0
        for key, entry in items:
            if self._closed or (len(self._waiting) >= self._limit and key not in self._waiting):
                dropped += 1
            else:
                self._waiting[key] = entry
        self._schedule()
        return dropped

    def get(self, key: bytes) -> Entry | None:
        return self._waiting.get(key) or self._writing.get(key)

    async def flush(self) -> None:
        """Write at once, and wait until nothing is on its way."""
        while self._waiting or self._task is not None:
            await asyncio.wait([self._task or self._begin()])

    async def aclose(self) -> None:
        self._closed = True
        await self.flush()

    def _schedule(self) -> None:
        if not self._waiting or self._task is not None:
            return
        if len(self._waiting) >= GROUP:
            self._begin()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(GATHER_S, self._begin)

    def _begin(self) -> asyncio.Task[None]:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._writing, self._waiting = self._waiting, {}
        self._task = asyncio.create_task(self._run(), name=self._name)
        return self._task

    async def _run(self) -> None:
        try:
            await self._write(self._writing)
        finally:
            self._writing = {}
            self._task = None
            self._schedule()

"""Writing behind: whoever puts an entry never waits for the store that keeps it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from dragoman.memory.base import Entry, Item


class WriteBehind:
    """Entries on their way to a slower store: bounded, found while they wait, and written in groups by one task.

    While one group is written the next one gathers, so a group is as large as the store is slow and nothing waits for a
    timer. `write` must not raise. Of the state, `_waiting` is the group that gathers, `_writing` the one under way.
    """

    def __init__(self, write: Callable[[Mapping[bytes, Entry]], Awaitable[None]], *, limit: int, name: str) -> None:
        self._write = write
        self._limit = limit
        self._name = name
        self._waiting: dict[bytes, Entry] = {}
        self._writing: dict[bytes, Entry] = {}
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
        if self._waiting and self._task is None:
            self._task = asyncio.create_task(self._run(), name=self._name)
        return dropped

    def get(self, key: bytes) -> Entry | None:
        return self._waiting.get(key) or self._writing.get(key)

    async def flush(self) -> None:
        """Wait until nothing is on its way."""
        while self._task is not None:
            await asyncio.wait([self._task])

    async def aclose(self) -> None:
        self._closed = True
        await self.flush()

    async def _run(self) -> None:
        try:
            while self._waiting:
                self._writing, self._waiting = self._waiting, {}
                await self._write(self._writing)
        finally:
            self._writing = {}
            self._task = None

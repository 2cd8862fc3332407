"""The keys of the durable tier's file, kept in RAM: what is not there is not asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from struct import Struct
from typing import Protocol, TypeVar

from dragoman.memory import sqlite_file
from dragoman.memory.keys import KEY_BYTES
from dragoman.memory.sqlite_file import Mark

BYTES_PER_KEY = 2
LEAST_CAPACITY = 50_000
SPARE_CAPACITY = 0.5
"""Room for new keys, as a share of those that are there: when it is used up, all are read again."""

FILL_PAUSE_S = 0.001
"""Between two steps of a fill, so that millions of keys take about a fifth of the event loop's time."""

R = TypeVar("R")
_probes = Struct(f"<{KEY_BYTES // 8}Q").unpack


class KeyFilter:
    """A set of keys that takes about one in 400 others for one of its own when it holds `capacity` keys (fewer before,
    more after), and never denies one that it holds. None can be taken out.

    A Bloom filter ("Space/time trade-offs in hash coding with allowable errors", 1970) with 16 bits a key. A key is a
    hash of `KEY_BYTES` already, so its own words are the four probes.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._bits = bytearray(capacity * BYTES_PER_KEY)
        self._added = 0

    @property
    def is_full(self) -> bool:
        """Whether more keys were added than it has the capacity for, each counted as often as it was added."""
        return self._added > self.capacity

    def __contains__(self, key: bytes) -> bool:
        bits = self._bits
        size = len(bits) * 8
        for probe in _probes(key):
            place = probe % size
            if not bits[place >> 3] >> (place & 7) & 1:
                return False
        return True

    def add(self, keys: Iterable[bytes]) -> None:
        bits = self._bits
        size = len(bits) * 8
        for key in keys:
            for probe in _probes(key):
                place = probe % size
                bits[place >> 3] |= 1 << (place & 7)
            self._added += 1


class Run(Protocol):
    """Runs a function of a connection, and its other arguments, in the thread of that connection."""

    def __call__(self, work: Callable[..., R], *args: object) -> Awaitable[R]: ...


class FileKeys:
    """What keys the file may hold, which other processes write too. It blocks nobody: until it has read all keys, it
    takes every key for one of them.

    Mutable state: `_mark` is how the file stood when it was looked at last, `_complete` is False while keys are read.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._filter = KeyFilter(LEAST_CAPACITY)
        self._mark: Mark | None = None
        self._complete = False

    def may_hold(self, key: bytes) -> bool:
        """False if the file does not hold the key, or holds it only since another process wrote it a moment ago."""
        return not self._complete or key in self._filter

    def add(self, keys: Iterable[bytes]) -> None:
        """Note keys that this process has written."""
        self._filter.add(keys)

    async def follow(self, rewritten: Callable[[], Awaitable[None]]) -> None:
        """Look what other processes wrote since the last look; call `rewritten` where the file was announced to be
        another one in parts. Raises sqlite3.Error.
        """
        before, now = self._mark, await self._run(sqlite_file.mark)
        if before is not None and now.generation != before.generation:
            self._complete = False
            await rewritten()
        if not self._complete or self._filter.is_full:
            await self._fill()
        elif before is not None and now.commits != before.commits:
            await self._add_rows(before.last_row)
        self._mark = now

    async def _fill(self) -> None:
        self._complete = False
        entries, _ = await self._run(sqlite_file.totals)
        self._filter = KeyFilter(max(LEAST_CAPACITY, int(entries * (1 + SPARE_CAPACITY))))
        keys, last_key = await self._run(sqlite_file.keys_after, b"")
        while keys:
            self._filter.add(keys)
            await asyncio.sleep(FILL_PAUSE_S)
            keys, last_key = await self._run(sqlite_file.keys_after, last_key)
        self._complete = True

    async def _add_rows(self, last_row: int) -> None:
        keys, last_row = await self._run(sqlite_file.keys_of_rows_after, last_row)
        while keys:
            self._filter.add(keys)
            keys, last_row = await self._run(sqlite_file.keys_of_rows_after, last_row)

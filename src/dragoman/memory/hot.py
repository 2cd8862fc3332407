"""The hot tier: finished segments in this process, found in about a microsecond."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar

from cachebox import LRUCache

from dragoman.memory.base import Entry, Item, Statistics

ENTRY_OVERHEAD_BYTES = 350
"""What an entry weighs beside its two texts: key, objects and the cache's own links (measured: 340)."""

FORGOTTEN_AT_ONCE = 1_000

V = TypeVar("V")


class SegmentedLRU(Generic[V]):
    """A cache in two halves: what was seen once waits in the first, what was asked for again lives in the second.

    A bulk job's segments, each seen once, pass through the first half and leave the second alone; and unlike a policy
    that counts (LFU), it forgets yesterday's favourites (`python -m bench hot_memory`). After the segmented LRU of
    Karedla, Love and Wherry, "Caching strategies to improve disk system performance" (1994).
    """

    def __init__(self, max_bytes: int, size_of: Callable[[bytes, V], int]) -> None:
        self._size_of = size_of
        self._seen_once: LRUCache[bytes, V] = LRUCache(max_bytes // 2, getsizeof=size_of)
        self._wanted: LRUCache[bytes, V] = LRUCache(max_bytes // 2, getsizeof=size_of)

    def __len__(self) -> int:
        return len(self._wanted) + len(self._seen_once)

    @property
    def size_bytes(self) -> int:
        return self._wanted.current_size() + self._seen_once.current_size()

    def get(self, key: bytes) -> V | None:
        """The value, which is then known to be wanted, or None."""
        if (value := self._wanted.get(key)) is not None:
            return value
        if (value := self._seen_once.get(key)) is not None:
            del self._seen_once[key]
            self._want(key, value)
        return value

    def put(self, key: bytes, value: V) -> bool:
        """Keep a value, in place of the key's last one. False where it alone is larger than a half."""
        if self._size_of(key, value) > self._wanted.maxsize:
            return False
        if key in self._wanted:
            del self._wanted[key]
            self._want(key, value)
        else:
            self._seen_once.insert(key, value)
        return True

    def shrink(self, to_bytes: int) -> None:
        """Forget the least wanted until no more than `to_bytes` are held. It may grow to its bound again."""
        for half in (self._seen_once, self._wanted):
            while half and self.size_bytes > to_bytes:
                half.popitem()
            half.shrink_to_fit()

    def drain(self, count: int) -> int:
        """Forget that many values, in no order that matters, and return how many there still were."""
        return self._seen_once.drain(count) or self._wanted.drain(count)

    def _want(self, key: bytes, value: V) -> None:
        size = self._size_of(key, value)
        while self._wanted.remaining_size() < size:
            self._seen_once.insert(*self._wanted.popitem())
        self._wanted.insert(key, value)


class HotMemory:
    """A Memory in RAM. `max_bytes` bounds the RAM it takes, and with it the number of entries.

    `get` and `put` answer without an event loop.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._cache: SegmentedLRU[Entry] = SegmentedLRU(max_bytes, _size_of)
        self._hits = self._misses = self._dropped = 0

    def get(self, key: bytes) -> Entry | None:
        entry = self._cache.get(key)
        if entry is None:
            self._misses += 1
        else:
            self._hits += 1
        return entry

    def put(self, key: bytes, entry: Entry) -> None:
        if not self._cache.put(key, entry):
            self._dropped += 1

    @property
    def size_bytes(self) -> int:
        """The RAM its entries take."""
        return self._cache.size_bytes

    def shrink(self, to_bytes: int) -> None:
        """Give RAM back: forget the least wanted entries until no more than `to_bytes` are held."""
        self._cache.shrink(to_bytes)

    async def forget(self) -> None:
        """Forget everything: at once for whoever looks, while the RAM is given back bit by bit, for freeing a million
        entries in one go would hold the event loop.
        """
        forgotten, self._cache = self._cache, SegmentedLRU(self._max_bytes, _size_of)
        while forgotten.drain(FORGOTTEN_AT_ONCE):  # noqa: ASYNC110 - the loop works, and lets others work
            await asyncio.sleep(0)

    async def get_many(self, keys: Sequence[bytes]) -> list[Entry | None]:
        return [self.get(key) for key in keys]

    async def put_many(self, items: Sequence[Item]) -> None:
        for key, entry in items:
            self.put(key, entry)

    def statistics(self) -> Mapping[str, Statistics]:
        held = Statistics(
            hits=self._hits,
            misses=self._misses,
            dropped=self._dropped,
            entries=len(self._cache),
            bytes=self.size_bytes,
        )
        return {"hot": held}

    async def aclose(self) -> None:
        self.shrink(0)


def _size_of(_: bytes, entry: Entry) -> int:
    return sys.getsizeof(entry.text) + sys.getsizeof(entry.translation) + ENTRY_OVERHEAD_BYTES

"""The memory as the rest of Dragoman sees it: a hot tier, and below it a shared and a durable one where configured."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol, TypeVar

from dragoman.memory.base import Entry, Item, Memory, Statistics
from dragoman.memory.hot import HotMemory

log = logging.getLogger(__name__)

R = TypeVar("R")


class Durable(Memory, Protocol):
    """A tier that people's translations are brought into from outside, while this process uses it."""

    def may_hold(self, key: bytes) -> bool:
        """False if the tier does not hold the key; told at once."""
        ...

    def watch(self, rewritten: Callable[[], Awaitable[None]]) -> None:
        """Call `rewritten` whenever entries were replaced or deleted from outside."""
        ...


class TieredMemory:
    """A Memory of up to three tiers: asked from the hottest down, and what a lower one knew is put into those above.

    What comes into the durable tier from outside wins from the moment that tier knows of it: the hot tier forgets
    everything then, and in `first_of` it gives way where the durable tier may know better.

    It owns the tiers and closes them. A lower tier that raises counts as one that knows nothing.
    """

    def __init__(self, hot: HotMemory, shared: Memory | None = None, durable: Durable | None = None) -> None:
        self._hot = hot
        self._durable = durable
        if durable is not None:
            durable.watch(hot.forget)
        self._lower: list[Memory] = [tier for tier in (shared, durable) if tier is not None]
        self._failing: set[Memory] = set()

    def peek(self, keys: Sequence[bytes]) -> list[Entry | None]:
        """Look into the hot tier only, without an event loop: same order, same length."""
        return [self._hot.get(key) for key in keys]

    async def first_of(self, choices: Sequence[Sequence[bytes]]) -> list[Entry | None]:
        """Look the first key up of each choice that is known, as a person's before an engine's: same order, same
        length, None where none is. The tiers below are asked only where they may know better than the hot one.
        """
        entries = [self._first_hot(choice) for choice in choices]
        missing = [index for index, entry in enumerate(entries) if entry is None]
        found = iter(await self.get_many([key for index in missing for key in choices[index]]) if missing else ())
        for index in missing:
            known = [next(found) for _ in choices[index]]
            entries[index] = next((entry for entry in known if entry is not None), None)
        return entries

    async def get_many(self, keys: Sequence[bytes]) -> list[Entry | None]:
        entries = self.peek(keys)
        if None in entries and self._lower:
            missing = [key for key, entry in zip(keys, entries, strict=True) if entry is None]
            found = await self._search(list(dict.fromkeys(missing)))
            entries = [entry or found.get(key) for key, entry in zip(keys, entries, strict=True)]
        return entries

    async def put_many(self, items: Sequence[Item]) -> None:
        await self._hot.put_many(items)
        for tier in self._lower:
            await self._guarded(tier, tier.put_many(items))

    def shrink_hot(self, kept_share: float) -> None:
        """Give RAM back: forget the hot tier's least wanted entries, and keep this share of its bytes."""
        self._hot.shrink(int(self._hot.size_bytes * kept_share))

    def statistics(self) -> Mapping[str, Statistics]:
        return {name: held for tier in (self._hot, *self._lower) for name, held in tier.statistics().items()}

    async def aclose(self) -> None:
        await self._hot.aclose()
        for tier in self._lower:
            await self._guarded(tier, tier.aclose())

    def _first_hot(self, choice: Sequence[bytes]) -> Entry | None:
        for key in choice:
            if (entry := self._hot.get(key)) is not None:
                return entry
            if self._durable is not None and self._durable.may_hold(key):
                return None
        return None

    async def _search(self, keys: list[bytes]) -> dict[bytes, Entry]:
        """Ask the lower tiers for `keys`, each for what those above it do not know."""
        found: dict[bytes, Entry] = {}
        for depth, tier in enumerate(self._lower):
            wanted = [key for key in keys if key not in found]
            answers = await self._guarded(tier, tier.get_many(wanted)) if wanted else None
            items = [(key, entry) for key, entry in zip(wanted, answers or (), strict=False) if entry is not None]
            found.update(items)
            if items:
                await self._promote(items, self._lower[:depth])
        return found

    async def _promote(self, items: Sequence[Item], above: Sequence[Memory]) -> None:
        await self._hot.put_many(items)
        for tier in above:
            await self._guarded(tier, tier.put_many(items))

    async def _guarded(self, tier: Memory, call: Awaitable[R]) -> R | None:
        """The call's result, or None if it raised. A cache must never fail a translation."""
        try:
            result = await call
        except Exception:
            if tier not in self._failing:
                self._failing.add(tier)
                log.exception("The memory's tier %s failed and is left out while it does.", type(tier).__name__)
            return None
        self._failing.discard(tier)
        return result

"""The seam between Dragoman and whatever keeps finished segments.

A tier is a cache: it may forget, and it never makes a translation fail or wait. Only what is worth repeating is put in:
no truncated, failed or faulty output, and nothing from a request that asked for `no_store`. Matches are exact.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeAlias

from msgspec import Struct

from dragoman.types import Pair

Item: TypeAlias = "tuple[bytes, Entry]"
"""An entry under its key (see `memory.keys`)."""


class Entry(Struct, frozen=True, gc=False):
    """One finished segment: `text` in the pair's source language and its translation.

    `model` None says that a person wrote the translation. `made_at` is in Unix seconds.
    """

    text: str
    pair: Pair
    translation: str
    model: str | None
    made_at: int


class Statistics(Struct, frozen=True, kw_only=True):
    """What a tier did since it was opened, and what it holds; None where it cannot know.

    `dropped` counts entries that were not kept because the tier was behind, full, broken or out of reach.
    """

    hits: int = 0
    misses: int = 0
    dropped: int = 0
    entries: int | None = None
    bytes: int | None = None


class Memory(Protocol):
    """A store of finished segments. Safe for concurrent calls from one event loop; only `aclose` may take long."""

    async def get_many(self, keys: Sequence[bytes]) -> list[Entry | None]:
        """Look each key up: same order, same length, None for what is not there."""
        ...

    async def put_many(self, items: Sequence[Item]) -> None:
        """Keep the items; the last of two with one key wins. May drop any, and says so only in `statistics`."""
        ...

    def statistics(self) -> Mapping[str, Statistics]:
        """Statistics by the name of the tier."""
        ...

    async def aclose(self) -> None:
        """Finish what was put and free what the tier holds. Afterwards it knows nothing. Closing twice is fine."""
        ...

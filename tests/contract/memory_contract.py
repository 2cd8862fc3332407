"""What every memory promises. A test module for a tier inherits `MemoryContract` and fills in the fixture."""

from __future__ import annotations

import asyncio
import time
from hashlib import blake2b

import pytest

from dragoman.memory.base import Entry, Item, Memory
from dragoman.types import Pair

EN_DE = Pair("en", "de")
MODEL = "translategemma-4b"
MADE_AT = int(time.time())


def key(name: str) -> bytes:
    return blake2b(name.encode(), digest_size=32).digest()


def entry(text: str, translation: str | None = None, model: str | None = MODEL) -> Entry:
    return Entry(text, EN_DE, translation or f"{text} auf Deutsch", model, MADE_AT)


def item(text: str) -> Item:
    return key(text), entry(text)


class MemoryContract:
    """Inherit, and give an async fixture `memory` that yields an opened, empty memory and closes it."""

    async def test_what_was_put_is_got(self, memory: Memory) -> None:
        kept = entry("Good morning.")

        await memory.put_many([(key("a"), kept)])

        assert await memory.get_many([key("a")]) == [kept]

    async def test_answers_come_in_the_order_and_number_of_the_keys(self, memory: Memory) -> None:
        items = [item(f"Sentence {number}.") for number in range(1_200)]
        await memory.put_many(items)
        keys = [items[7][0], key("missing"), items[0][0], items[7][0], items[1_199][0]]

        found = await memory.get_many(keys)

        assert found == [items[7][1], None, items[0][1], items[7][1], items[1_199][1]]
        assert await memory.get_many([kept_key for kept_key, _ in items]) == [kept for _, kept in items]

    async def test_no_keys_give_no_entries(self, memory: Memory) -> None:
        await memory.put_many([])

        assert await memory.get_many([]) == []

    async def test_the_last_of_two_entries_under_one_key_wins(self, memory: Memory) -> None:
        first, second, third = entry("Hi.", "Eins"), entry("Hi.", "Zwei"), entry("Hi.", "Drei")

        await memory.put_many([(key("a"), first), (key("a"), second)])
        assert await memory.get_many([key("a")]) == [second]
        await memory.put_many([(key("a"), third)])

        assert await memory.get_many([key("a")]) == [third]

    async def test_a_translation_by_a_person_has_no_model(self, memory: Memory) -> None:
        await memory.put_many([(key("a"), entry("Hi.", "Hallo.", model=None))])

        (found,) = await memory.get_many([key("a")])

        assert found is not None
        assert found.model is None

    @pytest.mark.parametrize(
        "text", ["日本語のテキスト。", "مرحبا", "👩‍👩‍👧‍👦", "a\x00b", "e\u0301 é", "tab\tand\nline", "\ufeffx"]
    )
    async def test_any_unicode_comes_back_as_it_was(self, memory: Memory, text: str) -> None:
        kept = entry(text, text[::-1])

        await memory.put_many([(key("a"), kept)])

        assert await memory.get_many([key("a")]) == [kept]

    async def test_a_lone_surrogate_is_kept_or_left_out_and_harms_no_other_entry(self, memory: Memory) -> None:
        broken = entry("half a \ud83d pair")

        await memory.put_many([(key("a"), broken), item("Good morning.")])
        found, other = await memory.get_many([key("a"), key("Good morning.")])

        assert found in (None, broken)
        assert other is not None

    async def test_a_large_entry_comes_back_whole(self, memory: Memory) -> None:
        kept = entry("long " * 20_000, "lang " * 20_000)

        await memory.put_many([(key("a"), kept)])

        assert await memory.get_many([key("a")]) == [kept]

    async def test_many_callers_at_once_each_get_their_own_entries(self, memory: Memory) -> None:
        async def caller(number: int) -> list[Entry | None]:
            mine = item(f"Caller {number}.")
            await memory.put_many([mine])
            return await memory.get_many([mine[0], key("missing")])

        answers = await asyncio.gather(*(caller(number) for number in range(50)))

        assert [found.text for found, _ in answers if found] == [f"Caller {number}." for number in range(50)]
        assert {missing for _, missing in answers} == {None}

    async def test_hits_and_misses_are_counted(self, memory: Memory) -> None:
        await memory.put_many([item("Good morning.")])
        await memory.get_many([key("Good morning."), key("missing"), key("missing too")])

        statistics = memory.statistics()

        assert sum(tier.hits for tier in statistics.values()) == 1
        assert max(tier.misses for tier in statistics.values()) == 2

    async def test_a_closed_memory_knows_nothing_and_may_be_closed_again(self, memory: Memory) -> None:
        await memory.put_many([item("Good morning.")])
        await memory.aclose()
        await memory.aclose()

        assert await memory.get_many([key("Good morning.")]) == [None]

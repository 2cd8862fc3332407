"""The hot tier keeps what is wanted inside its bound."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.memory.hot import ENTRY_OVERHEAD_BYTES, FORGOTTEN_AT_ONCE, HotMemory, SegmentedLRU
from tests.contract.memory_contract import MemoryContract, entry, item, key

MB = 1_000_000


@pytest.fixture
async def memory() -> AsyncIterator[HotMemory]:
    hot = HotMemory(max_bytes=4_000_000)
    yield hot
    await hot.aclose()


class TestHotMemory(MemoryContract):
    pass


def of_entries(count: int) -> SegmentedLRU[str]:
    """A cache for `count` values, each of size 1."""
    return SegmentedLRU(count, lambda key, value: 1)


def test_get_and_put_need_no_event_loop() -> None:
    hot = HotMemory(max_bytes=100_000)

    hot.put(*item("Good morning."))

    assert hot.get(key("Good morning.")) == item("Good morning.")[1]


def test_a_thousand_keys_seen_once_leave_what_is_wanted_alone() -> None:
    cache = of_entries(20)
    cache.put(b"wanted", "kept")
    cache.get(b"wanted")

    for number in range(1_000):
        cache.put(number.to_bytes(4, "big"), "seen once")

    assert cache.get(b"wanted") == "kept"
    assert len(cache) == 11


def test_yesterdays_favourites_are_forgotten_when_others_are_wanted() -> None:
    cache = of_entries(20)
    for round_number in range(200):
        for letter in b"abcdefghij" if round_number < 190 else b"klmnopqrst":
            if cache.get(bytes([letter])) is None:
                cache.put(bytes([letter]), "value")

    assert all(cache.get(bytes([letter])) for letter in b"klmnopqrst")


def test_an_entry_larger_than_half_the_bound_is_dropped_and_counted() -> None:
    hot = HotMemory(max_bytes=2_000)

    hot.put(key("a"), entry("x" * 2_000))

    assert hot.get(key("a")) is None
    assert hot.statistics()["hot"].dropped == 1


def test_short_texts_cannot_make_the_number_of_entries_grow_without_bound() -> None:
    hot = HotMemory(max_bytes=100 * ENTRY_OVERHEAD_BYTES)
    for number in range(1_000):
        hot.put(*item(str(number)))
        hot.get(key(str(number)))

    held = hot.statistics()["hot"]

    assert held.entries is not None
    assert 50 < held.entries < 100


def test_shrinking_forgets_what_was_seen_once_before_what_is_wanted_and_growing_goes_on_afterwards() -> None:
    cache = of_entries(20)
    for letter in b"abcdefghij":
        cache.put(bytes([letter]), "value")
    for letter in b"abc":
        cache.get(bytes([letter]))

    cache.shrink(3)

    assert len(cache) == cache.size_bytes == 3
    assert all(cache.get(bytes([letter])) for letter in b"abc")
    cache.put(b"z", "value")
    assert cache.get(b"z") == "value"


async def test_what_is_forgotten_is_gone_at_once_and_its_ram_is_given_back_between_other_work() -> None:
    hot = HotMemory(MB)
    for number in range(FORGOTTEN_AT_ONCE + 100):
        hot.put(*item(str(number)))

    forgetting = asyncio.create_task(hot.forget())
    await asyncio.sleep(0)
    hot.put(*item("new"))
    found = [hot.get(key(name)) for name in ("0", "1099", "new")]
    under_way = not forgetting.done()
    await forgetting

    assert found == [None, None, item("new")[1]]
    assert under_way
    assert hot.get(key("new")) == item("new")[1]
    assert hot.statistics()["hot"].entries == 1


@given(st.lists(st.tuples(st.sampled_from(["get", "put"]), st.integers(0, 30), st.integers(1, 12)), max_size=200))
def test_the_bound_holds_and_a_value_is_never_another_keys(steps: list[tuple[str, int, int]]) -> None:
    cache: SegmentedLRU[tuple[int, int]] = SegmentedLRU(40, lambda key, value: value[1])
    last_put: dict[int, int] = {}
    for action, name, size in steps:
        if action == "put":
            cache.put(bytes([name]), (name, size))
            last_put[name] = size
        elif (found := cache.get(bytes([name]))) is not None:
            assert found == (name, last_put[name])
        assert cache.size_bytes <= 40

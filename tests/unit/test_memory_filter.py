"""The filter of the keys on disk: it may err on one side only, and takes little room."""

from __future__ import annotations

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from dragoman.memory.filter import BYTES_PER_KEY, SPARE_CAPACITY, KeyFilter
from dragoman.memory.keys import KEY_BYTES
from tests.contract.memory_contract import key

KEYS = st.binary(min_size=KEY_BYTES, max_size=KEY_BYTES)


@given(st.lists(KEYS, max_size=100), st.integers(1, 100))
def test_a_key_that_was_added_is_never_denied(added: list[bytes], capacity: int) -> None:
    keys = KeyFilter(capacity)
    keys.add(added)

    assert all(one in keys for one in added)


def test_at_its_capacity_it_takes_few_others_for_its_own() -> None:
    keys = KeyFilter(4_000)
    keys.add(key(f"{number}") for number in range(4_000))

    mistaken = sum(key(f"another {number}") in keys for number in range(4_000))

    assert mistaken < 4_000 / 200
    assert not keys.is_full


def test_it_knows_when_it_holds_more_than_it_is_made_for() -> None:
    keys = KeyFilter(10)
    keys.add(key(f"{number}") for number in range(11))

    assert keys.is_full


def test_ten_million_keys_with_room_for_more_take_less_than_40_mb() -> None:
    tracemalloc.start()
    keys = KeyFilter(int(1_000_000 * (1 + SPARE_CAPACITY)))
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert keys.capacity * BYTES_PER_KEY <= peak_bytes < 4_000_000

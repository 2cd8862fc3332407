"""The tiers together: the hottest that knows answers, and none of them can fail a translation."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import pytest

from dragoman.memory.base import Entry, Item, Memory, Statistics
from dragoman.memory.hot import HotMemory
from dragoman.memory.sqlite import open_sqlite
from dragoman.memory.tiers import TieredMemory
from dragoman.memory.valkey import open_valkey
from tests.contract.memory_contract import MemoryContract, entry, item, key

MB = 1_000_000


class Ledger(HotMemory):
    """A tier that remembers what it was asked for, and can be told to fail."""

    def __init__(self) -> None:
        super().__init__(MB)
        self.asked: list[bytes] = []
        self.fails = False

    def may_hold(self, key: bytes) -> bool:
        return self.get(key) is not None

    def watch(self, rewritten: Callable[[], Awaitable[None]]) -> None:
        self.rewritten = rewritten

    async def get_many(self, keys: Sequence[bytes]) -> list[Entry | None]:
        self._maybe_fail()
        self.asked += keys
        return await super().get_many(keys)

    async def put_many(self, items: Sequence[Item]) -> None:
        self._maybe_fail()
        await super().put_many(items)

    def statistics(self) -> Mapping[str, Statistics]:
        return {"ledger": super().statistics()["hot"]}

    def _maybe_fail(self) -> None:
        if self.fails:
            raise RuntimeError("the tier is broken")


@pytest.fixture
async def memory(tmp_path: Path) -> AsyncIterator[Memory]:
    """All three, the shared one with a server that is not there."""
    durable = await open_sqlite(tmp_path / "memory.sqlite3", max_bytes=100 * MB, max_age_days=1)
    tiered = TieredMemory(HotMemory(4 * MB), open_valkey("valkey://127.0.0.1:1", max_age_days=1), durable)
    yield tiered
    await tiered.aclose()


class TestTieredMemory(MemoryContract):
    pass


async def test_a_lower_tier_is_asked_only_for_what_those_above_do_not_know() -> None:
    shared, durable = Ledger(), Ledger()
    memory = TieredMemory(HotMemory(MB), shared, durable)
    shared.put(*item("shared"))
    durable.put(*item("durable"))
    await memory.put_many([])
    memory_keys = [key(name) for name in ("shared", "durable", "nowhere", "nowhere")]

    found = await memory.get_many(memory_keys)

    assert found == [item("shared")[1], item("durable")[1], None, None]
    assert shared.asked == memory_keys[:3]
    assert durable.asked == memory_keys[1:3]


async def test_what_a_lower_tier_knew_is_in_the_upper_ones_afterwards() -> None:
    hot, shared, durable = HotMemory(MB), Ledger(), Ledger()
    memory = TieredMemory(hot, shared, durable)
    durable.put(*item("durable"))
    shared.put(*item("shared"))

    await memory.get_many([key("durable"), key("shared")])

    assert memory.peek([key("durable"), key("shared")]) == [item("durable")[1], item("shared")[1]]
    assert shared.get(key("durable")) == item("durable")[1]
    assert durable.get(key("shared")) is None


async def test_what_is_put_is_in_every_tier() -> None:
    hot, shared, durable = HotMemory(MB), Ledger(), Ledger()

    await TieredMemory(hot, shared, durable).put_many([item("Good morning.")])

    assert [tier.get(key("Good morning.")) for tier in (hot, shared, durable)] == [item("Good morning.")[1]] * 3


async def test_a_peek_looks_no_further_than_the_hot_tier() -> None:
    durable = Ledger()
    durable.put(*item("durable"))
    memory = TieredMemory(HotMemory(MB), durable=durable)

    assert memory.peek([key("durable")]) == [None]
    assert durable.asked == []


async def test_a_tier_that_raises_is_logged_once_and_the_others_answer(caplog: pytest.LogCaptureFixture) -> None:
    shared, durable = Ledger(), Ledger()
    memory = TieredMemory(HotMemory(MB), shared, durable)
    shared.fails = True
    durable.put(*item("durable"))

    for _ in range(3):
        assert await memory.get_many([key("nowhere"), key("durable")]) == [None, item("durable")[1]]
    await memory.put_many([item("Good morning.")])

    assert durable.get(key("Good morning.")) == item("Good morning.")[1]
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert "the tier is broken" in caplog.text


async def test_a_tier_that_mended_and_breaks_again_is_logged_again(caplog: pytest.LogCaptureFixture) -> None:
    durable = Ledger()
    memory = TieredMemory(HotMemory(MB), durable=durable)
    for fails in (True, False, True):
        durable.fails = fails
        await memory.get_many([key("nowhere")])

    assert len(caplog.records) == 2


class TestTheFirstOfSeveralKeys:
    """A person's translation and an engine's of the same text."""

    ENGINES = key("engine"), entry("Hi.", "Hallo.")
    PERSONS = key("person"), entry("Hi.", "Moin!", model=None)
    CHOICE = (PERSONS[0], ENGINES[0])

    async def test_is_a_persons_where_both_are_known(self) -> None:
        memory = TieredMemory(HotMemory(MB))
        await memory.put_many([self.ENGINES, self.PERSONS])

        assert await memory.first_of([self.CHOICE, self.CHOICE[::-1]]) == [self.PERSONS[1], self.ENGINES[1]]

    async def test_is_a_persons_from_below_though_the_hot_tier_knows_an_engines(self) -> None:
        hot, durable = HotMemory(MB), Ledger()
        memory = TieredMemory(hot, durable=durable)
        await memory.put_many([self.ENGINES])
        durable.put(*self.PERSONS)

        assert await memory.first_of([self.CHOICE]) == [self.PERSONS[1]]
        assert hot.get(self.PERSONS[0]) == self.PERSONS[1]

    async def test_is_found_in_the_hot_tier_alone_where_the_durable_one_cannot_know_better(self) -> None:
        durable = Ledger()
        memory = TieredMemory(HotMemory(MB), durable=durable)
        await memory.put_many([self.ENGINES])

        assert await memory.first_of([self.CHOICE]) == [self.ENGINES[1]]
        assert durable.asked == []

    async def test_keeps_the_order_of_the_choices(self) -> None:
        durable = Ledger()
        memory = TieredMemory(HotMemory(MB), durable=durable)
        await memory.put_many([self.ENGINES])
        durable.put(*item("below"))

        found = await memory.first_of([(key("nowhere"),), self.CHOICE, (key("nor here"), key("below")), ()])

        assert found == [None, self.ENGINES[1], item("below")[1], None]


async def test_what_is_replaced_from_outside_is_forgotten_in_the_hot_tier() -> None:
    durable = Ledger()
    memory = TieredMemory(HotMemory(MB), durable=durable)
    await memory.put_many([(key("a"), entry("Hi.", "Moin!", model=None))])
    durable.put(key("a"), entry("Hi.", "Grüß Gott!", model=None))

    await durable.rewritten()

    assert await memory.get_many([key("a")]) == [entry("Hi.", "Grüß Gott!", model=None)]


async def test_statistics_are_given_tier_by_tier(memory: TieredMemory) -> None:
    assert set(memory.statistics()) == {"hot", "valkey", "sqlite"}

"""Writing behind: groups, so that the store is not woken for each entry, and no entry lost on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from dragoman.memory import behind
from dragoman.memory.base import Entry
from dragoman.memory.behind import WriteBehind
from tests.contract.memory_contract import item, key


class Slow:
    """A store that takes as long as the test says, and the groups it was given."""

    def __init__(self) -> None:
        self.groups: list[set[bytes]] = []
        self.begun = asyncio.Event()
        self.open = asyncio.Event()
        self.open.set()

    async def write(self, items: Mapping[bytes, Entry]) -> None:
        self.groups.append(set(items))
        self.begun.set()
        await self.open.wait()


def keys(*names: str) -> set[bytes]:
    return {key(name) for name in names}


@pytest.fixture
async def store() -> Slow:
    return Slow()


@pytest.fixture
def writing(store: Slow) -> WriteBehind:
    return WriteBehind(store.write, limit=10, name="test")


async def test_what_comes_within_a_moment_is_one_group(
    store: Slow, writing: WriteBehind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(behind, "GATHER_S", 0.05)
    for name in "abc":
        writing.add([item(name)])
        await asyncio.sleep(0.001)
    await store.begun.wait()
    await writing.aclose()

    assert store.groups == [keys("a", "b", "c")]


async def test_a_whole_group_does_not_wait(store: Slow, writing: WriteBehind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(behind, "GATHER_S", 60)
    monkeypatch.setattr(behind, "GROUP", 3)
    writing.add([item(name) for name in "abc"])
    await asyncio.wait_for(store.begun.wait(), 5)

    assert store.groups == [keys("a", "b", "c")]


async def test_flushing_writes_at_once_also_what_came_while_a_group_was_written(
    store: Slow, writing: WriteBehind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(behind, "GATHER_S", 60)
    store.open.clear()
    writing.add([item("a")])
    flushing = asyncio.create_task(writing.flush())
    await store.begun.wait()
    writing.add([item("b")])
    found = [writing.get(key(name)) for name in "ab"]
    store.open.set()
    await asyncio.wait_for(flushing, 5)

    assert store.groups == [keys("a"), keys("b")]
    assert found == [item("a")[1], item("b")[1]]
    assert writing.get(key("a")) is None


async def test_no_more_wait_than_the_limit_and_none_after_the_end(store: Slow, writing: WriteBehind) -> None:
    assert writing.add([item(str(number)) for number in range(12)]) == 2
    assert writing.add([item("0")]) == 0  # in place of the one that waits
    await writing.aclose()

    assert writing.add([item("late")]) == 1
    assert store.groups == [keys(*(str(number) for number in range(10)))]

"""The shared tier, against a real server that the tests start: fast when it is there, no burden when it is not."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from msgspec.structs import replace
from valkey.asyncio import Valkey

from dragoman.errors import ConfigurationError, MissingExtra
from dragoman.memory import valkey as shared
from dragoman.memory.valkey import KEY_PREFIX, ValkeyMemory, open_valkey
from tests.contract.memory_contract import MemoryContract, entry, item, key
from tests.contract.valkey_server import PASSWORD, Server


@asynccontextmanager
async def client_of(server: Server) -> AsyncIterator[Valkey]:
    client = Valkey.from_url(server.url)
    try:
        yield client
    finally:
        await client.aclose()


@asynccontextmanager
async def opened(server: Server, *, max_age_days: float = 30, timeout_s: float = 2.0) -> AsyncIterator[ValkeyMemory]:
    """The generous timeout is for a busy machine; tests of timeouts give their own."""
    memory = open_valkey(server.url, max_age_days=max_age_days, timeout_s=timeout_s)
    try:
        yield memory
    finally:
        await memory.aclose()


@pytest.fixture
async def memory(valkey: Server) -> AsyncIterator[ValkeyMemory]:
    async with opened(valkey) as opened_memory:
        yield opened_memory


class TestValkeyMemory(MemoryContract):
    pass


async def test_what_one_dragoman_put_another_one_finds(valkey: Server) -> None:
    async with opened(valkey) as first:
        await first.put_many([item("Good morning."), (key("human"), entry("a\x00b", "c", model=None))])
    async with opened(valkey) as second:
        assert await second.get_many([key("Good morning."), key("human")]) == [
            item("Good morning.")[1],
            entry("a\x00b", "c", model=None),
        ]


async def test_an_entry_expires_when_it_reaches_the_age_bound_counted_from_when_it_was_made(valkey: Server) -> None:
    hour_ago = int(time.time()) - 3_600
    async with opened(valkey, max_age_days=1) as memory:
        old = replace(entry("Old."), made_at=hour_ago)
        human = replace(entry("By hand.", model=None), made_at=0)
        await memory.put_many([(key("old"), old), (key("human"), human), (key("gone"), replace(old, made_at=0))])
    async with client_of(valkey) as client:
        left_s = [await client.ttl(KEY_PREFIX + key(name)) for name in ("old", "human", "gone")]

    assert 86_400 - 3_700 < left_s[0] <= 86_400 - 3_600
    assert 86_300 < left_s[1] <= 86_400
    assert left_s[2] == -2  # not there


async def test_a_value_that_somebody_else_wrote_is_a_miss_and_is_written_over(valkey: Server) -> None:
    async with client_of(valkey) as client:
        await client.set(KEY_PREFIX + key("Good morning."), b"\xc1 nonsense")
    async with opened(valkey) as memory:
        assert await memory.get_many([key("Good morning.")]) == [None]
        await memory.put_many([item("Good morning.")])
    async with opened(valkey) as memory:
        assert await memory.get_many([key("Good morning.")]) == [item("Good morning.")[1]]


async def test_a_server_that_hangs_costs_one_short_timeout_and_then_nothing(
    valkey: Server, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(valkey, timeout_s=0.1) as memory, client_of(valkey) as client:
        await memory.put_many([item("Good morning.")])
        await client.client_pause(4_000)
        async with asyncio.timeout(1.9):  # one after the other they would take two seconds
            together = await asyncio.gather(*(memory.get_many([key(f"{number}")]) for number in range(20)))
        async with asyncio.timeout(1.9):  # and here ten, or until the server is back, if each waited for it
            afterwards = [await memory.get_many([key(f"{number}")]) for number in range(100)]

    assert together == [[None]] * 20
    assert afterwards == [[None]] * 100
    assert len(caplog.records) == 1


async def test_an_answer_that_comes_too_late_is_never_given_to_a_later_question(
    valkey: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared, "FIRST_BACK_OFF_S", 0.0)
    items = [item(f"Sentence {number}.") for number in range(50)]
    async with opened(valkey) as memory:
        await memory.put_many(items)
    async with opened(valkey, timeout_s=0.05) as memory, client_of(valkey) as client:
        await client.client_pause(200)
        late = await asyncio.gather(*(memory.get_many([kept_key]) for kept_key, _ in items))
        for _ in range(200):
            await asyncio.sleep(0.02)
            if await memory.get_many([items[0][0]]) != [None]:
                break
        found = [await memory.get_many([kept_key]) for kept_key, _ in items]

    assert [None] in late
    assert found[0] == [items[0][1]]
    for answers in (late, found):
        assert all(answer in ([kept], [None]) for answer, (_, kept) in zip(answers, items, strict=True))


async def test_a_server_that_went_away_is_used_again_when_it_is_back(
    own_valkey: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(shared, "FIRST_BACK_OFF_S", 0.01)
    caplog.set_level(logging.INFO)
    async with opened(own_valkey) as memory:
        await memory.put_many([item("Good morning.")])
        own_valkey.stop()
        assert await memory.get_many([key("missing")]) == [None]
        assert await memory.get_many([key("missing")]) == [None]
        while not memory.statistics()["valkey"].dropped:  # noqa: ASYNC110 - it has no event to wait for
            await asyncio.sleep(0.01)
        own_valkey.start()
        for _ in range(200):
            await memory.put_many([item("Good night.")])
            await asyncio.sleep(0.02)
            if "answers again" in caplog.text:
                break
        async with opened(own_valkey) as other:
            await memory.put_many([item("Good day.")])
            await memory.aclose()
            assert await other.get_many([key("Good day.")]) == [item("Good day.")[1]]

    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert PASSWORD not in caplog.text


async def test_a_server_that_is_down_at_the_start_is_no_reason_not_to_start(own_valkey: Server) -> None:
    own_valkey.stop()
    async with opened(own_valkey) as memory:
        await memory.put_many([item("Good morning.")])

        assert await memory.get_many([key("missing")]) == [None]


async def test_a_wrong_password_leaves_the_server_out_and_does_not_appear_in_the_log(
    valkey: Server, caplog: pytest.LogCaptureFixture
) -> None:
    memory = open_valkey(f"redis://:secret@127.0.0.1:{valkey.port}", max_age_days=1, timeout_s=2.0)

    assert await memory.get_many([key("a")]) == [None]
    await memory.aclose()

    assert "is left out" in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize("url", ["http://localhost", "localhost:6379", "valkey://", "redis://:secret@host:port", ""])
def test_a_url_that_names_no_server_is_refused_without_showing_what_it_held(url: str) -> None:
    with pytest.raises(ConfigurationError, match="valkey://localhost:6379/0") as caught:
        open_valkey(url, max_age_days=1)

    assert "secret" not in caught.value.message


def test_without_its_client_the_tier_names_the_extra_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "valkey.asyncio", None)

    with pytest.raises(MissingExtra, match=r"dragoman\[valkey\]"):
        open_valkey("valkey://localhost", max_age_days=1)

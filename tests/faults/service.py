"""A whole Dragoman on a real socket, that is looked over when the test is done with it: nothing may be left behind."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import msgspec
from msgspec import Struct
from pyleak import no_task_leaks

from dragoman import serving, wiring
from dragoman.core.translator import Translator
from dragoman.server.app import create_app
from dragoman.settings import Settings
from dragoman.types import Lane
from tests.server.scripted import served

T = TypeVar("T")


class Reply(Struct, frozen=True):
    """What a caller got: `words` is the translation, or what went wrong; `took_s` by the caller's own clock."""

    status: int
    words: str
    took_s: float
    engine: str | None = None


def _reply(status: int, read: dict[str, Any], took_s: float) -> Reply:
    item = read["translations"][0] if "translations" in read else read  # else it was refused before it was started
    failure = item.get("error", item)
    return Reply(status, item.get("text") or failure.get("message") or read["detail"], took_s, failure.get("engine"))


class Service:
    """A running Dragoman, and one client of it."""

    def __init__(self, translator: Translator, address: tuple[str, int], client: aiohttp.ClientSession) -> None:
        self.translator = translator
        self.address = address
        self._client = client

    async def ask(
        self, text: str = "Good morning.", *, source: str | None = "en", timeout_s: float | None = None
    ) -> Reply:
        """Translate one text into German."""
        body = {"text": text, "source": source, "target": "de", "timeout": timeout_s}
        began = time.perf_counter()
        async with self._client.post("/v1/translate", json=body) as answer:
            read = await answer.json(content_type=None)
        took_s = time.perf_counter() - began
        return _reply(answer.status, read, took_s)

    async def status(self, path: str) -> int:
        async with self._client.get(path) as answer:
            return answer.status

    def replicas_ready(self) -> list[bool]:
        """What the latest probe of each replica found."""
        return [state.readiness.ready for state in self.translator.pool.states()]

    async def until_calm(self) -> None:
        """Wait until nothing waits and nothing flies, as far as Dragoman knows."""
        await settles(self.load, (0, 0, 0))

    def load(self) -> tuple[int, int, int]:
        """Calls under way, flights that wait, segments that replicas are thought to work on."""
        scheduler = self.translator.scheduler
        waiting = sum(scheduler.lanes.waiting(lane) for lane in Lane)
        return scheduler.calls, waiting, sum(state.flying for state in scheduler.pool.states())


Opener = Callable[..., AbstractAsyncContextManager[Service]]
"""`open_service(*engine_urls, **settings)`"""


def opener(folder: Path) -> Opener:
    @asynccontextmanager
    async def open_service(*engines: str, **changed: Any) -> AsyncIterator[Service]:  # noqa: ANN401 - any setting
        settings = msgspec.convert({"data_dir": str(folder), "shutdown_grace_s": 1, **changed}, Settings)
        sockets = open_sockets()
        async with no_task_leaks(action="raise"):
            async with (
                wiring.open_translator(settings, engines=engines) as translator,
                serving.open_service(translator, settings) as behind_the_gate,
                served(create_app(behind_the_gate)) as address,
                aiohttp.ClientSession("http://{}:{}".format(*address)) as client,
            ):
                await translator.ready()
                service = Service(translator, address, client)
                yield service
                await service.until_calm()
            await settles(lambda: open_sockets() <= sockets, True)

    return open_service


async def settles(state: Callable[[], T], wanted: T, within_s: float = 2.0) -> None:
    """Wait until a state that nobody tells of is as wanted; fails where it does not come to that."""
    with suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            while state() != wanted:  # noqa: ASYNC110 - there is no event to wait for
                await asyncio.sleep(0.01)
    assert state() == wanted


def open_sockets() -> int:
    """How many sockets this process has."""
    return sum(map(_is_socket, map(int, os.listdir("/dev/fd"))))


def _is_socket(number: int) -> bool:
    try:
        return stat.S_ISSOCK(os.fstat(number).st_mode)
    except OSError:  # the folder's own, closed since
        return False


def free_port() -> int:
    """A loopback port that nobody listens on just now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])

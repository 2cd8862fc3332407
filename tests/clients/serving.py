"""A whole Dragoman over the simulated engine, on a real socket, in a thread of its own: most official clients block."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import uvicorn
from starlette.types import ASGIApp

from dragoman.errors import QuotaExceeded, TooManyRequests, Unauthorized
from dragoman.listening import address_of, listen
from dragoman.server.app import create_app
from dragoman.server.gate import Caller, Gate, Scope, Usage
from dragoman.serving import open_service
from dragoman.settings import Settings
from dragoman.wiring import open_translator

INSTANT = "simulated://instant"
START_S = 30

Wrapper: TypeAlias = Callable[[ASGIApp], ASGIApp]
Started: TypeAlias = "Future[tuple[str, uvicorn.Server]]"


class ListedGate:
    """Lets in the keys it lists, each with the characters it may use; the key `hasty` always comes too soon."""

    def __init__(self, limits: dict[str, int]) -> None:
        self._limits = limits
        self._used = dict.fromkeys(limits, 0)

    async def admit(self, key: str | None, scope: Scope = "translate") -> Caller:
        if key not in self._limits:
            raise Unauthorized("No such key; ask the operator for one.")
        return Caller(key)

    async def charge(self, caller: Caller, characters: int) -> None:
        if caller.key_id == "hasty":
            raise TooManyRequests("Too many requests; wait a second.", retry_after_s=1.0)
        if self._used[caller.key_id] + characters > self._limits[caller.key_id]:
            raise QuotaExceeded("The characters of this month are used up.")
        self._used[caller.key_id] += characters

    async def charge_job(self, caller: Caller, characters: int) -> None:
        await self.charge(caller, characters)

    async def usage(self, caller: Caller) -> Usage:
        return Usage(self._used[caller.key_id], self._limits[caller.key_id])


@contextmanager
def running_server(
    folder: Path,
    engine: str = INSTANT,
    gate: Gate | None = None,
    wrapped: Wrapper = lambda app: app,
    **settings: Any,  # noqa: ANN401 - any field of Settings
) -> Iterator[str]:
    """The URL of a server that runs until the block ends. `wrapped` puts something around its app."""
    chosen = msgspec.convert({"data_dir": str(folder), **settings}, Settings)
    started: Started = Future()
    thread = threading.Thread(target=lambda: asyncio.run(_serve(chosen, engine, gate, wrapped, started)))
    thread.start()
    url, server = started.result(START_S)
    try:
        yield url
    finally:
        server.should_exit = True
        thread.join()


async def _serve(settings: Settings, engine: str, gate: Gate | None, wrapped: Wrapper, started: Started) -> None:
    try:
        async with (
            open_translator(settings, engines=[engine]) as translator,
            open_service(translator, settings) as service,
        ):
            await translator.ready()
            service.gate = gate or service.gate
            server = uvicorn.Server(
                uvicorn.Config(
                    wrapped(create_app(service)), lifespan="off", log_config=None, timeout_graceful_shutdown=1
                )
            )
            with listen("127.0.0.1", 0) as listener:
                started.set_result((address_of(listener), server))
                await server.serve(sockets=[listener])
    except Exception as error:
        if started.done():
            raise
        started.set_exception(error)

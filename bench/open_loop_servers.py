"""What benches put in a row: the simulator and Dragoman as processes of their own, and the ways to ask each."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
import msgspec

from bench.open_loop_load import OK, UNREACHED
from bench.processes import ServerProcess, free_port, started
from dragoman.engines.openai import Manner, completion_request
from dragoman.prompts.styles import style_for
from dragoman.simulator import Profile, profile_named
from dragoman.types import Pair, Segment

PAIR = Pair("en", "de")
PATIENCE_S = 30.0
"""After this a client gives up; it bounds every bench."""


@asynccontextmanager
async def simulator(profile_name: str) -> AsyncIterator[ServerProcess]:
    """`dragoman simulate`, which plays this engine and speaks as vLLM does."""
    port = free_port()
    command = ["-m", "dragoman", "simulate", "--speak", "openai", "--profile", profile_name, "--port", str(port)]
    async with started(command, port, ready_path="/health") as server:
        yield server


@asynccontextmanager
async def dragoman(engine_url: str, *flags: str) -> AsyncIterator[ServerProcess]:
    """`dragoman serve` in front of this engine, in a new data folder, with its default settings but for the flags."""
    port = free_port()
    with tempfile.TemporaryDirectory() as data_dir:
        command = ["-m", "dragoman", "serve", "--engine", engine_url, "--port", str(port), "--data-dir", data_dir]
        async with started([*command, "--shutdown-grace-s", "1", *flags], port, ready_path="/ready") as server:
            yield server


def openai_engine(engine: ServerProcess, profile: Profile) -> str:
    """The URL by which Dragoman is told of a simulator; it says the slots, as vLLM does not."""
    return f"openai+{engine.url}/v1?model={profile.hub_model}&slots={profile.slots}"


@asynccontextmanager
async def simulated_pair(profile_name: str) -> AsyncIterator[tuple[ServerProcess, ServerProcess]]:
    """A simulator, and Dragoman in front of it."""
    profile = profile_named(profile_name)
    async with simulator(profile_name) as engine, dragoman(openai_engine(engine, profile)) as server:
        yield engine, server


def client() -> aiohttp.ClientSession:
    """A client that opens as many connections as there are requests at a time."""
    # The servers close a connection that was idle for 5 s; one that is just being closed must not be used again.
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=3)
    return aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=PATIENCE_S))


def asks_dragoman(
    session: aiohttp.ClientSession, server: ServerProcess, *, timeout_s: float = PATIENCE_S
) -> Callable[[str], Awaitable[int]]:
    """A function that has a text translated and returns the status. The server is told how long there is time."""

    async def ask(text: str) -> int:
        body = {"text": text, "source": PAIR.source, "target": PAIR.target, "timeout": timeout_s}
        return await _status(session, f"{server.url}/v1/translate", msgspec.json.encode(body))

    return ask


def asks_engine(session: aiohttp.ClientSession, engine: ServerProcess, model: str) -> Callable[[str], Awaitable[int]]:
    """The same without Dragoman: the very request that it would send, straight to the engine."""
    style, manner = style_for(model), Manner("completions", True)

    async def ask(text: str) -> int:
        body = completion_request(model, style.render(Segment(text, PAIR)), manner)
        return await _status(session, f"{engine.url}/v1/completions", msgspec.json.encode(body))

    return ask


def surely(ask: Callable[[str], Awaitable[int]]) -> Callable[[str], Awaitable[None]]:
    """The same for loads in which nothing may fail."""

    async def ask_surely(text: str) -> None:
        status = await ask(text)
        assert status == OK, f"status {status}" if status else "no answer"

    return ask_surely


async def _status(session: aiohttp.ClientSession, url: str, body: bytes) -> int:
    try:
        async with session.post(url, data=body, headers={"content-type": "application/json"}) as answer:
            await answer.read()
            return answer.status
    except (aiohttp.ClientError, TimeoutError):
        return UNREACHED

"""An Ollama that misbehaves as the test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import msgspec

from tests.contract.fault_server import LAST_CHUNK, Connection, Hangup, Request, answer, chunk, chunked, serving

MODEL = "translategemma:4b"
ANSWER = "Guten Morgen."
TAGS = answer(msgspec.json.encode({"models": [{"name": MODEL, "digest": "a" * 64, "size": 1}]}))
VERSION = answer(b'{"version":"0.12.11"}')

Fault = Callable[[Connection], Awaitable[None]]


def line(text: str, *, done: bool = False) -> bytes:
    return msgspec.json.encode({"response": text, "done": done, "done_reason": "stop" if done else ""}) + b"\n"


def sends(body: bytes, status: int = 200, content_type: str = "application/x-ndjson") -> Fault:
    """A whole answer of these bytes."""
    return lambda connection: connection.send(answer(body, status, content_type))


translates = sends(line(ANSWER, done=True))
BUSY = sends(b'{"error":"server busy, please try again.  maximum pending requests exceeded"}', 503, "application/json")


async def never_answers(connection: Connection) -> None:
    await connection.closed_by_client()


async def stops_in_the_middle(connection: Connection) -> None:
    await connection.send(chunked() + chunk(line("Guten ")))
    await connection.closed_by_client()


async def resets_in_the_middle(connection: Connection) -> None:
    await connection.send(chunked() + chunk(line("Guten ")))
    connection.reset()
    raise Hangup


async def resets_at_once(connection: Connection) -> None:
    connection.reset()
    raise Hangup


async def closes_in_the_middle(connection: Connection) -> None:
    await connection.send(chunked() + chunk(line("Guten ")))
    raise Hangup


async def ends_too_early(connection: Connection) -> None:
    await connection.send(chunked() + chunk(line("Guten ")) + LAST_CHUNK)


async def answers_byte_by_byte(connection: Connection) -> None:
    for byte in answer(line("Grüße, 🌍 Welt.", done=True), 200, "application/x-ndjson"):
        await connection.send(bytes([byte]))
        await asyncio.sleep(0)


class FaultyOllama:
    """A handler: each translation asked for fares as the next of `faults`, and well when they are used up.

    `always` has every one fare so. `asked` counts them, `busy` those not answered yet.
    """

    def __init__(self, *faults: Fault, always: Fault = translates) -> None:
        self.faults = list(faults)
        self.always = always
        self.probed: Fault = lambda connection: connection.send(TAGS)
        self.asked = 0
        self.busy = 0

    async def __call__(self, connection: Connection, request: Request) -> None:
        if request.path == "/api/tags":
            await self.probed(connection)
            return
        if request.path == "/api/version":
            await connection.send(VERSION)
            return
        self.asked += 1
        self.busy += 1
        try:
            await (self.faults.pop(0) if self.faults else self.always)(connection)
        finally:
            self.busy -= 1


@asynccontextmanager
async def ollamas(*handlers: FaultyOllama, slots: int = 4) -> AsyncIterator[Sequence[str]]:
    """Run each on a port of its own, and yield their URLs."""
    if not handlers:
        yield ()
        return
    async with serving(handlers[0]) as address, ollamas(*handlers[1:], slots=slots) as others:
        yield (url_of(address, slots=slots), *others)


def url_of(address: str, *, model: str = MODEL, slots: int = 4) -> str:
    return f"ollama://{address}/{model}?slots={slots}"

"""A thousand open streams, a tenth of them read slowly: each comes to its end, and memory stays bounded."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec
import psutil
import pytest

from tests.faults.service import Opener, Service
from tests.streamed import Reading

STREAMS = 1_000
SLOW_EVERY = 10
ENGINE = "simulated://vllm-h100-12b?slots=256&speed=20"
GROWTH_BYTES = 250 * 2**20
"""Both ends of all connections and a client's share of the work are in this process too."""

TEXT = " ".join(f"Sentence {{number}}.{place} has a few words of its own to be translated." for place in range(4))


def body_of(number: int) -> dict[str, Any]:
    return {"text": TEXT.replace("{number}", str(number)), "source": "en", "target": "de", "timeout": 60}


class Readers:
    """A thousand readers. The slow ones take nothing until all others are done, then all that waits for them."""

    def __init__(self) -> None:
        self.others_done = asyncio.Event()
        self._left = STREAMS - STREAMS // SLOW_EVERY

    async def turn(self, number: int) -> None:
        """To be awaited by a slow reader before it reads on."""
        if number % SLOW_EVERY == 0:
            await self.others_done.wait()

    def finished(self, number: int) -> None:
        if number % SLOW_EVERY:
            self._left -= 1
            if not self._left:
                self.others_done.set()


def take(reading: Reading, name: str, data: dict[str, Any]) -> None:
    """The reading without its history, which would be most of the memory here."""
    reading.read(name, data)
    for shown in reading.shown.values():
        shown.clear()


async def read_events(client: aiohttp.ClientSession, number: int, readers: Readers) -> Reading:
    reading, name = Reading(), ""
    async with client.post("/v1/translate", json={**body_of(number), "stream": True}) as answer:
        await readers.turn(number)
        async for line in answer.content:
            if line.startswith(b"event: "):
                name = line[7:-1].decode()
            elif line.startswith(b"data: "):
                take(reading, name, msgspec.json.decode(line[6:]))
    readers.finished(number)
    return reading


async def read_socket(client: aiohttp.ClientSession, number: int, readers: Readers) -> Reading:
    reading = Reading()
    async with client.ws_connect("/v1/translate/stream") as connection:
        await connection.send_json({"id": number, **body_of(number)})
        await readers.turn(number)
        while reading.end is None:
            data = await connection.receive_json()
            assert data.pop("id") == number
            take(reading, data.pop("event"), data)
    readers.finished(number)
    return reading


@asynccontextmanager
async def many_connections(service: Service) -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession("http://{}:{}".format(*service.address), connector=connector) as client:
        yield client


@pytest.mark.parametrize("read", [read_events, read_socket])
async def test_a_thousand_streams_come_to_their_ends_though_a_tenth_is_read_slowly(
    open_service: Opener,
    read: Any,  # noqa: ANN401 - one of two coroutine functions
) -> None:
    async with open_service(
        ENGINE, memory_bytes=0, max_waiting_segments=20_000, max_waiting_tokens=1_000_000
    ) as service:
        before_bytes = psutil.Process().memory_info().rss
        readers = Readers()
        async with many_connections(service) as client, asyncio.timeout(55):
            readings = await asyncio.gather(*(read(client, number, readers) for number in range(STREAMS)))
        growth_bytes = psutil.Process().memory_info().rss - before_bytes

    for number, reading in enumerate(readings):
        assert reading.end is not None
        assert reading.end["failed"] == 0
        assert f"{number}.3" in reading.items[0]["text"]
    assert growth_bytes < GROWTH_BYTES


async def test_a_reader_who_takes_nothing_for_long_gets_longer_pieces_and_all_of_them(open_service: Opener) -> None:
    sentences = 1_500
    text = " ".join(
        f"Sentence {number} has quite a few words of its own to be translated." for number in range(sentences)
    )
    body = msgspec.json.encode({"text": text, "source": "en", "target": "de", "timeout": 60, "stream": True})
    async with open_service("simulated://vllm-h100-12b?slots=64&speed=20", memory_bytes=0) as service:
        with socket.socket() as narrow:
            narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            narrow.setblocking(False)
            await asyncio.get_running_loop().sock_connect(narrow, service.address)
            reader, writer = await asyncio.open_connection(sock=narrow, limit=2**12)
            writer.write(b"POST /v1/translate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n")
            writer.write(b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            await reader.readuntil(b"\r\n\r\n")
            async with asyncio.timeout(50):
                await service.translator.scheduler.drained()
                told = await reader.read(-1)
            writer.close()
            await writer.wait_closed()

    assert told.count(b"event: segment.done") == sentences
    assert told.count(b"event: done") == 1
    assert told.count(b"event: segment.delta") < 3 * sentences  # each has some 20 tokens

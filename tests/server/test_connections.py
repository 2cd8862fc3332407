"""Over real sockets: callers who leave, bodies that never end, a server that is busy."""

from __future__ import annotations

import asyncio
import io
import logging
import time

import aiohttp
import msgspec
import pytest
from starlette.applications import Starlette

from tests.server.scripted import ScriptedTranslator, app_over, served

JSON = {"Content-Type": "application/json"}
NATIVE = msgspec.json.encode({"text": "a", "target": "de"})


def request_head(path: str, length: int | None = None) -> bytes:
    framing = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    return f"POST {path} HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n{framing}\r\n\r\n".encode()


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/translate", NATIVE),
        ("/translate", b'{"text":"a"}'),
        ("/batch-translate", b'{"texts":["a"]}'),
    ],
)
async def test_the_work_of_a_caller_who_left_is_cancelled_at_once(
    app: Starlette, translator: ScriptedTranslator, caplog: pytest.LogCaptureFixture, path: str, body: bytes
) -> None:
    translator.held = True
    async with served(app) as (host, port):
        _, writer = await asyncio.open_connection(host, port)
        writer.write(request_head(path, len(body)) + body)
        await translator.started.wait()

        left = time.perf_counter()
        writer.close()
        await writer.wait_closed()
        async with asyncio.timeout(1):
            await translator.cancelled.wait()

        assert time.perf_counter() - left < 0.1
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_a_caller_who_stays_is_answered_though_others_leave(
    app: Starlette, translator: ScriptedTranslator
) -> None:
    async with served(app) as (host, port), aiohttp.ClientSession(f"http://{host}:{port}") as client:
        translator.held = True
        _, writer = await asyncio.open_connection(host, port)
        writer.write(request_head("/v1/translate", len(NATIVE)) + NATIVE)
        await translator.started.wait()
        translator.held = False
        writer.close()
        await writer.wait_closed()

        async with client.post("/v1/translate", json={"text": "b", "target": "fr"}) as answer:
            assert (await answer.json())["translations"][0]["text"] == "[fr] b"


async def test_a_caller_who_leaves_in_the_middle_of_the_body_starts_nothing(
    app: Starlette, translator: ScriptedTranslator, caplog: pytest.LogCaptureFixture
) -> None:
    async with served(app) as (host, port):
        _, writer = await asyncio.open_connection(host, port)
        writer.write(request_head("/v1/translate", 1000) + NATIVE)
        await writer.drain()
        await asyncio.sleep(0.02)
        writer.close()
        await writer.wait_closed()
        await asyncio.sleep(0.02)

    assert translator.requests == []
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_health_is_answered_while_the_engine_is_busy(app: Starlette, translator: ScriptedTranslator) -> None:
    translator.held = True
    async with served(app) as (host, port), aiohttp.ClientSession(f"http://{host}:{port}") as client:
        waiting = [asyncio.create_task(client.post("/v1/translate", data=NATIVE, headers=JSON)) for _ in range(20)]
        await translator.started.wait()

        async with client.get("/health") as answer:
            assert await answer.json() == {"status": "ok"}

        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


class TestTooLarge:
    async def test_a_declared_length_is_refused_before_the_body_is_sent(self, translator: ScriptedTranslator) -> None:
        async with served(app_over(translator)) as (host, port):
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(request_head("/v1/translate", 10_000_000_000))

            assert (await reader.readline()).startswith(b"HTTP/1.1 413 ")

            writer.close()
            await writer.wait_closed()

    async def test_an_endless_body_is_refused_when_it_passes_the_limit(self, translator: ScriptedTranslator) -> None:
        async with served(app_over(translator, max_body_bytes=100_000)) as (host, port):
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(request_head("/v1/translate"))
            refused = asyncio.create_task(reader.readline())
            sent = 0
            while not refused.done():
                writer.write(b"4000\r\n" + b" " * 0x4000 + b"\r\n")
                sent += 0x4000
                await writer.drain()
                await asyncio.sleep(0)
                assert sent < 50_000_000

            assert (await refused).startswith(b"HTTP/1.1 413 ")
            writer.close()
            await writer.wait_closed()

    async def test_a_client_that_sends_all_first_reads_the_refusal(self, translator: ScriptedTranslator) -> None:
        app = app_over(translator, max_body_bytes=1_000)
        body = io.BytesIO(b" " * 3_000_000)
        async with (
            served(app) as (host, port),
            aiohttp.ClientSession(f"http://{host}:{port}") as client,
            client.post("/v1/translate", data=body, headers=JSON) as answer,
        ):
            assert answer.status == 413
            assert (await answer.json())["limit"] == 1_000

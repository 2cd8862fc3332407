"""Callers who leave, dawdle or have no time: nobody else notices, and nothing of them stays behind."""

from __future__ import annotations

import asyncio
import random
import socket

import msgspec

from dragoman.simulator import create_app, profile_named, running
from tests.faults.engines import ANSWER, FaultyOllama, never_answers, ollamas, translates, url_of
from tests.faults.service import Opener, Service, open_sockets, settles

CALLERS = 300
OLLAMA = profile_named("ollama-4")


def request(text: str) -> bytes:
    """A whole request, as bytes."""
    body = msgspec.json.encode({"text": text, "source": "en", "target": "de"})
    head = f"POST /v1/translate HTTP/1.1\r\nHost: test\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


async def call(service: Service, text: str, patience_s: float | None) -> bytes | None:
    """The answer's status line; None for a caller who closes the connection after `patience_s`."""
    reader, writer = await asyncio.open_connection(*service.address)
    try:
        writer.write(request(text))
        async with asyncio.timeout(patience_s):
            return await reader.readline()
    except TimeoutError:
        return None
    finally:
        writer.close()


async def test_of_300_callers_half_leave_at_random_and_the_others_are_all_answered(open_service: Opener) -> None:
    lots = random.Random(1)
    async with running(create_app("ollama", OLLAMA, speed=30)) as url:
        engine = url_of(url.removeprefix("http://"), model=OLLAMA.ollama_model, slots=OLLAMA.slots)
        async with open_service(engine) as service:
            idle_ends = 2 * OLLAMA.slots  # of connections to the engine that wait for the next call
            most_sockets = open_sockets() + idle_ends
            for round_ in range(3):
                patience = [lots.uniform(0, 0.5) if n % 2 else None for n in range(CALLERS)]

                calls = (call(service, f"Caller {n} of round {round_}.", s) for n, s in enumerate(patience))
                lines = await asyncio.gather(*calls)

                assert {line for line, s in zip(lines, patience, strict=True) if s is None} == {b"HTTP/1.1 200 OK\r\n"}
                assert lines.count(None) > CALLERS // 6
                await service.until_calm()
                await settles(lambda: open_sockets() <= most_sockets, True)


async def test_an_engine_stops_working_for_callers_who_left(open_service: Opener) -> None:
    engine = FaultyOllama(always=never_answers)
    async with ollamas(engine) as urls, open_service(*urls) as service:
        await asyncio.gather(*(call(service, f"Text {n}.", 0.1) for n in range(12)))

        await service.until_calm()
        await settles(lambda: engine.busy, 0)
        engine.always = translates
        assert (await service.ask()).words == ANSWER


async def test_50_ms_of_patience_are_kept_to_under_full_load(open_service: Opener) -> None:
    async with running(create_app("ollama", OLLAMA, speed=20)) as url:
        engine = url_of(url.removeprefix("http://"), model=OLLAMA.ollama_model, slots=OLLAMA.slots)
        async with open_service(engine) as service:
            load = [asyncio.create_task(service.ask(f"A rather long text, number {n}.")) for n in range(80)]
            await asyncio.sleep(0.1)

            hurried = [await service.ask(f"Text {n}.", timeout_s=0.05) for n in range(10)]

            assert {reply.status for reply in hurried} <= {200, 503, 504}
            assert 503 in {reply.status for reply in hurried} or 504 in {reply.status for reply in hurried}
            assert max(reply.took_s for reply in hurried) < 0.6
            assert {reply.status for reply in await asyncio.gather(*load)} == {200}


async def test_a_caller_who_sends_slowly_keeps_nobody_waiting(open_service: Opener) -> None:
    async with ollamas(FaultyOllama()) as urls, open_service(*urls) as service:
        reader, writer = await asyncio.open_connection(*service.address)
        try:
            for byte in request("Slowly."):
                assert service.load() == (0, 0, 0)
                writer.write(bytes([byte]))
                await asyncio.sleep(0.001)
                if byte == ord("\n"):
                    assert (await service.ask()).words == ANSWER

            assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
        finally:
            writer.close()


async def test_a_caller_who_reads_slowly_holds_no_slot(open_service: Opener) -> None:
    async with ollamas(FaultyOllama(), slots=1) as urls, open_service(*urls) as service:
        with socket.socket() as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(slow, service.address)
            texts = [f"Text {n}." for n in range(900)]
            body = msgspec.json.encode({"text": texts, "source": "en", "target": "de"})
            head = f"POST /v1/translate HTTP/1.1\r\nHost: test\r\nContent-Length: {len(body)}\r\n\r\n"
            await loop.sock_sendall(slow, head.encode() + body)
            assert (await loop.sock_recv(slow, 15)) == b"HTTP/1.1 200 OK"

            await service.until_calm()
            assert (await service.ask()).words == ANSWER

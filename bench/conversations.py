"""What a bulk job costs those who talk: from a message's sending to its translation on the other's screen.

200 conversations of two people each, all over WebSockets of one server, whose engine is the simulator; both are
processes of their own. People talk as a Poisson process, first alone, then beside a job that was handed in over HTTP
and fills the engine as far as it may.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import cycle

import aiohttp
import msgspec

from bench.lanes import PHASE_S, WARM_UP_S
from bench.open_loop_load import OK, Sample, lag_p99_ms, latencies_ms, open_loop, percentile, poisson_arrivals, verdict
from bench.open_loop_servers import client, dragoman, openai_engine, simulator
from bench.open_loop_texts import endless_sentences
from bench.report import Report
from bench.running_job import begun_job
from dragoman.simulator import profile_named

PROFILE = "h100-12b"
ROOMS = 200
MESSAGES_PER_S = 30.0
"""A quarter of what this engine carries: each conversation says something every seven seconds."""
CASES = (0.9, 0.35)
"""The part of the engine's slots that bulk may fill."""


class Pair:
    """Two people in a conversation. Mutable state: who waits for the translation of which message."""

    def __init__(self, writer: aiohttp.ClientWebSocketResponse, reader: aiohttp.ClientWebSocketResponse) -> None:
        self._writer = writer
        self._reader = reader
        self._waiting: dict[str, asyncio.Future[None]] = {}
        self._messages: dict[str, str] = {}

    async def send(self, text: str) -> int:
        """Write a message and return when the other one reads its translation."""
        waiting = self._waiting[text] = asyncio.get_running_loop().create_future()
        await self._writer.send_str(_json({"type": "message", "client_id": text[:100], "text": text}))
        await waiting
        return OK

    async def read(self) -> None:
        """Follow what the reader is told, to the end of the connection."""
        async for frame in self._reader:
            event = msgspec.json.decode(frame.data)
            if event["type"] == "message":
                self._messages[event["id"]] = event["original"]["text"]
            elif event["type"] == "translated":
                self._waiting.pop(self._messages.pop(event["id"])).set_result(None)

    async def drain(self) -> None:
        """Take what the writer is told, as a page would."""
        async for _ in self._writer:
            pass


async def run() -> Report:
    """Measure for about a minute and a half."""
    measured = [(bulk_fill, *await _measure(bulk_fill)) for bulk_fill in CASES]
    return Report(
        name="conversations",
        title="People who talk, with and without a bulk job",
        columns=(
            "bulk fills",
            "p50 / p95 / p99 alone, ms",
            "p50 / p95 / p99 beside a job, ms",
            "p95 beside / alone (reach 1.3)",
            "the job's rows/s",
        ),
        rows=[_row(bulk_fill, alone, beside, bulk_per_s) for bulk_fill, alone, beside, bulk_per_s in measured],
        notes=(
            f"{ROOMS} conversations of two on a simulated {PROFILE}, {MESSAGES_PER_S:g} messages/s in all, "
            f"{PHASE_S:.0f} s a phase, from the scheduled time of sending to the translation at the reader's client.",
            verdict(max(lag_p99_ms([*alone, *beside]) for _, alone, beside, _ in measured)),
        ),
    )


async def _measure(bulk_fill: float) -> tuple[Sequence[Sample], Sequence[Sample], float]:
    profile = profile_named(PROFILE)
    async with (
        simulator(PROFILE) as engine,
        dragoman(openai_engine(engine, profile), "--bulk-fill", str(bulk_fill)) as server,
        _talking(f"{server.url}/v1/conversations") as pairs,
        client() as session,
    ):
        alone = await _talk(pairs)
        job = await begun_job(session, server)
        await asyncio.sleep(WARM_UP_S)
        await job.count()
        beside = await _talk(pairs)
        return alone, beside, await job.per_second()


async def _talk(pairs: Iterator[Pair]) -> list[Sample]:
    arrivals = poisson_arrivals(MESSAGES_PER_S, PHASE_S, seed=1)
    return await open_loop(arrivals, endless_sentences(), lambda text: next(pairs).send(text))


@asynccontextmanager
async def _talking(url: str) -> AsyncIterator[Iterator[Pair]]:
    """All conversations, in turn."""
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
        AsyncExitStack() as stack,
        asyncio.TaskGroup() as group,
    ):
        pairs = [await _pair(session, stack, url) for _ in range(ROOMS)]
        tasks = [group.create_task(work) for pair in pairs for work in (pair.read(), pair.drain())]
        yield cycle(pairs)
        for task in tasks:
            task.cancel()


async def _pair(session: aiohttp.ClientSession, stack: AsyncExitStack, url: str) -> Pair:
    async with session.post(url, json={}) as answer:
        room = (await answer.json())["id"]
    writer, reader = [
        await stack.enter_async_context(session.ws_connect(f"{url}/{room}")) for _ in ("writer", "reader")
    ]
    for socket, language in ((writer, "en"), (reader, "de")):
        await socket.send_str(_json({"type": "join", "language": language}))
        await socket.receive()
    return Pair(writer, reader)


def _json(message: object) -> str:
    return msgspec.json.encode(message).decode()


def _row(bulk_fill: float, alone: Sequence[Sample], beside: Sequence[Sample], bulk_per_s: float) -> Sequence[str]:
    p95s = [percentile(latencies_ms(samples, answered=True), 0.95) for samples in (alone, beside)]
    return (
        f"{bulk_fill:.0%}",
        _percentiles(alone),
        _percentiles(beside),
        f"{p95s[1] / p95s[0]:.2f}",
        f"{bulk_per_s:.1f}",
    )


def _percentiles(samples: Sequence[Sample]) -> str:
    values = latencies_ms(samples, answered=True)
    return " / ".join(f"{percentile(values, share):.0f}" for share in (0.5, 0.95, 0.99))


if __name__ == "__main__":
    sys.exit("run `python -m bench conversations`")

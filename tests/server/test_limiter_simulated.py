"""The limiter over real sockets: the adapter for Ollama before a simulated Ollama that does not tell its slots."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from statistics import fmean

import uvloop
from msgspec.structs import replace

from dragoman.core.limiter import AdaptiveLimit
from dragoman.engines.base import Engine
from dragoman.engines.ollama import open_engine
from dragoman.engines.url import EngineURL
from dragoman.simulator import create_app, profile_named, running
from dragoman.types import Output, Pair, Segment

SLOTS = 8
WORDS = ("morning", "train", "nine", "station", "reads", "a", "of", "the", "umbrella", "yesterday")
LOAD_S = 4.0


class Callers:
    """As many calls in flight as the limiter allows, for a while; `waiting` are samples of the engine's own queue."""

    def __init__(self, engine: Engine, limiter: AdaptiveLimit) -> None:
        self._engine = engine
        self._limiter = limiter
        self._loop = asyncio.get_running_loop()
        self._rng = random.Random(1)
        self._flying: set[asyncio.Task[None]] = set()

    async def keep_calling(self, seconds: float) -> None:
        end_s = self._loop.time() + seconds
        while self._loop.time() < end_s:
            while len(self._flying) < self._limiter.limit:
                self._flying.add(asyncio.create_task(self._call()))
            await asyncio.wait(self._flying, return_when=asyncio.FIRST_COMPLETED)
            self._flying = {task for task in self._flying if not task.done()}
        await asyncio.gather(*self._flying)

    async def _call(self) -> None:
        text = " ".join(self._rng.choices(WORDS, k=self._rng.randint(2, 30)))
        sent_s = self._loop.time()
        (output,) = await self._engine.translate([Segment(text, Pair("en", "de"))])
        assert isinstance(output, Output), output
        now_s, flying = self._loop.time(), len(self._flying)
        tokens = output.tokens.output
        self._limiter.landed(now_s, took_s=now_s - sent_s, tokens=tokens, flying=flying, ok=True)


def test_the_slots_of_an_ollama_are_found_over_real_sockets() -> None:
    # On the loop that serves in production: asyncio's own leaves Nagle's algorithm on for the simulator's answers, and
    # 40 ms of a delayed ACK are half of what a call takes here.
    samples = uvloop.run(limits_and_queues())

    assert 0.7 * SLOTS <= fmean(limit for limit, _ in samples) <= 1.4 * SLOTS
    assert fmean(waiting for _, waiting in samples) <= 0.25 * SLOTS


async def limits_and_queues() -> list[tuple[int, int]]:
    """The limit and the engine's own queue, over the second half of the load."""
    app = create_app("ollama", replace(profile_named("ollama-4"), slots=SLOTS), speed=10)
    limiter = AdaptiveLimit()
    samples: list[tuple[int, int]] = []

    async def watch() -> None:
        await asyncio.sleep(LOAD_S / 2)
        while True:
            samples.append((limiter.limit, app.state.model.waiting))
            await asyncio.sleep(0.02)

    async with running(app) as url:
        engine = await open_engine(EngineURL.parse(f"{url.replace('http', 'ollama')}/translategemma:27b"), Path())
        watching = asyncio.create_task(watch())
        try:
            await engine.probe()
            await Callers(engine, limiter).keep_calling(LOAD_S)
        finally:
            watching.cancel()
            await engine.aclose()
    return samples

"""What it brings to send a pair to the replica that has its prompt cached: two embedded engines, eight pairs mixed.

The same labels go through a pool that follows the warm pairs and through one that forgets them and only looks for
the emptiest replica, in turn. The first tokens of a pair's prompt are the same for every text, so an engine that has
them in its cache computes only the rest.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path

from bench.report import Report
from bench.sentences import LABELS
from dragoman.core.pool import Pool
from dragoman.core.scheduler import Scheduler, Scheduling
from dragoman.engines.registry import open_engine
from dragoman.errors import EngineUnavailable
from dragoman.types import Pair, Segment, Tokens

PAIRS = tuple(Pair("en", target) for target in ("de", "fr", "es", "it", "nl", "pt", "sv", "pl"))
REPLICAS = 2
TEXTS_A_ROUND = 32
ROUNDS = 2
DEADLINE_S = 600.0


async def run() -> Report:
    """Measure for about four minutes on two quiet cores."""
    mixed = random.Random(1).sample(
        [Segment(text, pair) for text in LABELS for pair in PAIRS], len(LABELS) * len(PAIRS)
    )
    fresh = iter(mixed)
    with tempfile.TemporaryDirectory() as folder:
        async with _pool(Path(folder)) as follows, _pool(Path(folder)) as forgets:
            for replica in forgets:
                replica._touch = _forget  # type: ignore[method-assign]
            for pool in (follows, forgets):
                await _rate(pool, fresh)  # warms up
            rounds = [(await _rate(follows, fresh), await _rate(forgets, fresh)) for _ in range(ROUNDS)]
            reused = [_reused(pool) for pool in (follows, forgets)]
    rates = [statistics.median(column) for column in zip(*rounds, strict=True)]
    return Report(
        name="affinity",
        title="Pairs kept to the replica that has their prompt cached",
        columns=("pool", "segments/s", "prompt tokens reused"),
        rows=[
            (name, f"{rate:.2f}", f"{share:.0%}")
            for name, rate, share in zip(("warm pair first", "emptiest first"), rates, reused, strict=True)
        ],
        notes=(
            f"{REPLICAS} embedded engines with the bundled model, {len(PAIRS)} pairs mixed at random, "
            f"{TEXTS_A_ROUND} labels a round, {ROUNDS} rounds in turn, medians. The engines share the machine's cores.",
        ),
    )


@asynccontextmanager
async def _pool(data_dir: Path) -> AsyncIterator[Pool]:
    async with Pool() as pool:
        for number in range(REPLICAS):
            pool.add(f"replica {number}", await open_engine("llamacpp://bundled", data_dir))
        await asyncio.gather(*(replica.engine.probe() for replica in pool))
        await pool.ready()
        yield pool


def _forget(pair: Pair) -> None:
    """What a replica would have remembered of where a pair is warm."""


async def _rate(pool: Pool, fresh: Iterator[Segment]) -> float:
    """Segments a second."""
    segments = list(islice(fresh, TEXTS_A_ROUND))
    scheduler = Scheduler(pool, Scheduling(segments=1000, tokens=100_000))
    started = time.perf_counter()
    flown = await scheduler.fly(segments, asyncio.get_running_loop().time() + DEADLINE_S)
    for one in flown:
        if isinstance(one.outcome, EngineUnavailable):
            raise one.outcome  # a bad output is work all the same
    return len(segments) / (time.perf_counter() - started)


def _reused(pool: Pool) -> float:
    tokens = sum((replica.tokens for replica in pool), Tokens())
    return tokens.cached / tokens.prompt


if __name__ == "__main__":
    sys.exit("run `python -m bench affinity`")

"""Comments as people send them, some again and again: how many are answered from memory, how fast, how many a second.

The popularity of texts follows Zipf's law with exponent 1.0 over a million different comments. Every request goes over
HTTP; the server says in its `Server-Timing` header how long the engine took, and for an answer from memory that is
nothing at all.
"""

from __future__ import annotations

import itertools
import random
import sys
import time
from collections.abc import Sequence

import aiohttp
import msgspec
from msgspec import Struct

from bench.load import Load, closed_loop
from bench.open_loop_load import percentile
from bench.open_loop_servers import PAIR, asks_dragoman, client, simulated_pair, surely
from bench.open_loop_texts import new_sentences, sentence
from bench.processes import ServerProcess
from bench.report import Report

PROFILE = "instant"
COMMENTS = 1_000_000
REQUESTS = 30_000
CALLERS = 16
AGAIN_TEXTS = 500
AGAIN_REQUESTS = 40_000
AGAIN_CALLERS = 64
SEED = 20


class Seen(Struct, frozen=True):
    """One answer: whether it came from memory, and how long it took, as the caller and as the server say."""

    from_memory: bool
    took_ms: float
    server_ms: float


async def run() -> Report:
    """Measure for about two minutes."""
    comments = _comments(random.Random(SEED))
    async with simulated_pair(PROFILE) as (_, server), client() as session:
        seen = await _seen(session, server, comments)
        again, cores = await _again(session, server)
    hits = [one for one in seen if one.from_memory]
    repeats = len(comments) - len(set(comments))
    return Report(
        name="zipf",
        title="Answers from memory",
        columns=(
            "hit rate",
            "hits / repeats",
            "p50 of a hit, ms",
            "p50 of a hit in the server, ms",
            "p50 of a miss, ms",
            "the same texts again, answers/s",
            "cores busy",
            "answers/s and core (reach 8,000)",
        ),
        rows=[
            (
                f"{len(hits) / len(seen):.3f}",
                f"{len(hits) / repeats:.3f}",
                f"{percentile((hit.took_ms for hit in hits), 0.5):.2f}",
                f"{percentile((hit.server_ms for hit in hits), 0.5):.3f}",
                f"{percentile((one.took_ms for one in seen if not one.from_memory), 0.5):.2f}",
                f"{again.per_second:.0f}",
                f"{cores:.2f}",
                f"{again.per_second / cores:.0f}" if cores else "–",
            )
        ],
        notes=(
            f"{REQUESTS:,} requests of one comment each by {CALLERS} callers, Zipf 1.0 over {COMMENTS:,} comments, an "
            f"empty memory at the start; {repeats:,} of the requests repeat an earlier one. Simulated {PROFILE!r}.",
            f"The same texts again: {AGAIN_TEXTS} sentences that were asked once, {AGAIN_REQUESTS:,} times by "
            f"{AGAIN_CALLERS} callers. The client shares the machine, so what counts is the server's own CPU time.",
        ),
    )


def _comments(rng: random.Random) -> Sequence[str]:
    weights = list(itertools.accumulate(1 / rank for rank in range(1, COMMENTS + 1)))
    # Negative, because positive numbers are those of new sentences.
    return [sentence(-rank) for rank in rng.choices(range(1, COMMENTS + 1), cum_weights=weights, k=REQUESTS)]


async def _seen(session: aiohttp.ClientSession, server: ServerProcess, comments: Sequence[str]) -> Sequence[Seen]:
    seen: list[Seen] = []

    async def ask(text: str) -> None:
        body = msgspec.json.encode({"text": text, "source": PAIR.source, "target": PAIR.target})
        began = time.perf_counter()
        async with session.post(f"{server.url}/v1/translate", data=body, headers=_JSON) as answer:
            assert answer.status == 200, await answer.text()
            await answer.read()
        stages_ms = _stages_ms(answer.headers["Server-Timing"])
        seen.append(Seen(stages_ms["engine"] == 0, (time.perf_counter() - began) * 1e3, stages_ms["total"]))

    await closed_loop(comments, CALLERS, ask)
    return seen


async def _again(session: aiohttp.ClientSession, server: ServerProcess) -> tuple[Load, float]:
    """Ask for remembered texts, and return that load and how many cores the server kept busy."""
    ask = surely(asks_dragoman(session, server))
    texts = new_sentences(AGAIN_TEXTS)
    await closed_loop(texts, CALLERS, ask)
    before_s = server.cpu_s()
    load = await closed_loop([texts[number % AGAIN_TEXTS] for number in range(AGAIN_REQUESTS)], AGAIN_CALLERS, ask)
    return load, (server.cpu_s() - before_s) / load.seconds


def _stages_ms(server_timing: str) -> dict[str, float]:
    """Read `name;dur=1.5, ...` (W3C Server Timing)."""
    stages = (stage.strip().partition(";dur=") for stage in server_timing.split(","))
    return {name: float(duration) for name, _, duration in stages}


_JSON = {"content-type": "application/json"}


if __name__ == "__main__":
    sys.exit("run `python -m bench zipf`")

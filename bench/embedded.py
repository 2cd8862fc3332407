"""The embedded engine through the server against direct calls, at 1, 8 and 32 callers.

Three ways to translate the same sentences with the same prompts:
- *default*: llama.cpp's server as xllamacpp sets it up when nothing is asked for, one whole answer a request;
- *direct*: the settings `engines/llamacpp` chooses, called without a server in front;
- *dragoman*: the same engine behind `dragoman serve`, by `POST /v1/translate`.

The machine's speed wanders, so every round runs all three, one after the other, and the median of the rounds' ratios
counts.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import islice
from pathlib import Path

import aiohttp

from bench.load import closed_loop
from bench.processes import free_port, started
from bench.report import Report
from bench.sentences import LABELS, SENTENCES
from dragoman.engines.base import Engine
from dragoman.engines.bundled import bundled_model
from dragoman.engines.registry import open_engine
from dragoman.errors import EngineError
from dragoman.prompts.styles import style_named
from dragoman.types import Pair, Segment

PAIR = Pair("en", "de")
LOADS = (("sentences", 1), ("sentences", 8), ("sentences", 32), ("labels", 8))
ROUNDS = 2
TEXTS = {"sentences": SENTENCES, "labels": LABELS}
WARM_UP = tuple(f"We need {number} more chairs." for number in range(2, 10))

Send = Callable[[str], Awaitable[None]]

DEFAULT_SERVER = """
import sys, time, xllamacpp
params = xllamacpp.CommonParams()
params.model.path, params.port, params.verbosity = sys.argv[1], int(sys.argv[2]), 0
server = xllamacpp.Server(params)
time.sleep(3600)
"""


async def run() -> Report:
    """Measure for about five minutes on two quiet cores."""
    with tempfile.TemporaryDirectory() as folder:
        async with AsyncExitStack() as stack:
            enter = stack.enter_async_context
            session = await enter(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
            sends = {
                "default": await enter(_default(session, bundled_model(Path(folder)))),
                "direct": await enter(_direct(Path(folder))),
                "dragoman": await enter(_dragoman(session, Path(folder))),
            }
            for name, send in sends.items():
                await closed_loop(random.Random(name).sample(WARM_UP, len(WARM_UP)), len(WARM_UP), send)
            fresh = {kind: {name: _shuffled(texts, name) for name in sends} for kind, texts in TEXTS.items()}
            rows = [(kind, *await _row(sends, fresh[kind], callers)) for kind, callers in LOADS]
    return Report(
        name="embedded",
        title="The embedded engine through the server, segments per second",
        columns=("texts", "callers", *sends, "dragoman / default (reach 2.5)", "dragoman / direct (reach 0.95)"),
        rows=rows,
        notes=(
            f"{ROUNDS} rounds of the three in turn on the bundled model, en to de; rates and ratios are medians.",
            "sentences have about 14 words and become some 20 tokens; labels have three words.",
            "default: xllamacpp's own settings, one whole answer a request; direct: Dragoman's settings, no server.",
        ),
    )


def _shuffled(texts: Sequence[str], name: str) -> Iterator[str]:
    return iter(random.Random(name).sample(texts, len(texts)))


async def _row(sends: dict[str, Send], fresh: dict[str, Iterator[str]], callers: int) -> Sequence[str]:
    rates: dict[str, list[float]] = {name: [] for name in sends}
    for _ in range(ROUNDS):
        for name, send in sends.items():
            # Never the same sentence again: no answer and no prompt is remembered from an earlier round.
            sentences = list(islice(fresh[name], 6 if callers == 1 else 24))
            rates[name].append((await closed_loop(sentences, callers, send)).per_second)
    against = {
        name: statistics.median(ours / other for ours, other in zip(rates["dragoman"], rates[name], strict=True))
        for name in ("default", "direct")
    }
    medians = [f"{statistics.median(rates[name]):.2f}" for name in sends]
    return (str(callers), *medians, f"{against['default']:.2f}", f"{against['direct']:.2f}")


@asynccontextmanager
async def _default(session: aiohttp.ClientSession, model: Path) -> AsyncIterator[Send]:
    style, port = style_named("exemplar"), free_port()

    async def send(sentence: str) -> None:
        prompt = style.render(Segment(sentence, PAIR))
        body = {"prompt": prompt.raw, "temperature": 0, "n_predict": prompt.max_tokens, "stop": prompt.stop}
        async with session.post(f"{server.url}/completion", json=body) as answer:
            assert (await answer.json())["content"].strip()

    async with started(["-c", DEFAULT_SERVER, str(model), str(port)], port, ready_path="/health") as server:
        yield send


@asynccontextmanager
async def _direct(data_dir: Path) -> AsyncIterator[Send]:
    engine: Engine = await open_engine("llamacpp://bundled", data_dir)
    slots = asyncio.Semaphore((await engine.probe()).slots)

    async def send(sentence: str) -> None:
        async with slots:
            (outcome,) = await engine.translate([Segment(sentence, PAIR)])
        if isinstance(outcome, EngineError):
            raise outcome

    try:
        yield send
    finally:
        await engine.aclose()


@asynccontextmanager
async def _dragoman(session: aiohttp.ClientSession, data_dir: Path) -> AsyncIterator[Send]:
    port = free_port()

    async def send(sentence: str) -> None:
        body = {"text": sentence, "source": PAIR.source, "target": PAIR.target}
        async with session.post(f"{server.url}/v1/translate", json=body) as answer:
            assert answer.status == 200, await answer.text()

    arguments = ["-m", "dragoman", "serve", "--engine", "llamacpp://bundled", "--port", str(port)]
    arguments += ["--memory-bytes", "0"]
    async with started([*arguments, "--data-dir", str(data_dir)], port, ready_path="/ready") as server:
        yield send


if __name__ == "__main__":
    sys.exit("run `python -m bench embedded`")

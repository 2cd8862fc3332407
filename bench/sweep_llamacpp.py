"""Which settings make the embedded engine fast: `python -m bench.sweep_llamacpp [llamacpp-URL]`, about 4 minutes.

Every row starts llama.cpp anew with one thing changed, warms each pair in each slot, and for ten seconds translates
sentences from English into German, French and Spanish, mixed, with as many at once as there are slots. Compare rows of
one run only, on a machine that does nothing else; the first settings come again in the last row, which shows how much
the machine wandered. `reused` is the share of prompt tokens that were not computed again. OpenMP's own settings are
taken from the environment: set OMP_WAIT_POLICY=active to see what spinning threads cost beside other work.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import aclosing
from pathlib import Path

from msgspec.structs import replace

from bench.sentences import SENTENCES
from dragoman.engines.llamacpp import SPARE_CONNECTIONS, LlamaCppEngine, open_engine
from dragoman.engines.llamacpp_child import ServerOptions
from dragoman.engines.url import EngineURL
from dragoman.errors import EngineError
from dragoman.types import Output, Pair, Segment, Tokens

TARGETS = ("de", "fr", "es")
WORK_S = 10.0
MAX_WORK_S = 40.0
CHANGES: tuple[Mapping[str, int | bool], ...] = (
    {},
    {"slots": 1},
    {"slots": 4},
    {"slots": 16},
    {"slots": 32, "context_tokens": 1024},
    {"swa_full": False},
    {"cache_ram_mib": 0},
    {"micro_batch_tokens": 128},
    {"micro_batch_tokens": 2048},
    {"threads": 1},
    {},
)


def main() -> None:
    url = sys.argv[1] if len(sys.argv) > 1 else "llamacpp://bundled"
    asyncio.run(sweep(EngineURL.parse(url)))


async def sweep(url: EngineURL) -> None:
    with tempfile.TemporaryDirectory() as data_dir:
        engine = await open_engine(url, Path(data_dir))
        assert isinstance(engine, LlamaCppEngine)
        print(f"{engine.info.model}, {engine.options}")
        print(f"{'changed':<36}{'segments/s':>11}{'ratio':>7}{'reused':>8}{'start s':>9}")
        first = 0.0
        for change in CHANGES:
            rate, tokens, start_s = await measure(engine, changed(engine.options, change))
            first = first or rate
            words = " ".join(f"{name}={value}" for name, value in change.items()) or "-"
            reused = tokens.cached / max(1, tokens.prompt)
            print(f"{words:<36}{rate:>11.2f}{rate / first:>7.2f}{reused:>8.2f}{start_s:>9.1f}", flush=True)


def changed(options: ServerOptions, change: Mapping[str, int | bool]) -> ServerOptions:
    slots = int(change.get("slots", options.slots))
    return replace(options, connections=slots + SPARE_CONNECTIONS, **change)


async def measure(opened: LlamaCppEngine, options: ServerOptions) -> tuple[float, Tokens, float]:
    """Segments a second, tokens, and the seconds until the model was loaded."""
    engine = LlamaCppEngine(options, replace(opened.info, slots=options.slots), opened.style)
    async with aclosing(engine):
        started = time.perf_counter()
        await engine.probe()
        start_s = time.perf_counter() - started
        for target in TARGETS:
            await engine.translate([Segment("Good morning.", Pair("en", target))] * options.slots)
        began = time.perf_counter()
        outputs = await translate_all(engine, began + WORK_S)
        took_s = time.perf_counter() - began
        return len(outputs) / took_s, sum((output.tokens for output in outputs), Tokens()), start_s


async def translate_all(engine: LlamaCppEngine, until: float) -> list[Output]:
    """Keep all slots busy until it is time, then finish what was begun, unless the machine is far too slow for that."""
    waiting = (Segment(text, Pair("en", target)) for text in SENTENCES for target in TARGETS)
    outputs: list[Output] = []
    workers = [asyncio.create_task(_work(engine, waiting, until, outputs)) for _ in range(engine.info.slots)]
    _, too_slow = await asyncio.wait(workers, timeout=MAX_WORK_S)
    for worker in too_slow:
        worker.cancel()
    await asyncio.wait(workers)
    return outputs


async def _work(engine: LlamaCppEngine, waiting: Iterator[Segment], until: float, outputs: list[Output]) -> None:
    while time.perf_counter() < until and (segment := next(waiting, None)):
        (outcome,) = await engine.translate([segment])
        if isinstance(outcome, EngineError):
            print(f"failed: {outcome.message}", file=sys.stderr)
        else:
            outputs.append(outcome)


if __name__ == "__main__":
    main()

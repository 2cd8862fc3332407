"""The time Dragoman adds to a request while half a core is busy with requests.

The engine answers every request after 50 ms, so whatever else passes was added on the way. How many requests make half
a core busy is measured first. Then the same Poisson process runs against the engine directly and through Dragoman, in
turn, and the difference of the percentiles is what was added.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Awaitable, Callable, Sequence

from msgspec import Struct

from bench.load import closed_loop
from bench.open_loop_load import lag_p99_ms, latencies_ms, open_loop, percentile, poisson_arrivals, verdict
from bench.open_loop_servers import asks_dragoman, asks_engine, client, dragoman, surely
from bench.open_loop_texts import endless_sentences, new_sentences
from bench.processes import ServerProcess, free_port, started
from bench.report import Report

MODEL = "translategemma-27b-it"
SLOTS = 200
BUSY_CORES = 0.5
CALLERS = 50
PROBE_REQUESTS = 3_000
RUN_S = 12.0
ROUNDS = 4


class Run(Struct, frozen=True):
    """One load: its percentiles, how late the generator was, and what failed."""

    p50_ms: float
    p99_ms: float
    lag_p99_ms: float
    failed: int


async def run() -> Report:
    """Measure for about two minutes."""
    port = free_port()
    async with (
        started(["-m", "bench.proxy_cost_servers", "upstream", str(port)], port, ready_path="/v1/models") as engine,
        dragoman(f"openai+{engine.url}/v1?model={MODEL}&slots={SLOTS}") as server,
        client() as session,
    ):
        directly, through = asks_engine(session, engine, MODEL), asks_dragoman(session, server)
        rate_per_s = BUSY_CORES / await _cpu_s(server, surely(through))
        cpu_before_s = server.cpu_s()
        rounds = [[await _run(ask, rate_per_s, seed) for ask in (directly, through)] for seed in range(ROUNDS)]
        busy_cores = (server.cpu_s() - cpu_before_s) / (ROUNDS * RUN_S)
    return _report(rounds, rate_per_s, busy_cores)


async def _cpu_s(server: ServerProcess, ask: Callable[[str], Awaitable[None]]) -> float:
    """CPU time of the server for each request."""
    await closed_loop(new_sentences(PROBE_REQUESTS // 5), CALLERS, ask)
    before_s = server.cpu_s()
    await closed_loop(new_sentences(PROBE_REQUESTS), CALLERS, ask)
    return (server.cpu_s() - before_s) / PROBE_REQUESTS


async def _run(ask: Callable[[str], Awaitable[int]], rate_per_s: float, seed: int) -> Run:
    samples = await open_loop(poisson_arrivals(rate_per_s, RUN_S, seed=seed), endless_sentences(), ask)
    answered_ms = latencies_ms(samples, answered=True)
    return Run(
        p50_ms=percentile(answered_ms, 0.5),
        p99_ms=percentile(answered_ms, 0.99),
        lag_p99_ms=lag_p99_ms(samples),
        failed=len(samples) - len(answered_ms),
    )


def _report(rounds: Sequence[Sequence[Run]], rate_per_s: float, busy_cores: float) -> Report:
    added_p50_ms = statistics.median(through.p50_ms - directly.p50_ms for directly, through in rounds)
    added_p99_ms = statistics.median(through.p99_ms - directly.p99_ms for directly, through in rounds)
    return Report(
        name="added_latency",
        title="Latency that Dragoman adds at half a core",
        columns=(
            "requests/s",
            "cores busy",
            "directly p50 / p99, ms",
            "through dragoman p50 / p99, ms",
            "added p50, ms (reach 1)",
            "added p99, ms (reach 5)",
            "failed",
        ),
        rows=[
            (
                f"{rate_per_s:.0f}",
                f"{busy_cores:.2f}",
                *(_medians(column) for column in zip(*rounds, strict=True)),
                f"{added_p50_ms:.2f}",
                f"{added_p99_ms:.2f}",
                str(sum(run.failed for pair in rounds for run in pair)),
            )
        ],
        notes=(
            f"An engine of 50 ms, {ROUNDS} rounds of {RUN_S:.0f} s directly and through Dragoman with the same "
            "arrivals, every sentence new; medians of the rounds. Latency from the scheduled time.",
            verdict(statistics.median(run.lag_p99_ms for pair in rounds for run in pair)),
        ),
    )


def _medians(runs: Sequence[Run]) -> str:
    p50_ms = statistics.median(run.p50_ms for run in runs)
    p99_ms = statistics.median(run.p99_ms for run in runs)
    return f"{p50_ms:.2f} / {p99_ms:.2f}"


if __name__ == "__main__":
    sys.exit("run `python -m bench added_latency`")

"""Dragoman under more load than its engine can carry: what is answered in time, what is refused, how soon it recovers.

Capacity is measured first, by keeping the engine full without Dragoman. Then requests come as a Poisson process at 25
to 300 % of it, each a sentence that nobody asked before, and each telling the server how long its caller waits.
"""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from msgspec import Struct

from bench.engine_use import steady_per_s
from bench.load import closed_loop
from bench.open_loop_load import (
    OK,
    UNREACHED,
    Sample,
    lag_p99_ms,
    latencies_ms,
    open_loop,
    percentile,
    poisson_arrivals,
    verdict,
)
from bench.open_loop_servers import asks_dragoman, asks_engine, client, simulated_pair, surely
from bench.open_loop_texts import endless_sentences, new_sentences
from bench.plot import plot_open_loop
from bench.report import Report
from dragoman.simulator import profile_named

PROFILE = "h100-12b"
LOADS = (0.25, 0.5, 0.75, 0.9, 1.0, 1.25, 1.5, 2.0, 3.0)
STAGE_S = 8.0
SLO_S = 1.0
"""What a caller waits at most: an answer after that is none. An idle engine needs a fifth of it."""
CAPACITY_SENTENCES = 800
RECOVERY_S = 12.0
ENOUGH_FOR_P999 = 1_000
PNG = Path(__file__).parent / "results" / "open_loop.png"

Ask = Callable[[str], Awaitable[int]]


class Stage(Struct, frozen=True):
    """What came of one offered load; `load` is its share of the capacity."""

    load: float
    seconds: float
    samples: Sequence[Sample]

    @property
    def offered_per_s(self) -> float:
        return len(self.samples) / self.seconds

    @property
    def good_per_s(self) -> float:
        """Goodput: answers within the callers' time."""
        return sum(sample.status == OK and sample.latency_ms <= SLO_S * 1e3 for sample in self.samples) / self.seconds

    def latency_ms(self, share: float) -> float:
        """Of the requests that were answered."""
        return percentile(latencies_ms(self.samples, answered=True), share)

    @property
    def refusal_p99_ms(self) -> float:
        return percentile((sample.latency_ms for sample in self.samples if sample.status in (429, 503)), 0.99)


async def run() -> Report:
    """Measure for about two minutes, and draw the picture."""
    async with simulated_pair(PROFILE) as (engine, server), client() as session:
        profile = profile_named(PROFILE)
        ask_engine = asks_engine(session, engine, profile.hub_model)
        capacity_per_s = await steady_per_s(ask_engine, 2 * profile.slots, CAPACITY_SENTENCES)
        ask = asks_dragoman(session, server, timeout_s=SLO_S)
        await closed_loop(new_sentences(200), 8, surely(ask))
        stages = [await _stage(load, capacity_per_s, ask) for load in LOADS]
        recovery = await _recovery(capacity_per_s, stages[1], ask)
    plot_open_loop(PNG, stages, slo_ms=SLO_S * 1e3)
    return _report(capacity_per_s, stages, recovery)


async def _stage(load: float, capacity_per_s: float, ask: Ask) -> Stage:
    arrivals = poisson_arrivals(load * capacity_per_s, STAGE_S, seed=round(100 * load))
    return Stage(load, STAGE_S, await open_loop(arrivals, endless_sentences(), ask))


async def _recovery(capacity_per_s: float, usual: Stage, ask: Ask) -> str:
    """The highest load, and from one moment to the next half the capacity: seconds until that is served as usual."""
    arrivals = [
        *poisson_arrivals(LOADS[-1] * capacity_per_s, STAGE_S, seed=1),
        *poisson_arrivals(0.5 * capacity_per_s, RECOVERY_S, seed=2, start_s=STAGE_S),
    ]
    samples = await open_loop(arrivals, endless_sentences(), ask)
    seconds = [
        [sample for sample in samples if int(sample.due_s - STAGE_S) == second and sample.due_s >= STAGE_S]
        for second in range(int(RECOVERY_S))
    ]
    unusual = [number for number, second in enumerate(seconds) if not _as_usual(second, usual)]
    if not unusual:
        return "within 1 s"
    return f"within {unusual[-1] + 2} s" if unusual[-1] + 1 < RECOVERY_S else f"not within {RECOVERY_S:.0f} s"


def _as_usual(samples: Sequence[Sample], usual: Stage) -> bool:
    """All answered, and the p95 of this second no more than half above that of the undisturbed stage."""
    answered = latencies_ms(samples, answered=True)
    return len(answered) == len(samples) and percentile(answered, 0.95) <= 1.5 * usual.latency_ms(0.95)


def _report(capacity_per_s: float, stages: Sequence[Stage], recovery: str) -> Report:
    peak_per_s = max(stage.good_per_s for stage in stages)
    unloaded, highest = stages[0], stages[-1]
    return Report(
        name="open_loop",
        title="Open loop: 25 % to 300 % of what the engine can carry",
        columns=(
            "load",
            "offered/s",
            "good/s",
            "good / peak",
            "not answered, by status",
            "p50 ms",
            "p99 ms",
            "p99.9 ms",
            "refused in, p99 ms",
            "generator lag p99 ms",
        ),
        rows=[_row(stage, peak_per_s) for stage in stages],
        notes=(
            f"Simulated {PROFILE}, which carries {capacity_per_s:.0f} sentences/s when it is kept full without "
            f"Dragoman. Poisson arrivals, {STAGE_S:.0f} s a load, latency from the scheduled time, exact percentiles "
            f"of answered requests. Good: answered within {SLO_S:g} s, which the request tells as its timeout.",
            f"At {highest.load:.0%} of capacity: goodput {highest.good_per_s / peak_per_s:.0%} of the peak (reach 90 "
            f"%); p99 of what was answered {highest.latency_ms(0.99) / unloaded.latency_ms(0.99):.2f} times that at "
            f"{unloaded.load:.0%} (reach 2); refused in {_ms(highest.refusal_p99_ms)} ms, p99 (reach 10).",
            f"After the drop from {highest.load:.0%} to 50 %, served as usual {recovery} (reach 10 s).",
            f"An engine that is full takes {_full_step_ratio():.2f} times as long for a token as one with one request.",
            verdict(max(lag_p99_ms(stage.samples) for stage in stages)),
            f"Picture: {PNG.parent.name}/{PNG.name}",
        ),
    )


def _row(stage: Stage, peak_per_s: float) -> Sequence[str]:
    counts = Counter(sample.status for sample in stage.samples if sample.status != OK)
    lost = ", ".join(f"{_status_words(status)}: {count}" for status, count in sorted(counts.items()))
    enough = sum(sample.status == OK for sample in stage.samples) >= ENOUGH_FOR_P999
    return (
        f"{stage.load:.0%}",
        f"{stage.offered_per_s:.0f}",
        f"{stage.good_per_s:.0f}",
        f"{stage.good_per_s / peak_per_s:.2f}",
        lost or "–",
        _ms(stage.latency_ms(0.5)),
        _ms(stage.latency_ms(0.99)),
        _ms(stage.latency_ms(0.999)) if enough else "–",
        _ms(stage.refusal_p99_ms),
        f"{lag_p99_ms(stage.samples):.1f}",
    )


def _status_words(status: int) -> str:
    return "no answer" if status == UNREACHED else str(status)


def _ms(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.0f}"


def _full_step_ratio() -> float:
    profile = profile_named(PROFILE)
    return profile.batch_step_s(profile.slots) / profile.batch_step_s(1)


if __name__ == "__main__":
    sys.exit("run `python -m bench open_loop`")

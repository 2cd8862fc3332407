"""How many calls a kill -9 has made twice: a job against an engine that counts, killed over and over."""

from __future__ import annotations

import asyncio
import secrets
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.crashes import Crashed, crash, titles, write_table
from bench.job_processes import counting_engine, nursery, repeats
from bench.report import Report
from dragoman.jobs.memo import GROUP

ROWS = 20_000
KILLS = 60
ENGINES = ((32, 0.02), (256, 0.05))
"""Slots, and seconds that an answer takes."""


async def run() -> Report:
    """Measure for some minutes."""
    seed = secrets.randbelow(2**32)
    rows = []
    for slots, takes_s in ENGINES:
        crashed = await asyncio.to_thread(_crashed, slots, takes_s, seed)
        rows += [
            _row(slots, takes_s, "when it arrives", crashed.asked, crashed.asked_before),
            _row(slots, takes_s, "when it is answered", crashed.answered, crashed.answered_before),
        ]
    return Report(
        name="job_crash",
        title="Calls made twice because of a kill",
        columns=("slots", "an answer takes", "a call is counted", "kills", "mean", "largest", "promised at most"),
        rows=rows,
        notes=(
            f"{ROWS:,} rows, 30 % of them duplicates, killed at random moments (seed {seed}) and resumed.",
            f"The promise: what flies and two commits of {GROUP}. It is counted where calls arrive, at the engine.",
        ),
    )


def _crashed(slots: int, takes_s: float, seed: int) -> Crashed:
    texts = titles(ROWS)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_table(folder / "in.csv", texts)
        with counting_engine(slots=slots, takes_s=takes_s) as engine, nursery(folder) as home:
            return crash(folder / "out", folder / "in.csv", len(set(texts)), KILLS, seed, engine, home)


def _row(slots: int, takes_s: float, counted: str, calls: Sequence[str], before: Sequence[int]) -> tuple[str, ...]:
    again = repeats(calls, before)
    return (
        str(slots),
        f"{takes_s * 1e3:.0f} ms",
        counted,
        str(KILLS),
        f"{again.total() / KILLS:.1f}",
        str(max(again.values(), default=0)),
        str(slots + 2 * GROUP),
    )


if __name__ == "__main__":
    sys.exit("run `python -m bench job_crash`")

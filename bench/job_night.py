"""Two million rows in a night: how full a job keeps one simulated GPU, and how long it takes by that.

The machine is slowed down until Dragoman's own work on a core does not count, as in `sizing`. The article's machine
took 4 h for its two million rows one after another, and 1.2 h with its batches; neither its texts nor its card are
known well enough to be played, so its times stand beside ours and are not compared.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from bench.jobs import PAIR, work, write_table
from bench.report import Report
from dragoman.engines.simulated_text import estimate_tokens, pseudo_translate
from dragoman.jobs.sizing import Corpus, bulk_slots, call_of, segments_per_s
from dragoman.settings import Settings
from dragoman.simulator import profile_named
from dragoman.wiring import open_translator

PROFILE = "h100-27b"
ROWS = 3_000
NIGHT_ROWS = 2_000_000
PACE_PER_S = 100
TEXT = "Red wooden chair number 1234 with four strong legs and a cushion"
DAY_S = 86_400


async def run() -> Report:
    """Measure for about half a minute."""
    profile, corpus = profile_named(PROFILE), _corpus()
    best_per_s = segments_per_s(call_of(corpus, profile), profile)
    speed = PACE_PER_S / best_per_s
    per_s = await _measured_per_s(speed) / speed
    return Report(
        name="job_night",
        title="Two million rows on one simulated H100 (27B)",
        columns=(
            "slots that bulk fills",
            "the engine's best/s",
            "the job's/s",
            "engine use",
            "hours for 2M",
            "rows a day",
        ),
        rows=[
            (
                f"{bulk_slots(profile)} of {profile.slots}",
                f"{best_per_s:.1f}",
                f"{per_s:.1f}",
                f"{per_s / best_per_s:.2f}",
                f"{NIGHT_ROWS / per_s / 3600:.1f}",
                f"{per_s * DAY_S / 1e6:.2f} million",
            )
        ],
        notes=(
            f"{ROWS:,} rows of one column and language, all different, one segment of {len(TEXT)} characters each; the "
            f"machine set to {PACE_PER_S} segments/s, the rest by proportion. Start and end of the job count.",
            "The article: 4 h one after another, 1.2 h batched, for as many rows of its own on a card of its own.",
        ),
    )


def _corpus() -> Corpus:
    tokens = estimate_tokens(TEXT)
    return Corpus(
        rows=ROWS,
        characters=len(TEXT),
        characters_per_token=len(TEXT) / tokens,
        growth=estimate_tokens(pseudo_translate(TEXT, PAIR)) / tokens,
    )


async def _measured_per_s(speed: float) -> float:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_table(folder / "in.parquet", ROWS)
        settings = Settings(engine=f"simulated://{PROFILE}?speed={speed:.4f}", data_dir=name, memory_disk_bytes=0)
        async with open_translator(settings) as translator:
            await translator.ready()
            began = time.perf_counter()
            await work(folder / "in.parquet", folder / "out", translator)
            return ROWS / (time.perf_counter() - began)


if __name__ == "__main__":
    sys.exit("run `python -m bench job_night`")

"""What `dragoman plan` says a machine does, against what the simulator does behind the real translator.

Sentences of one and the same kind fly in the bulk lane, as a job's do, twice as many at once as there are slots. The
simulated machine is sped up, or slowed down, to a rate at which Dragoman's own work on a core does not count.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence

from bench.engine_use import steady_per_s
from bench.open_loop_load import OK
from bench.open_loop_servers import PAIR
from bench.open_loop_texts import sentence
from bench.report import Report
from dragoman.engines.simulated_text import estimate_tokens, pseudo_translate
from dragoman.errors import DragomanError
from dragoman.jobs.sizing import Corpus, bulk_slots, call_of, segments_per_s
from dragoman.server.problems import status_of
from dragoman.settings import Settings
from dragoman.simulator import Profile, profile_named
from dragoman.types import Lane, TranslateRequest
from dragoman.wiring import open_translator

PROFILES = ("h100-27b", "h100-4b", "4090-12b")
PACE_PER_S = 60
RUN_S = 10
SAMPLES = 1000


async def run() -> Report:
    """Measure for about forty seconds."""
    corpus = _corpus([sentence(number) for number in range(SAMPLES)])
    return Report(
        name="sizing",
        title="What `dragoman plan` predicts against what is measured",
        columns=("engine", "slots that bulk fills", "predicted segments/s", "measured", "measured / predicted"),
        rows=[await _row(profile_named(name), corpus) for name in PROFILES],
        notes=(
            f"Sentences of {corpus.characters:.0f} characters, {corpus.segment_tokens:.1f} tokens that become "
            f"{corpus.segment_tokens * corpus.growth:.1f}, counted as the simulator counts them. Reach: 0.85 to 1.15.",
            f"Each machine was set to a pace of {PACE_PER_S} segments/s for {RUN_S} s; the measured rate is that "
            "divided by the pace.",
        ),
    )


def _corpus(sentences: Sequence[str]) -> Corpus:
    """Rows like these sentences, with the simulator's tokens in place of Gemma's."""
    characters = sum(map(len, sentences))
    tokens = sum(map(estimate_tokens, sentences))
    written = sum(estimate_tokens(pseudo_translate(text, PAIR)) for text in sentences)
    return Corpus(
        rows=len(sentences),
        characters=characters / len(sentences),
        characters_per_token=characters / tokens,
        growth=written / tokens,
    )


async def _row(profile: Profile, corpus: Corpus) -> tuple[str, ...]:
    predicted_per_s = segments_per_s(call_of(corpus, profile), profile)
    speed = PACE_PER_S / predicted_per_s
    measured_per_s = await _measured_per_s(profile, speed) / speed
    return (
        profile.name,
        f"{bulk_slots(profile)} of {profile.slots}",
        f"{predicted_per_s:.1f}",
        f"{measured_per_s:.1f}",
        f"{measured_per_s / predicted_per_s:.3f}",
    )


async def _measured_per_s(profile: Profile, speed: float) -> float:
    with tempfile.TemporaryDirectory() as data_dir:
        settings = Settings(engine=f"simulated://{profile.name}?speed={speed:.4f}", data_dir=data_dir)
        async with open_translator(settings) as translator:
            await translator.ready()

            async def ask(text: str) -> int:
                request = TranslateRequest(texts=(text,), targets=(PAIR.target,), source=PAIR.source, lane=Lane.BULK)
                (outcome,) = await translator.translate(request)
                return status_of(outcome) if isinstance(outcome, DragomanError) else OK

            return await steady_per_s(ask, 2 * profile.slots, RUN_S * PACE_PER_S)


if __name__ == "__main__":
    sys.exit("run `python -m bench sizing`")

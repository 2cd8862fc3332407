"""What a bulk job costs those who wait, and what it gets itself.

First the engine is kept full without Dragoman: its capacity. Then sentences of people who wait come as a Poisson
process at a quarter of that, alone; then again with a bulk job beside them that would fill every slot, and may fill the
part that `bulk_fill` says. Bulk has no route of its own, so the translator runs in the bench's process; the engine is a
simulator in another.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from msgspec import Struct

from bench.engine_use import steady_per_s
from bench.open_loop_load import OK, Sample, lag_p99_ms, latencies_ms, open_loop, percentile, poisson_arrivals, verdict
from bench.open_loop_servers import PAIR, asks_engine, client, openai_engine, simulator
from bench.open_loop_texts import endless_sentences, new_sentences
from bench.report import Report
from dragoman.core.translator import Translator
from dragoman.errors import DragomanError
from dragoman.server.problems import status_of
from dragoman.settings import Settings
from dragoman.simulator import Profile, profile_named
from dragoman.types import Lane, TranslateRequest
from dragoman.wiring import open_translator

CASES = (("4090-12b", 0.9), ("h100-12b", 0.9), ("h100-12b", 0.35))
"""The simulated engine, and the part of its slots that bulk may fill."""
INTERACTIVE_SHARE = 0.25
CAPACITY_SENTENCES_A_SLOT = 20
PHASE_S = 15.0
WARM_UP_S = 2.0
TEXTS_A_REQUEST = 16


class Bulk:
    """A job that always has at least three times as many texts under way as the engine has slots.

    The mutable state is how many texts were translated and when the counting began.
    """

    def __init__(self, translator: Translator, slots: int) -> None:
        self._translator = translator
        self._requests = max(2, 3 * slots // TEXTS_A_REQUEST)
        self._translated = 0
        self._began_s = 0.0

    @property
    def per_second(self) -> float:
        return self._translated / (time.perf_counter() - self._began_s)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Fill the engine, begin to count, and leave it at the end. Raises what a text failed with."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._work()) for _ in range(self._requests)]
            await asyncio.sleep(WARM_UP_S)
            self._translated, self._began_s = 0, time.perf_counter()
            yield
            for task in tasks:
                task.cancel()

    async def _work(self) -> None:
        while True:
            texts = tuple(new_sentences(TEXTS_A_REQUEST))
            for outcome in await self._translator.translate(_request(texts, Lane.BULK)):
                if isinstance(outcome, DragomanError):
                    raise outcome
            self._translated += len(texts)


class Measured(Struct, frozen=True):
    """What was seen of one engine: interactive requests alone and beside a job, and the job's rate beside them."""

    profile: Profile
    bulk_fill: float
    capacity_per_s: float
    alone: Sequence[Sample]
    beside: Sequence[Sample]
    bulk_per_s: float


async def run() -> Report:
    """Measure for about three minutes."""
    measurements = [await _measure(profile_named(name), bulk_fill) for name, bulk_fill in CASES]
    return Report(
        name="lanes",
        title="People who wait, with and without a bulk job",
        columns=(
            "engine",
            "slots",
            "bulk fills",
            "capacity/s",
            "interactive/s",
            "p95 alone, ms",
            "p95 beside bulk, ms",
            "beside / alone (reach 1.3)",
            "the engine's part of it",
            "not answered",
            "bulk/s",
            "bulk / the rest (reach 0.9)",
        ),
        rows=[_row(measured) for measured in measurements],
        notes=(
            f"Interactive sentences at {INTERACTIVE_SHARE:.0%} of the capacity, {PHASE_S:.0f} s a phase, latency from "
            "the scheduled time. The rest is the capacity less the interactive rate.",
            "The engine's part: how much longer a token takes in a full engine than in one that carries the "
            "interactive requests alone. No scheduler can go below that and still fill the engine.",
            verdict(max(lag_p99_ms([*measured.alone, *measured.beside]) for measured in measurements)),
        ),
    )


async def _measure(profile: Profile, bulk_fill: float) -> Measured:
    with tempfile.TemporaryDirectory() as data_dir:
        async with simulator(profile.name) as engine, client() as session:
            ask_engine = asks_engine(session, engine, profile.hub_model)
            capacity_per_s = await steady_per_s(
                ask_engine, 2 * profile.slots, CAPACITY_SENTENCES_A_SLOT * profile.slots
            )
            settings = Settings(engine=openai_engine(engine, profile), data_dir=data_dir, bulk_fill=bulk_fill)
            async with open_translator(settings) as translator:
                await translator.ready()
                rate_per_s = INTERACTIVE_SHARE * capacity_per_s
                alone = await interactive(translator, rate_per_s)
                bulk = Bulk(translator, profile.slots)
                async with bulk.running():
                    beside = await interactive(translator, rate_per_s)
                    bulk_per_s = bulk.per_second
    return Measured(profile, bulk_fill, capacity_per_s, alone, beside, bulk_per_s)


async def interactive(translator: Translator, rate_per_s: float) -> Sequence[Sample]:
    """Sentences of people who wait, for `PHASE_S`."""

    async def ask(text: str) -> int:
        try:
            (outcome,) = await translator.translate(_request((text,), Lane.INTERACTIVE))
        except DragomanError as error:
            return status_of(error)
        return status_of(outcome) if isinstance(outcome, DragomanError) else OK

    return await open_loop(poisson_arrivals(rate_per_s, PHASE_S, seed=1), endless_sentences(), ask)


def _request(texts: tuple[str, ...], lane: Lane) -> TranslateRequest:
    return TranslateRequest(texts=texts, targets=(PAIR.target,), source=PAIR.source, lane=lane)


def _row(measured: Measured) -> Sequence[str]:
    profile = measured.profile
    interactive_per_s = len(measured.alone) / PHASE_S
    alone_ms, beside_ms = (
        percentile(latencies_ms(samples, answered=True), 0.95) for samples in (measured.alone, measured.beside)
    )
    return (
        profile.name,
        str(profile.slots),
        f"{measured.bulk_fill:.0%}",
        f"{measured.capacity_per_s:.1f}",
        f"{interactive_per_s:.1f}",
        f"{alone_ms:.0f}",
        f"{beside_ms:.0f}",
        f"{beside_ms / alone_ms:.2f}",
        f"{_engines_part(profile, measured.alone, interactive_per_s):.2f}",
        str(len(latencies_ms(measured.beside, answered=False))),
        f"{measured.bulk_per_s:.1f}",
        f"{measured.bulk_per_s / (measured.capacity_per_s - interactive_per_s):.2f}",
    )


def _engines_part(profile: Profile, alone: Sequence[Sample], rate_per_s: float) -> float:
    """By Little's law, the requests in an engine are their rate times the time that each is there."""
    mean_s = sum(sample.latency_ms for sample in alone) / len(alone) / 1e3
    carried = min(profile.slots, max(1.0, rate_per_s * mean_s))
    return profile.batch_step_s(profile.slots) / (profile.step_s * (1 + profile.slope * (carried - 1)))


if __name__ == "__main__":
    sys.exit("run `python -m bench lanes`")

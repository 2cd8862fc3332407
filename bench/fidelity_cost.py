"""What the work on texts costs before and after the engine, in time per 1,000 characters."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from msgspec import Struct, structs

from bench.fidelity_checks import INFO, SOURCE, said
from bench.fidelity_corpora import Text, corpora
from bench.report import Report
from dragoman.core.flights import Flown
from dragoman.core.plan import finish, prepare
from dragoman.core.sentence import judge
from dragoman.types import Output, TranslateRequest

TARGET = "de"
STRINGS_A_REQUEST = 50
REACH_US = 1_000

T = TypeVar("T")


class Cost(Struct, frozen=True):
    """Microseconds for 1,000 characters of one request, step by step; `detecting` is to prepare it without a source."""

    prepare: float
    judge: float
    finish: float
    detecting: float

    @property
    def together(self) -> float:
        """The whole way of a text whose language is given."""
        return self.prepare + self.judge + self.finish


async def cost() -> Report:
    """Measure each request on its own, in one thread, after a warm-up."""
    texts = await corpora()
    kinds = {
        "strings": _requests(texts.strings, STRINGS_A_REQUEST),
        "Markdown": _requests(texts.readmes, 1),
        "HTML": _requests(texts.pages, 1),
    }
    return Report(
        name="fidelity_cost",
        title="Text work for 1,000 characters, µs",
        columns=(
            "texts", "requests", "prepare", "judge", "finish", f"together (reach < {REACH_US:,})",
            "together, the slowest", "prepare and detect",
        ),
        rows=[_row(kind, _costs(requests)) for kind, requests in kinds.items() if requests],
        notes=(
            *texts.notes,
            f"Medians over requests, {SOURCE} to {TARGET}: {STRINGS_A_REQUEST} strings, or one document. The language "
            "is detected only where none is given. CPU time. Longer texts are worked on in a thread.",
        ),
    )  # fmt: skip


def _requests(texts: Sequence[Text], size: int) -> list[Sequence[Text]]:
    return [texts[at : at + size] for at in range(0, len(texts), size)]


def _costs(requests: Sequence[Sequence[Text]]) -> Sequence[Cost]:
    _cost(requests[0])  # fills tables that are filled once
    return [_cost(texts) for texts in requests]


def _cost(texts: Sequence[Text]) -> Cost:
    request = TranslateRequest(
        texts=tuple(text.text for text in texts), targets=(TARGET,), source=SOURCE, format=texts[0].format
    )
    per_1000 = 1e6 * 1_000 / sum(map(len, request.texts))
    _, detecting_s = _timed(lambda: prepare(structs.replace(request, source=None), INFO))
    plan, prepare_s = _timed(lambda: prepare(request, INFO))
    flown = [Flown(Output(said(sentence))) for sentence in plan.sentences]
    answers, judge_s = _timed(
        lambda: [judge(sentence, one, INFO.name) for sentence, one in zip(plan.sentences, flown, strict=True)]
    )
    _, finish_s = _timed(lambda: finish(plan, answers, INFO, 0.0))
    return Cost(prepare_s * per_1000, judge_s * per_1000, finish_s * per_1000, detecting_s * per_1000)


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    began = time.thread_time()
    done = work()
    return done, time.thread_time() - began


def _row(kind: str, costs: Sequence[Cost]) -> Sequence[str]:
    steps = ("prepare", "judge", "finish", "together")
    medians = [statistics.median(getattr(one, step) for one in costs) for step in steps]
    slowest = max(one.together for one in costs)
    detecting = statistics.median(one.detecting for one in costs)
    return (kind, str(len(costs)), *(f"{value:,.0f}" for value in (*medians, slowest, detecting)))

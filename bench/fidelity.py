"""Whether what comes back is true to what went in: through an engine that misbehaves, and through the bundled model.

Each table is a bench of its own: `fidelity_intact` sends every text through a simulator that spoils outputs at a set
rate, and looks with other eyes than Dragoman's for what got lost; `fidelity_model` translates a sample with the bundled
model; `fidelity_alarms`, `fidelity_faults` and `fidelity_cost` measure the plain code between.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager

from msgspec import Struct

from bench import fidelity_checks, fidelity_cost
from bench.chrf import chrf
from bench.fidelity_corpora import Corpora, Text, corpora
from bench.fidelity_intact import LOST, placeholders
from bench.report import Report
from dragoman.core.sentence import NOTES
from dragoman.core.translator import Translator
from dragoman.engines.simulated_mischief import FAULTS
from dragoman.errors import DragomanError
from dragoman.settings import Settings
from dragoman.types import Finding, TranslateRequest, Translation
from dragoman.wiring import open_translator

SOURCE = "en"
MISCHIEF: Mapping[str, str] = {
    "none": "0",
    "a quarter": "0.25",
    "nearly all": ",".join(f"{fault}:0.1" for fault in FAULTS if fault != "empty"),
}
"""How many of the engine's outputs are spoilt, first and repeated tries alike, and how the simulator is told.

With nearly all spoilt none is empty: a document with an empty sentence is an error, and would show nothing else.
"""
STRING_TARGETS = ("de", "ja", "ar", "zh-Hant")
DOCUMENT_TARGETS = ("de", "ja")
STRINGS_A_REQUEST = 200
SEED = 4
MODEL_TARGETS = ("de", "es", "ru", "zh-Hans")
MODEL_STRINGS = 60
TIMEOUT_S = 600.0
EXAMPLES = 5

Outcome = Translation | DragomanError


class Done(Struct, frozen=True):
    """A text, its target language and what came of it."""

    text: Text
    target: str
    outcome: Outcome

    @property
    def faults(self) -> Sequence[Finding]:
        """What Dragoman says is wrong with it."""
        found = self.outcome.findings if isinstance(self.outcome, Translation) else ()
        return [finding for finding in found if finding.kind not in NOTES]

    @property
    def was_repaired(self) -> bool:
        return isinstance(self.outcome, Translation) and any(one.kind == "repaired" for one in self.outcome.findings)

    @property
    def lost(self) -> Sequence[str]:
        """What the bench itself finds wrong with it; of an error nothing, since it says what it is."""
        if isinstance(self.outcome, DragomanError):
            return ()
        return LOST[self.text.format](self.text.text, self.outcome.text)


async def intact() -> Report:
    """Every text through an engine that misbehaves, in about three minutes: what is broken then, and not said."""
    texts = await corpora()
    kinds = {
        "strings": (texts.strings, STRING_TARGETS),
        "Markdown": (texts.readmes, DOCUMENT_TARGETS),
        "HTML": (texts.pages, DOCUMENT_TARGETS),
    }
    rows: list[Sequence[str]] = []
    silent: list[Done] = []
    for share, mischief in MISCHIEF.items():
        async with _translator(f"simulated://instant?mischief={mischief}&seed={SEED}") as translator:
            for kind, (chosen, targets) in kinds.items():
                done = [one for target in targets for one in await _translated(translator, chosen, target)]
                rows.append((share, kind, *_intact_cells(done)))
                silent += [one for one in done if one.lost and not one.faults]
    return Report(
        name="fidelity_intact",
        title="Placeholders, tags and structure through an engine that misbehaves",
        columns=(
            "outputs spoilt", "texts", "items", "intact (reach 100%)", "with a repair", "fault left and said", "errors",
            "broken, and said", "silently broken (reach 0)",
        ),
        rows=rows,
        notes=(
            texts.description,
            *texts.notes,
            "Outputs are spoilt by a lost, doubled, swapped, translated or reformatted marker, an early stop, a loop, "
            "chatter, the wrong script, an echo or (not where nearly all are) nothing at all, in equal parts.",
            "Intact is judged with other code than Dragoman's own: tags, addresses and placeholders by expressions, "
            "HTML by Python's parser, Markdown by markdown-it. One sentence with a fault gives its item that fault.",
            *(f"Broken: {_shown(one)}" for one in silent[:EXAMPLES]),
        ),
    )  # fmt: skip


async def model() -> Report:
    """A sample of strings through the bundled model, in about six minutes."""
    texts = await corpora()
    sample = sampled(texts)
    async with _translator("llamacpp://bundled") as translator:
        rows = [_model_row(target, await _translated(translator, sample, target)) for target in MODEL_TARGETS]
    return Report(
        name="fidelity_model",
        title="Strings through the bundled model",
        columns=(
            "target", "strings", "with placeholders or tags", "of those intact", "at fault at first",
            "of those repaired", "fault left and said", "errors", "chrF",
        ),
        rows=rows,
        notes=(
            *texts.notes,
            "At fault at first: those whose first output was not good enough. Repaired: those answered without a fault "
            "after a second try.",
            "chrF (0 to 100) is against the catalogues' own translations; the model is a 270M one for evaluation.",
        ),
    )  # fmt: skip


def sampled(texts: Corpora) -> Sequence[Text]:
    """Strings that every target has a translation of, one half with placeholders or tags, always the same ones."""
    whole = [text for text in texts.strings if set(MODEL_TARGETS) <= text.translations.keys()]
    lots = random.Random(SEED)
    holding = [text for text in whole if placeholders(text.text)]
    plain = [text for text in whole if not placeholders(text.text)]
    half = MODEL_STRINGS // 2
    return [*lots.sample(holding, min(half, len(holding))), *lots.sample(plain, min(half, len(plain)))]


@asynccontextmanager
async def _translator(engine: str) -> AsyncIterator[Translator]:
    """A translator that remembers nothing and takes any length."""
    with tempfile.TemporaryDirectory() as data_dir:
        settings = Settings(
            engine=engine, data_dir=data_dir, memory_bytes=0, max_characters=10_000_000, timeout_s=TIMEOUT_S
        )
        async with open_translator(settings) as translator:
            await translator.ready()
            yield translator


async def _translated(translator: Translator, texts: Sequence[Text], target: str) -> list[Done]:
    done: list[Done] = []
    for chunk in _requests(texts):
        request = TranslateRequest(
            texts=tuple(text.text for text in chunk), targets=(target,), source=SOURCE, format=chunk[0].format
        )
        outcomes = await translator.translate(request)
        done += [Done(text, target, outcome) for text, outcome in zip(chunk, outcomes, strict=True)]
    return done


def _requests(texts: Sequence[Text]) -> Iterator[Sequence[Text]]:
    """Many strings in one request, each document in its own; all texts are of one format."""
    size = STRINGS_A_REQUEST if texts and texts[0].format == "text" else 1
    for start in range(0, len(texts), size):
        yield texts[start : start + size]


def _intact_cells(done: Sequence[Done]) -> Iterator[str]:
    answered = [one for one in done if isinstance(one.outcome, Translation)]
    broken = [one for one in answered if one.lost]
    yield f"{len(done):,}"
    yield _share(len(answered) - len(broken), len(answered))
    yield f"{sum(one.was_repaired for one in answered):,}"
    yield f"{sum(bool(one.faults) for one in answered):,}"
    yield f"{len(done) - len(answered):,}"
    yield f"{sum(bool(one.faults) for one in broken):,}"
    yield f"{sum(not one.faults for one in broken):,}"


def _model_row(target: str, done: Sequence[Done]) -> Sequence[str]:
    answered = [one for one in done if isinstance(one.outcome, Translation)]
    holding = [one for one in answered if placeholders(one.text.text)]
    repaired = [one for one in answered if one.was_repaired and not one.faults]
    left = [one for one in answered if one.faults]
    errors = len(done) - len(answered)
    return (
        target,
        str(len(done)),
        str(len(holding)),
        _share(sum(not one.lost for one in holding), len(holding)),
        str(len(repaired) + len(left) + errors),
        str(len(repaired)),
        str(len(left)),
        str(errors),
        f"{chrf([(_text(one.outcome), one.text.translations[target]) for one in done]):.1f}",
    )


def _text(outcome: Outcome) -> str:
    return outcome.text if isinstance(outcome, Translation) else ""


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.2f}%" if whole else "–"


def _shown(done: Done) -> str:
    """One line on a broken item, safe in a table's notes."""
    return f"{done.text.name} in {done.target}: {done.lost[0][:80]!a}"


BENCHES: Mapping[str, Callable[[], Awaitable[Report]]] = {
    "fidelity_intact": intact,
    "fidelity_faults": fidelity_checks.faults,
    "fidelity_alarms": fidelity_checks.alarms,
    "fidelity_cost": fidelity_cost.cost,
    "fidelity_model": model,
}

"""What the checks say of good translations, where they should say nothing, and of spoilt ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import get_args

from msgspec import Struct

from bench.fidelity_corpora import LOCALES, Text, corpora
from bench.fidelity_intact import without_placeholders
from bench.report import Report
from dragoman.core.flights import Flown
from dragoman.core.plan import prepare
from dragoman.core.sentence import Answer, Sentence, judge
from dragoman.engines.simulated_mischief import FAULTS, Mischief
from dragoman.engines.simulated_text import pseudo_translate
from dragoman.text.checks import check
from dragoman.text.parts import as_it_was, written
from dragoman.text.script import in_script
from dragoman.types import EngineInfo, FindingKind, Output, Pair, TranslateRequest

SOURCE = "en"
FAULT_TARGETS = ("de", "ja")
INFO = EngineInfo(name="none", model="none", slots=1, max_segment_tokens=512)
"""As much of an engine as preparing and judging ask for."""


async def alarms() -> Report:
    """How often each check complains of what people translated."""
    texts = await corpora()
    by_language = {language: _alarms(texts.strings, language) for language in LOCALES.values()}
    counts = {language: sum(language in text.translations for text in texts.strings) for language in by_language}
    raised = [kind for kind in get_args(FindingKind) if any(found[kind] for found in by_language.values())]
    cells = {
        kind: [found[kind] / max(1, counts[language]) for language, found in by_language.items()] for kind in raised
    }
    return Report(
        name="fidelity_alarms",
        title="False alarms on people's translations (reach < 1% each)",
        columns=("check", *by_language, "highest"),
        rows=[(kind, *(f"{share:.2%}" for share in (*cells[kind], max(cells[kind])))) for kind in raised],
        notes=(
            *texts.notes,
            f"Of {min(counts.values(), default=0)} to {max(counts.values(), default=0)} translations in each language, "
            "with placeholders, tags and addresses taken out. Checks that never complained have no line.",
            "Some complaints are right: catalogues have mistakes too.",
        ),
    )


def _alarms(texts: Sequence[Text], language: str) -> Counter[FindingKind]:
    found: Counter[FindingKind] = Counter()
    pair = Pair(SOURCE, language)
    for text in texts:
        if (translation := text.translations.get(language)) is not None:
            source, output = without_placeholders(text.text), without_placeholders(translation)
            found.update(finding.kind for finding in check(source, output, pair))
            converted = in_script(translation, language)[1]
            found.update([] if converted is None else [converted.kind])
    return found


class Spoilt(Struct, frozen=True):
    """What became of one output with a fault: the answer to it, and whether that is the good one all the same."""

    answer: Answer
    healed: bool


async def faults() -> Report:
    """How many spoilt outputs are noticed, fault by fault."""
    texts = await corpora()
    sentences = [one for target in FAULT_TARGETS for one in sentences_of(texts.strings, target)]
    sound = {one: good for one in sentences if _judged(one, good := said(one)).is_sound}
    return Report(
        name="fidelity_faults",
        title="Spoilt outputs that are noticed",
        columns=("fault", "outputs", "noticed", "undone at once", "missed"),
        rows=[_fault_row(fault, list(_spoilt(fault, sound))) for fault in FAULTS],
        notes=(
            *texts.notes,
            f"{len(sentences):,} sentences into {' and '.join(FAULT_TARGETS)}, of whose pretended translations the "
            f"checks find {len(sound):,} sound; those are spoilt in each way that can strike them.",
            "Undone at once: chatter cut off, a marker understood all the same. Missed: nothing is said and the text "
            "is not the good one.",
            "Markers that changed places are all there, and for placeholders the order is the translator's. Most of "
            "these strings are labels of a few words, in which an echo or an early end cannot be told from a name.",
        ),
    )


def sentences_of(texts: Sequence[Text], target: str) -> Sequence[Sentence]:
    """The sentences that these plain texts need in this language."""
    request = TranslateRequest(texts=tuple(text.text for text in texts), targets=(target,), source=SOURCE)
    return prepare(request, INFO).sentences


def said(sentence: Sentence) -> str:
    """What the simulator makes of it."""
    return pseudo_translate(sentence.segment.text, sentence.segment.pair)


def _spoilt(fault: str, sound: dict[Sentence, str]) -> Iterator[Spoilt]:
    mischief = Mischief(rates=((fault, 1.0),))
    for sentence, good in sound.items():
        segment = sentence.segment
        bad = mischief.done_to(good, segment.text, segment.pair, attempt=0, seed=0)
        if bad != good:
            answer = _judged(sentence, bad)
            yield Spoilt(answer, _text(answer) == _text(_judged(sentence, good)))


def _fault_row(fault: str, spoilt: Sequence[Spoilt]) -> Sequence[str]:
    noticed = sum(not one.answer.is_sound for one in spoilt)
    healed = sum(one.answer.is_sound and one.healed for one in spoilt)
    shares = (noticed, healed, len(spoilt) - noticed - healed)
    return (
        fault.replace("_", " "),
        f"{len(spoilt):,}",
        *(f"{100 * share / len(spoilt):.1f}%" if spoilt else "–" for share in shares),
    )


def _judged(sentence: Sentence, output: str) -> Answer:
    return judge(sentence, Flown(Output(output)), INFO.name)


def _text(answer: Answer) -> str | None:
    return None if answer.parts is None else written(answer.parts, as_it_was)

"""What to try when a translation has a fault: each finding has a means that fits it. Decisions only, no I/O.

Lost markers climb a ladder: other markers, then the words between what is held, piece by piece, which cannot fail. A
text that broke off or ran in circles is cut smaller. Numbers that changed are held. For the rest the engine is asked
for another answer, if it has one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from msgspec import Struct, structs

from dragoman.core.sentence import Answer, Sentence, another, combined, sentence_of
from dragoman.text import marks
from dragoman.text.confidence import score
from dragoman.text.marks import FORMS
from dragoman.text.parts import Held, Part, Run, as_it_was, runs_in, written
from dragoman.text.segment import cut, estimate_tokens, join
from dragoman.types import EngineInfo, Finding, Pair

ROUNDS = 2
"""A sentence is tried again once, and once more where what is held in it got lost both times."""

_FEWEST_TOKENS = 12
"""A piece smaller than this says too little to be translated on its own."""

_NUMBER = re.compile(r"\d+(?:[.,:/'’\u00a0\u202f-]\d+)*")


class Remedy(Struct, frozen=True):
    """Another way to ask for a sentence: `parts`, and a sentence for each run of them that has no answer yet.

    `is_cut` says that the parts are pieces of the sentence, with gaps between them.
    """

    why: str
    pair: Pair
    parts: tuple[Part, ...]
    sentences: Mapping[Run, Sentence]
    is_cut: bool = False


def remedy_for(sentence: Sentence, answer: Answer, info: EngineInfo, turn: int) -> Remedy | None:
    """What to try next, in round `turn` from 0; None where the answer is sound or nothing is left to try."""
    if answer.is_sound or not answer.findings:
        return None
    lost = answer.parts is None and bool(sentence.run.held)
    if turn:
        return _apart(sentence) if lost else None
    kinds = {finding.kind for finding in answer.faults}
    if lost and kinds & {"placeholder"}:
        return _marked_otherwise(sentence)
    if kinds & {"truncated", "loop"} and (remedy := _smaller(sentence)):
        return remedy
    if kinds == {"number"} and (remedy := _numbers_held(sentence)):
        return remedy
    return _again(sentence) if "sampling" in info.can else None


def remedied(remedy: Remedy, answers: Mapping[Run, Answer]) -> Answer:
    """What a remedy came to, from the answers to its sentences."""
    found = [answers[run] for run in remedy.sentences]
    if any(one.parts is None for one in found):
        return combined(found, None)
    return combined(found, _placed(remedy, answers))


def better(first: Answer, second: Answer, why: str) -> Answer:
    """The answer that has less wrong with it, the first where they are alike; what both took is counted together.

    Where neither is fit to give, the second says better why.
    """
    is_better = _worth(second) > _worth(first)
    chosen = second if is_better or first.parts is None else first
    return structs.replace(
        chosen,
        findings=(*chosen.findings, Finding("repaired", why)) if is_better else chosen.findings,
        tokens=first.tokens + second.tokens,
        engine_ms=first.engine_ms + second.engine_ms,
    )


def _worth(answer: Answer) -> float:
    return -1.0 if answer.parts is None else score((), answer.faults)


def _placed(remedy: Remedy, answers: Mapping[Run, Answer]) -> tuple[Part, ...]:
    """The remedy's parts with the answers in them; runs inside what was held keep their own places."""
    if remedy.is_cut:
        return (join(remedy.parts, lambda run: written(answers[run].parts or (), as_it_was), remedy.pair),)
    return tuple(
        placed
        for part in remedy.parts
        for placed in (answers[part].parts or () if isinstance(part, Run) and part in remedy.sentences else (part,))
    )


def _marked_otherwise(sentence: Sentence) -> Remedy:
    other = sentence_of(sentence.run, sentence.segment.pair, sentence.segment.asking, FORMS[1])
    return _whole("Markers were lost; other ones were tried.", other)


def _apart(sentence: Sentence) -> Remedy:
    inside = {run for held in sentence.run.held for run in runs_in(held.becomes)}
    parts = marks.apart(sentence.run)
    return _of_parts("Markers were lost twice; the words between them were translated alone.", sentence, parts, inside)


def _smaller(sentence: Sentence) -> Remedy | None:
    """Cut in two or more; None where that cannot be, or where runs inside what is held would be cut as well."""
    if any(True for held in sentence.run.held for _ in runs_in(held.becomes)):
        return None
    half = max(_FEWEST_TOKENS, estimate_tokens(sentence.segment.text) // 2)
    parts = cut(sentence.run, sentence.segment.pair.source, max_tokens=half)
    if sum(isinstance(part, Run) for part in parts) < 2:
        return None
    return structs.replace(_of_parts("It was translated in smaller pieces.", sentence, parts, set()), is_cut=True)


def _numbers_held(sentence: Sentence) -> Remedy | None:
    run = sentence.run
    numbers = [
        Held(match.start(), match.end(), "quantity", (match[0],))
        for match in _NUMBER.finditer(run.text)
        if not any(held.start < match.end() and match.start() < held.end for held in run.held)
    ]
    if not numbers:
        return None
    held = tuple(sorted((*run.held, *numbers), key=lambda one: one.start))
    other = sentence_of(structs.replace(run, held=held), sentence.segment.pair, sentence.segment.asking)
    return _whole("Its numbers were held.", other)


def _again(sentence: Sentence) -> Remedy:
    return _whole("The engine was asked for another answer.", another(sentence, sentence.segment.asking.attempt + 1))


def _whole(why: str, sentence: Sentence) -> Remedy:
    return Remedy(why, sentence.segment.pair, (sentence.run,), {sentence.run: sentence})


def _of_parts(why: str, sentence: Sentence, parts: Sequence[Part], answered: set[Run]) -> Remedy:
    pair, asking = sentence.segment.pair, sentence.segment.asking
    new = {part: sentence_of(part, pair, asking) for part in parts if isinstance(part, Run) and part not in answered}
    return Remedy(why, pair, tuple(parts), new)

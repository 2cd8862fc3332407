"""One sentence on its way: how an engine is shown it, what came back, and what that is worth. No I/O."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct, structs

from dragoman.core.flights import Flown
from dragoman.errors import BadOutput, DragomanError, OutputTruncated, Unfaithful
from dragoman.text import marks
from dragoman.text.checks import check, without_chatter
from dragoman.text.marks import FORMS, Form, Masked
from dragoman.text.parts import Part, Run, as_it_was, escaped, shown, written
from dragoman.text.script import in_script
from dragoman.types import PLAINLY, Asking, Finding, FindingKind, Output, Pair, Segment, Tokens

NOTES: frozenset[FindingKind] = frozenset({"script_converted", "formality_ignored", "repaired"})
"""Findings that tell what was done; all others tell of a fault that is left."""


class Sentence(Struct, frozen=True):
    """A run of one sentence, and the segment that asks for it, with markers in the place of what is held."""

    run: Run
    masked: Masked
    segment: Segment

    @property
    def as_written(self) -> Segment:
        """What a person's translation is looked up by: the words with all that is held in them."""
        return Segment(shown(self.run.text), self.segment.pair)


class Answer(Struct, frozen=True):
    """What a sentence came to.

    `parts` is the translation with everything held in its place, and None where there is none fit to give: `error` then
    says why. `text` is what the engine wrote, as it is worth remembering: with its markers, without chatter, in the
    right script. `sure` are the mean log-probability and the count of tokens of each output, None where one is not
    known.
    """

    parts: tuple[Part, ...] | None
    findings: tuple[Finding, ...] = ()
    error: DragomanError | None = None
    text: str = ""
    sure: tuple[tuple[float, int], ...] | None = ()
    tokens: Tokens = Tokens()
    remembered: int = 0
    queue_ms: float = 0.0
    engine_ms: float = 0.0

    @property
    def faults(self) -> tuple[Finding, ...]:
        """What is wrong with it."""
        return () if not self.findings else tuple(finding for finding in self.findings if finding.kind not in NOTES)

    @property
    def is_sound(self) -> bool:
        """Whether there is a translation without a fault."""
        return self.parts is not None and not self.faults


def sentence_of(run: Run, pair: Pair, asking: Asking = PLAINLY, form: Form = FORMS[0]) -> Sentence:
    """The sentence as it is asked for with markers of this form."""
    masked = marks.mask(run, form)
    return Sentence(run, masked, Segment(masked.text, pair, asking))


def another(sentence: Sentence, number: int) -> Sentence:
    """The same sentence, asked for another answer; each number from 1 gives a different one."""
    asking = structs.replace(sentence.segment.asking, attempt=number)
    return structs.replace(sentence, segment=structs.replace(sentence.segment, asking=asking))


def judge(sentence: Sentence, flown: Flown, engine: str) -> Answer:
    """What an outcome is worth. What the memory knew was sound when it was stored, and a person knows best."""
    outcome = flown.outcome
    if isinstance(outcome, Output) and (flown.origin == "person" or (flown.origin == "memory" and _is_bare(sentence))):
        return _answer(flown, (escaped(outcome.text, sentence.run.escaping),))
    if isinstance(outcome, OutputTruncated):
        return _judged(sentence, flown, Output(outcome.partial), engine, truncated=True)
    if isinstance(outcome, Output):
        return _judged(sentence, flown, outcome, engine)
    findings = (Finding("empty", outcome.message),) if isinstance(outcome, BadOutput) else ()
    return _answer(flown, None, findings, outcome)


def combined(answers: Sequence[Answer], parts: tuple[Part, ...] | None) -> Answer:
    """One answer of several that make up one sentence; `parts` is what they come to, None where one failed."""
    sure = [one.sure for one in answers]
    return Answer(
        parts,
        tuple(dict.fromkeys(finding for one in answers for finding in one.findings)),
        next((one.error for one in answers if one.error is not None), None),
        sure=None if None in sure else tuple(pair for known in sure for pair in known or ()),
        tokens=sum((one.tokens for one in answers), Tokens()),
        remembered=sum(one.remembered for one in answers),
        queue_ms=max((one.queue_ms for one in answers), default=0.0),
        engine_ms=max((one.engine_ms for one in answers), default=0.0),
    )


def _judged(sentence: Sentence, flown: Flown, output: Output, engine: str, truncated: bool = False) -> Answer:
    pair = sentence.segment.pair
    is_new = flown.origin == "engine"
    words = sentence.run.words
    text = without_chatter(words, output.text, pair.target) if is_new else output.text
    text, note = in_script(text, pair.target)
    parts = marks.restore(sentence.masked, text)
    if parts is None:
        lost = marks.lost(sentence.masked, text)
        return _answer(flown, None, lost, Unfaithful(lost, engine=engine))
    found = check(words, _words(sentence, text), pair, truncated=truncated) if is_new else ()
    return _answer(flown, parts, found if note is None else (*found, note), text=text)


def _words(sentence: Sentence, text: str) -> str:
    """What an output says, with a space in the place of each marker."""
    if not sentence.run.held:
        return text
    blank = tuple(structs.replace(held, becomes=(" ",)) for held in sentence.run.held)
    parts = marks.restore(marks.mask(Run(sentence.run.text, blank), sentence.masked.form), text)
    return text if parts is None else written(parts, as_it_was)


def _answer(
    flown: Flown,
    parts: tuple[Part, ...] | None,
    findings: tuple[Finding, ...] = (),
    error: DragomanError | None = None,
    text: str = "",
) -> Answer:
    output = flown.outcome if isinstance(flown.outcome, Output) else Output("")
    return Answer(
        parts,
        findings,
        error,
        text,
        sure=None if output.logprob is None else ((output.logprob, output.tokens.output),),
        tokens=output.tokens,
        remembered=int(flown.origin != "engine"),
        queue_ms=flown.queue_ms,
        engine_ms=flown.engine_ms,
    )


def _is_bare(sentence: Sentence) -> bool:
    """Whether it is plain words: nothing held, nothing to escape."""
    return not sentence.run.held and sentence.run.escaping == "none"

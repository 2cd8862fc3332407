"""The two plain ends of a request: texts to sentences before the engine, answers to texts after it. No I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from dragoman import languages
from dragoman.core.draft import Manner, draft_of, held_parts
from dragoman.core.sentence import Answer, Sentence
from dragoman.errors import (
    BadOutput,
    DragomanError,
    InvalidRequest,
    TooLarge,
    Unfaithful,
    UnknownLanguage,
    UnsupportedPair,
)
from dragoman.text import segment as segmentation
from dragoman.text.confidence import score
from dragoman.text.detect import detect
from dragoman.text.parts import Part, Run, as_it_was, runs_in, written
from dragoman.types import (
    PLAINLY,
    Asking,
    Detected,
    EngineInfo,
    Finding,
    Pair,
    Timings,
    Tokens,
    TranslateRequest,
    Translation,
    Wishes,
)

UNDETERMINED = "und"
"""The source of a text that holds no letters, so that no language can be told and none is needed (BCP 47)."""


UNTRANSLATED = Finding("untranslated", "A sentence stands as it was: nothing fit to take its place came back.")


class Limits(Struct, frozen=True, kw_only=True):
    """The largest request that is taken, and the times it may and can ask for."""

    max_texts: int
    max_characters: int
    timeout_s: float
    max_timeout_s: float


class Item(Struct, frozen=True):
    """One text in one target language: its parts, and which of the plan's sentences each run of them is.

    `error` is set where this text alone cannot be translated, whatever becomes of the others.
    """

    pair: Pair
    detected: Detected | None = None
    parts: Sequence[Part] = ()
    sentences: Mapping[Run, int] = {}
    error: InvalidRequest | None = None


class Plan(Struct, frozen=True):
    """What a request comes to: its items in order, text by text, and the different sentences they need.

    `notes` are findings that hold for every item.
    """

    items: list[Item]
    sentences: list[Sentence]
    notes: tuple[Finding, ...] = ()


def check(request: TranslateRequest, limits: Limits) -> None:
    """Refuse what is too large or cannot be meant, before any work. Raises InvalidRequest."""
    _languages(request)
    if not request.texts:
        raise InvalidRequest("There is nothing to translate: 'text' is empty.", field="text")
    if not request.targets:
        raise InvalidRequest("No target language: 'target' is empty.", field="target")
    count = len(request.texts) * len(request.targets)
    if count > limits.max_texts:
        raise TooLarge(
            f"{count} translations (texts times targets) are more than the {limits.max_texts} one request may ask "
            "for; send them in several requests.",
            field="text",
            limit=limits.max_texts,
        )
    characters = sum(map(len, request.texts)) * len(request.targets)
    if characters > limits.max_characters:
        raise TooLarge(
            f"{characters} characters (counted once per target) are more than the {limits.max_characters} one request "
            "may hold; send them in several requests.",
            field="text",
            limit=limits.max_characters,
        )
    if request.timeout_s is not None and not 0 < request.timeout_s <= limits.max_timeout_s:
        raise InvalidRequest(
            f"'timeout' must be more than 0 and at most {limits.max_timeout_s:g} seconds, not {request.timeout_s:g}.",
            field="timeout",
            limit=int(limits.max_timeout_s),
        )


def prepare(request: TranslateRequest, info: EngineInfo) -> Plan:
    """Make languages uniform, detect where asked, hold what no model may touch, cut into sentences, merge equal ones.

    Raises UnknownLanguage for a code that is asked for, and InvalidRequest for wishes that cannot be met; what is wrong
    with one text alone is that item's error.
    """
    targets, source = _languages(request)
    asking, notes = _asking(request.wishes, info)
    max_tokens = min(segmentation.SAFE_TOKENS, info.max_segment_tokens)
    drafts = _Drafts(Manner(request.format, request.wishes, asking, max_tokens, "instructions" in info.can), info)
    items = [item for text in request.texts for item in drafts.items(text, targets, source)]
    return Plan(items, list(drafts.index), notes)


def finish(
    plan: Plan,
    answers: Sequence[Answer],
    info: EngineInfo,
    prepare_ms: float,
    *,
    alternatives: Sequence[Sequence[Answer]] = (),
    strict: bool = False,
) -> list[Translation | DragomanError]:
    """Put answers in their places; an item one of whose sentences has no answer is its error.

    `alternatives` are other answers to all of the sentences, in as many sets as were asked for. With `strict` an item
    that keeps a fault is an error too.
    """
    return [_finish_item(item, plan.notes, answers, alternatives, info, strict, prepare_ms) for item in plan.items]


def _languages(request: TranslateRequest) -> tuple[list[str], str | None]:
    targets = [_resolve(code, "target") for code in request.targets]
    return targets, None if request.source is None else _resolve(request.source, "source")


def _resolve(code: str, field: str) -> str:
    try:
        return languages.resolve(code)
    except UnknownLanguage as error:
        raise UnknownLanguage(error.message, field=field, accepted=error.accepted) from error


def _asking(wishes: Wishes, info: EngineInfo) -> tuple[Asking, tuple[Finding, ...]]:
    """What of the wishes the engine is told, and what is to be said of those it cannot follow."""
    logprob = wishes.confidence and "logprobs" in info.can
    if "instructions" in info.can:
        return Asking(formality=wishes.formality, context=wishes.context, logprob=logprob), ()
    asking = Asking(logprob=True) if logprob else PLAINLY
    if wishes.formality is None:
        return asking, ()
    message = f"The model {info.model} follows no instructions, so it cannot be asked for formality."
    if wishes.formality_preferred:
        return asking, (Finding("formality_ignored", message),)
    raise InvalidRequest(
        f"{message} Leave 'formality' out, or ask for 'prefer_{wishes.formality}' to have it followed where it can be.",
        field="formality",
    )


def _source_of(parts: Sequence[Part], info: EngineInfo) -> Detected | str | InvalidRequest:
    words = "\n".join(run.words for run in runs_in(parts))
    if not any(map(str.isalpha, words)):
        return UNDETERMINED
    try:
        return detect(words, None if info.pairs is None else {pair.source for pair in info.pairs})
    except InvalidRequest as error:
        return error


class _Drafts:
    """Items as they are made. The mutable state is `index`: the different sentences so far, numbered."""

    def __init__(self, manner: Manner, info: EngineInfo) -> None:
        self._manner = manner
        self._info = info
        self.index: dict[Sentence, int] = {}

    def items(self, text: str, targets: Sequence[str], source: str | None) -> Iterator[Item]:
        """The text in each target; its language is detected where it is not given."""
        # One target alone may find the whole draft kept; several share the reading.
        parts = held_parts(text, self._manner) if source is None or len(targets) > 1 else None
        known = _source_of(parts, self._info) if source is None and parts is not None else source
        for target in targets:
            if isinstance(known, InvalidRequest):
                yield Item(Pair(UNDETERMINED, target), error=known)
            elif isinstance(known, Detected):
                yield self._item(text, parts, Pair(known.language, target), known)
            else:
                yield self._item(text, parts, Pair(known or UNDETERMINED, target), None)

    def _item(self, text: str, parts: Sequence[Part] | None, pair: Pair, detected: Detected | None) -> Item:
        if pair.source in (pair.target, UNDETERMINED):
            return Item(pair, detected, (text,))
        if self._info.pairs is not None and pair not in self._info.pairs:
            return Item(pair, detected, error=_unsupported(pair, self._info))
        draft = draft_of(text, parts, pair, self._manner)
        numbers = {run: self.index.setdefault(one, len(self.index)) for run, one in draft.sentences.items()}
        return Item(pair, detected, draft.parts, numbers)


def _unsupported(pair: Pair, info: EngineInfo) -> UnsupportedPair:
    return UnsupportedPair(
        f"The engine {info.name} does not translate from {pair.source} to {pair.target}.",
        field="target",
        accepted=sorted(known.target for known in info.pairs or () if known.source == pair.source),
    )


def _finish_item(
    item: Item,
    notes: Sequence[Finding],
    answers: Sequence[Answer],
    alternatives: Sequence[Sequence[Answer]],
    info: EngineInfo,
    strict: bool,
    prepare_ms: float,
) -> Translation | DragomanError:
    if item.error is not None:
        return item.error
    used = [answers[number] for number in dict.fromkeys(item.sentences.values())]
    if (error := _error_of(used)) is not None:
        return error
    untranslated = [UNTRANSLATED] if any(one.parts is None for one in used) else []
    faults = [*untranslated, *(finding for one in used for finding in one.faults)]
    if strict and faults:
        return Unfaithful(faults, engine=info.name)
    text = _text(item, answers)
    return Translation(
        text=text,
        source=item.pair.source,
        target=item.pair.target,
        detected=item.detected,
        engine=info.name,
        model=info.model,
        remembered=sum(one.remembered for one in used),
        tokens=sum((one.tokens for one in used), Tokens()),
        findings=tuple(dict.fromkeys([*notes, *untranslated, *(found for one in used for found in one.findings)])),
        confidence=_confidence(used, faults),
        alternatives=_alternatives(item, alternatives, text),
        timings=Timings(
            prepare_ms=prepare_ms,
            queue_ms=max((one.queue_ms for one in used), default=0.0),
            engine_ms=max((one.engine_ms for one in used), default=0.0),
        ),
    )


def _error_of(used: Sequence[Answer]) -> DragomanError | None:
    """Why there is no translation: the engine was not there for a sentence, or none of them came to anything.

    One sentence among others that came to nothing stands as it was, and a finding says so.
    """
    errors = [one.error for one in used if one.error is not None]
    absent = next((error for error in errors if not isinstance(error, BadOutput)), None)
    return absent or (errors[0] if errors and len(errors) == len(used) else None)


def _text(item: Item, answers: Sequence[Answer]) -> str:
    def translated(run: Run) -> str:
        parts = answers[item.sentences[run]].parts
        return as_it_was(run) if parts is None else written(parts, translated)

    if not item.sentences:
        return written(item.parts, translated)
    return segmentation.join(item.parts, translated, item.pair)


def _alternatives(item: Item, alternatives: Sequence[Sequence[Answer]], best: str) -> tuple[str, ...]:
    """The other translations that have no fault and are none of each other."""
    if not alternatives:
        return ()
    sound = [answers for answers in alternatives if all(answers[number].is_sound for number in item.sentences.values())]
    return tuple(text for text in dict.fromkeys(_text(item, answers) for answers in sound) if text != best)


def _confidence(used: Sequence[Answer], faults: Sequence[Finding]) -> float | None:
    known = [one.sure for one in used]
    if not known or None in known:
        return None
    return score([pair for sure in known for pair in sure or ()], faults)

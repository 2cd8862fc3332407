"""The two plain ends of a request: texts to segments before the engine, outputs to texts after it. No I/O."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from dragoman import languages
from dragoman.core.flights import Flown
from dragoman.errors import DragomanError, InvalidRequest, TooLarge, UnknownLanguage, UnsupportedPair
from dragoman.text import segment as segmentation
from dragoman.text.detect import detect
from dragoman.text.segment import Piece
from dragoman.types import (
    Detected,
    EngineInfo,
    Output,
    Pair,
    Segment,
    Timings,
    Tokens,
    TranslateRequest,
    Translation,
)

UNDETERMINED = "und"
"""The source of a text that holds no letters, so that no language can be told and none is needed (BCP 47)."""


class Limits(Struct, frozen=True, kw_only=True):
    """The largest request that is taken, and the times it may and can ask for."""

    max_texts: int
    max_characters: int
    timeout_s: float
    max_timeout_s: float


class Item(Struct, frozen=True):
    """One text in one target language; `slots` says, for each piece with a core, which of the plan's segments it is.

    `error` is set where this text alone cannot be translated, whatever becomes of the others.
    """

    pair: Pair
    detected: Detected | None = None
    pieces: Sequence[Piece] = ()
    slots: Sequence[int] = ()
    error: InvalidRequest | None = None


class Plan(Struct, frozen=True):
    """What a request comes to: its items in order, text by text, and the different segments they need."""

    items: list[Item]
    segments: list[Segment]


def check(request: TranslateRequest, limits: Limits) -> None:
    """Refuse what is too large or cannot be meant, before any work. Raises InvalidRequest."""
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
    """Make languages uniform, detect where asked, cut into segments, merge equal ones.

    Raises UnknownLanguage for a code that is asked for; what is wrong with one text alone is that item's error.
    """
    targets = [_resolve(code, "target") for code in request.targets]
    source = None if request.source is None else _resolve(request.source, "source")
    index: dict[Segment, int] = {}
    items: list[Item] = []
    for text in request.texts:
        known = _source_of(text, info) if source is None else source
        items.extend(_item(text, target, known, index, info) for target in targets)
    return Plan(items, list(index))


def finish(
    plan: Plan, flown: Sequence[Flown], info: EngineInfo, prepare_ms: float
) -> list[Translation | DragomanError]:
    """Put outputs back between what stood around them; an item one of whose segments failed is its error."""
    return [_finish_item(item, flown, info, prepare_ms) for item in plan.items]


def _resolve(code: str, field: str) -> str:
    try:
        return languages.resolve(code)
    except UnknownLanguage as error:
        raise UnknownLanguage(error.message, field=field, accepted=error.accepted) from error


def _source_of(text: str, info: EngineInfo) -> Detected | str | InvalidRequest:
    if not any(map(str.isalpha, text)):
        return UNDETERMINED
    try:
        return detect(text, None if info.pairs is None else {pair.source for pair in info.pairs})
    except InvalidRequest as error:
        return error


def _item(
    text: str, target: str, source: Detected | str | InvalidRequest, index: dict[Segment, int], info: EngineInfo
) -> Item:
    if isinstance(source, InvalidRequest):
        return Item(Pair(UNDETERMINED, target), error=source)
    detected = source if isinstance(source, Detected) else None
    pair = Pair(source.language if isinstance(source, Detected) else source, target)
    if pair.source in (target, UNDETERMINED):
        return Item(pair, detected, [Piece(text, "", "")])
    if info.pairs is not None and pair not in info.pairs:
        return Item(pair, detected, error=_unsupported(pair, info))
    pieces = segmentation.cut(text, pair.source, max_tokens=min(segmentation.SAFE_TOKENS, info.max_segment_tokens))
    slots = [index.setdefault(Segment(piece.core, pair), len(index)) for piece in pieces if piece.core]
    return Item(pair, detected, pieces, slots)


def _unsupported(pair: Pair, info: EngineInfo) -> UnsupportedPair:
    return UnsupportedPair(
        f"The engine {info.name} does not translate from {pair.source} to {pair.target}.",
        field="target",
        accepted=sorted(known.target for known in info.pairs or () if known.source == pair.source),
    )


def _finish_item(
    item: Item, flown: Sequence[Flown], info: EngineInfo, prepare_ms: float
) -> Translation | DragomanError:
    if item.error is not None:
        return item.error
    outputs: dict[int, Output] = {}
    for slot in item.slots:
        outcome = flown[slot].outcome
        if isinstance(outcome, DragomanError):
            return outcome
        outputs[slot] = outcome
    cores = [outputs[slot].text for slot in item.slots]
    return Translation(
        text=segmentation.join(item.pieces, cores, item.pair) if cores else segmentation.join(item.pieces),
        source=item.pair.source,
        target=item.pair.target,
        detected=item.detected,
        engine=info.name,
        model=info.model,
        remembered=sum(flown[slot].remembered for slot in outputs),
        tokens=sum((output.tokens for output in outputs.values()), Tokens()),
        timings=Timings(
            prepare_ms=prepare_ms,
            queue_ms=max((flown[slot].queue_ms for slot in outputs), default=0.0),
            engine_ms=max((flown[slot].engine_ms for slot in outputs), default=0.0),
        ),
    )

"""A whole document through a translator: in requests of bounded size, as bulk work, with progress told."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct, structs

from dragoman.core.plan import prepare
from dragoman.documents.base import Document, Passage
from dragoman.errors import (
    DeadlineExceeded,
    DragomanError,
    EngineTimeout,
    EngineUnavailable,
    InvalidRequest,
    Overloaded,
    TooLarge,
)
from dragoman.text.detect import detect
from dragoman.types import EngineInfo, Lane, TranslateRequest, Translation

if TYPE_CHECKING:
    from dragoman.core.translator import Translator

MAX_PASSAGES, MAX_CHARACTERS = 50, 5_000
"""Of one request: small enough to be done within its time on a slow engine, large enough to fill a fast one."""

REQUESTS_AT_ONCE = 4
WAITS_S = (1.0, 4.0, 15.0, 60.0)
"""Before each further try of passages that an engine had no time for, or that found none."""

SAMPLE_CHARACTERS = 5_000
_TAG = re.compile(r"<[^<>]*>")

Outcome = Translation | DragomanError
Progress = Callable[[int], Awaitable[None]]
"""Told the characters of each lot of passages that is done."""


class Translated(Struct, frozen=True):
    """A document in another language: `failed` passages stand as they were; `findings` counts passages by kind."""

    data: bytes
    failed: int
    findings: dict[str, int]


def characters_of(document: Document) -> int:
    """Characters of source text in a document."""
    return sum(len(one.text) for one in document.passages)


def request_for(document: Document, wanted: TranslateRequest, info: EngineInfo) -> TranslateRequest:
    """What is asked for each lot of a document's passages: `wanted`, in the document's format, as bulk work.

    A language that is not given is detected here, once for the document. Raises InvalidRequest (UnknownLanguage,
    UnsupportedPair) for what could not be met for any passage.
    """
    if len(wanted.targets) != 1:
        raise InvalidRequest("A document is translated into one language at a time.", field="target")
    wishes = structs.replace(wanted.wishes, protect=(*document.protect, *wanted.wishes.protect), alternatives=0)
    request = structs.replace(wanted, texts=("a",), format=document.format, lane=Lane.BULK, wishes=wishes)
    if request.source is None:
        prepare(structs.replace(request, source="en"), info)  # a wrong target is to be told before anything else
        request = structs.replace(request, source=_source_of(document, info))
    (item,) = prepare(request, info).items
    if item.error is not None:
        raise item.error
    return request


async def translate_document(
    document: Document, translator: Translator, request: TranslateRequest, progress: Progress
) -> Translated:
    """Translate a document as `request_for` says.

    A passage that fails keeps its source. Raises the first error where every passage failed or, with `strict`, any,
    EngineUnavailable where no engine was there for more than a minute, and what `progress` raises.
    """
    passages = document.passages
    outcomes: dict[int, Outcome] = {}
    lots = _lots(passages)

    async def work() -> None:
        for lot in lots:
            done = await _patiently(translator, request, {number: passages[number] for number in lot})
            if (gone := _engine_gone(done.values())) is not None:
                raise gone
            outcomes.update(done)
            await progress(sum(len(passages[number].text) for number in lot))

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(REQUESTS_AT_ONCE):
                group.create_task(work())
    except ExceptionGroup as several:
        raise several.exceptions[0] from None
    return await asyncio.to_thread(_written, document, [outcomes[number] for number in range(len(passages))], request)


def _source_of(document: Document, info: EngineInfo) -> str:
    words: list[str] = []
    length = 0
    for one in document.passages:
        words.append(_TAG.sub(" ", one.text))
        length += len(words[-1])
        if length > SAMPLE_CHARACTERS:
            break
    if not words:
        return "en"  # of nothing
    among = None if info.pairs is None else {pair.source for pair in info.pairs}
    return detect("\n".join(words)[:SAMPLE_CHARACTERS], among).language


def _lots(passages: Sequence[Passage]) -> Iterator[list[int]]:
    """The numbers of passages that go into one request."""
    lot: list[int] = []
    characters = 0
    for number, one in enumerate(passages):
        if lot and (len(lot) == MAX_PASSAGES or characters + len(one.text) > MAX_CHARACTERS):
            yield lot
            lot, characters = [], 0
        lot.append(number)
        characters += len(one.text)
    if lot:
        yield lot


async def _patiently(translator: Translator, request: TranslateRequest, lot: dict[int, Passage]) -> dict[int, Outcome]:
    """The outcome of each passage; those for which the engine was not there are tried again."""
    outcomes: dict[int, Outcome] = {}
    left = lot
    for wait_s in (0.0, *WAITS_S):
        await asyncio.sleep(wait_s)
        outcomes |= await _asked(translator, request, left)
        left = {number: one for number, one in left.items() if _may_help(outcomes[number])}
        if not left:
            break
    return outcomes


async def _asked(translator: Translator, request: TranslateRequest, lot: dict[int, Passage]) -> dict[int, Outcome]:
    asked = structs.replace(request, texts=tuple(one.text for one in lot.values()))
    while True:
        try:
            return dict(zip(lot, await translator.translate(asked), strict=True))
        except Overloaded as busy:  # people go first
            await asyncio.sleep(busy.retry_after_s)
        except TooLarge as error:
            return dict.fromkeys(lot, error) if len(lot) == 1 else await _one_by_one(translator, request, lot)
        except EngineUnavailable as error:
            return dict.fromkeys(lot, error)


async def _one_by_one(translator: Translator, request: TranslateRequest, lot: dict[int, Passage]) -> dict[int, Outcome]:
    """For an operator's limit that is smaller than a lot."""
    outcomes: dict[int, Outcome] = {}
    for number, one in lot.items():
        outcomes |= await _asked(translator, request, {number: one})
    return outcomes


def _engine_gone(outcomes: Collection[Outcome]) -> EngineUnavailable | None:
    """The error of a lot that found no engine at all, for the next one would not either."""
    errors = [one for one in outcomes if isinstance(one, EngineUnavailable)]
    return errors[0] if len(errors) == len(outcomes) else None


def _may_help(outcome: Outcome) -> bool:
    return isinstance(outcome, DeadlineExceeded | EngineTimeout | EngineUnavailable)


def _written(document: Document, outcomes: Sequence[Outcome], request: TranslateRequest) -> Translated:
    errors = [one for one in outcomes if isinstance(one, DragomanError)]
    if errors and (request.wishes.strict or len(errors) == len(outcomes)):
        raise errors[0]
    texts = [None if isinstance(one, DragomanError) else one.text for one in outcomes]
    found: Counter[str] = Counter(
        kind for one in outcomes if isinstance(one, Translation) for kind in {finding.kind for finding in one.findings}
    )
    return Translated(document.write(texts), len(errors), dict(found))

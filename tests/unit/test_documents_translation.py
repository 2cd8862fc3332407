"""A document on its way through a translator: in small requests, patiently, and with what failed left as it was."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

import pytest
from msgspec import structs

from dragoman.documents import plain, translation
from dragoman.documents.base import Document
from dragoman.documents.translation import Translated, characters_of, request_for, translate_document
from dragoman.errors import (
    DeadlineExceeded,
    DragomanError,
    EngineRejected,
    EngineUnavailable,
    InvalidRequest,
    Overloaded,
    TooLarge,
    UnknownLanguage,
    UnsupportedPair,
)
from dragoman.types import EngineInfo, Finding, Lane, Pair, TranslateRequest, Translation, Wishes

if TYPE_CHECKING:
    from dragoman.core.translator import Translator

INFO = EngineInfo(name="scripted", model="scripted-1", slots=1, max_segment_tokens=500)
GERMAN = TranslateRequest(texts=(), targets=("de",), source="en")
GONE = EngineUnavailable("It is gone.", engine="scripted")
LATE = DeadlineExceeded("Too late.")
LETTER = plain.read(b"One.\nTwo.\nThree.\n")

Script = Callable[[str, int], str | DragomanError]
"""What becomes of a text, or of the request it is in, when it is asked for that many times before."""


class Scripted:
    """Answers each text as the script says; an error of `refusing` is raised for the whole request instead."""

    def __init__(self, script: Script, refusing: tuple[type[DragomanError], ...] = ()) -> None:
        self._script = script
        self._refusing = refusing
        self.requests: list[TranslateRequest] = []
        self.at_once = self.most_at_once = 0
        self._asked: dict[str, int] = {}

    async def translate(self, request: TranslateRequest) -> list[Translation | DragomanError]:
        self.requests.append(request)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        return [self._outcome(text) for text in request.texts]

    def _outcome(self, text: str) -> Translation | DragomanError:
        times = self._asked[text] = self._asked.get(text, -1) + 1
        said = self._script(text, times)
        if isinstance(said, self._refusing):
            raise said
        if isinstance(said, DragomanError):
            return said
        findings = (Finding("number", "2"), Finding("number", "3")) if "?" in said else ()
        return Translation(text=said, source="en", target="de", engine="scripted", model="m", findings=findings)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(translation, "WAITS_S", (0.0, 0.0))


async def translated(
    scripted: Scripted, document: Document = LETTER, wishes: Wishes | None = None
) -> tuple[Translated, int]:
    """The translated document, and the characters that were told of as done."""
    told = 0

    async def progress(characters: int) -> None:
        nonlocal told
        told += characters

    wanted = GERMAN if wishes is None else structs.replace(GERMAN, wishes=wishes)
    request = request_for(document, wanted, INFO)
    return await translate_document(document, cast("Translator", scripted), request, progress), told


def capitals(text: str, times: int) -> str:
    return text.upper()


async def test_passages_go_as_bulk_in_small_requests_few_at_once_and_progress_is_told() -> None:
    document = plain.read(b"".join(b"%d words\n" % number for number in range(500)) + b"long " * 900)
    scripted = Scripted(capitals)

    done, told = await translated(scripted, document)

    assert done == Translated(b"".join(b"%d WORDS\n" % number for number in range(500)) + b"LONG " * 900, 0, {})
    assert told == characters_of(document)
    assert {request.lane for request in scripted.requests} == {Lane.BULK}
    assert max(len(request.texts) for request in scripted.requests) == translation.MAX_PASSAGES
    assert max(sum(map(len, request.texts)) for request in scripted.requests) <= translation.MAX_CHARACTERS
    assert scripted.most_at_once == translation.REQUESTS_AT_ONCE


async def test_a_passage_that_fails_keeps_its_source() -> None:
    refused = EngineRejected("No.", engine="scripted")

    done, _ = await translated(Scripted(lambda text, times: refused if text == "Two." else text.upper()))

    assert done == Translated(b"ONE.\nTwo.\nTHREE.\n", 1, {})


@pytest.mark.parametrize("failing", ["One.", "Two."])
async def test_with_strict_one_failed_passage_fails_the_document(failing: str) -> None:
    refused = EngineRejected("No.", engine="scripted")

    with pytest.raises(EngineRejected):
        await translated(Scripted(lambda text, times: refused if text == failing else text), wishes=Wishes(strict=True))


async def test_a_document_of_which_nothing_was_translated_has_failed() -> None:
    with pytest.raises(DeadlineExceeded):
        await translated(Scripted(lambda text, times: LATE))


async def test_passages_that_found_no_engine_or_no_time_are_tried_again_alone() -> None:
    scripted = Scripted(lambda text, times: (LATE, GONE, text.upper())[times] if text == "Two." else text.upper())

    done, told = await translated(scripted)

    assert done == Translated(b"ONE.\nTWO.\nTHREE.\n", 0, {})
    assert [request.texts for request in scripted.requests] == [("One.", "Two.", "Three."), ("Two.",), ("Two.",)]
    assert told == 14


@pytest.mark.parametrize("refusing", [(), (EngineUnavailable,)])
async def test_where_no_engine_comes_back_the_document_fails_and_the_rest_is_not_tried(
    refusing: tuple[type[DragomanError], ...],
) -> None:
    scripted = Scripted(lambda text, times: GONE, refusing)

    with pytest.raises(EngineUnavailable):
        await translated(scripted, plain.read(b"word\n" * 5_000))

    assert len(scripted.requests) <= 3 * translation.REQUESTS_AT_ONCE


async def test_while_the_engine_is_busy_with_people_a_document_waits() -> None:
    busy = Overloaded("Busy.", retry_after_s=0.0)

    done, _ = await translated(Scripted(lambda text, times: busy if times < 9 else text.upper(), (Overloaded,)))

    assert done.data == b"ONE.\nTWO.\nTHREE.\n"


async def test_a_passage_beyond_the_operators_limit_fails_alone() -> None:
    large = TooLarge("Too large.")

    done, _ = await translated(Scripted(lambda text, times: large if text == "Three." else text.upper(), (TooLarge,)))

    assert done == Translated(b"ONE.\nTWO.\nThree.\n", 1, {})


async def test_findings_are_counted_by_passage() -> None:
    done, _ = await translated(Scripted(lambda text, times: f"{text}?"))

    assert done.findings == {"number": 3}


async def test_what_goes_wrong_while_progress_is_told_is_raised_as_it_is() -> None:
    async def progress(characters: int) -> None:
        raise KeyError(characters)

    with pytest.raises(KeyError):
        await translate_document(
            LETTER, cast("Translator", Scripted(capitals)), request_for(LETTER, GERMAN, INFO), progress
        )


class TestTheRequest:
    def test_the_language_is_detected_once_from_the_whole_document(self) -> None:
        document = plain.read("Ja.\nNein.\nWo ist der nächste Bahnhof, bitte?\n".encode())

        assert request_for(document, TranslateRequest(texts=(), targets=("en",)), INFO).source == "de"

    def test_a_document_without_words_needs_no_language(self) -> None:
        assert request_for(plain.read(b"1 + 1"), TranslateRequest(texts=(), targets=("de",)), INFO).source == "en"

    def test_what_a_family_protects_goes_before_what_a_caller_does(self) -> None:
        document = structs.replace(LETTER, protect=("a+",))

        asked = request_for(document, structs.replace(GERMAN, wishes=Wishes(protect=("b+",), alternatives=3)), INFO)

        assert (asked.wishes.protect, asked.wishes.alternatives) == (("a+", "b+"), 0)

    @pytest.mark.parametrize(
        ("changed", "error"),
        [
            ({"targets": ("qq",)}, UnknownLanguage),
            ({"targets": ("qq",), "source": None}, UnknownLanguage),
            ({"source": "qq"}, UnknownLanguage),
            ({"targets": ("fr",)}, UnsupportedPair),
            ({"targets": ("de", "fr")}, InvalidRequest),
            ({"targets": ()}, InvalidRequest),
            ({"wishes": Wishes(protect=("(",))}, InvalidRequest),
            ({"wishes": Wishes(formality="more")}, InvalidRequest),
        ],
    )
    def test_what_could_not_be_met_for_any_passage_is_refused_at_once(
        self, changed: dict[str, object], error: type[Exception]
    ) -> None:
        with pytest.raises(error):
            request_for(
                LETTER, structs.replace(GERMAN, **changed), structs.replace(INFO, pairs=frozenset({Pair("en", "de")}))
            )

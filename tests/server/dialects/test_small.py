"""The small dialects: each one's question, answer and error, as its documentation or its source has them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from msgspec import structs

from dragoman.errors import DragomanError, EngineUnavailable, Overloaded
from dragoman.server.dialects import small
from dragoman.server.dialects.small import CROWDIN_HELD
from dragoman.types import EngineInfo, Pair, TranslateRequest, Translation
from tests.server.dialects.dialect_app import Doorkeeper, Speaker, app_with, service_over
from tests.server.scripted import served


class Detecting(Speaker):
    """Finds every text to be in the language `detects`."""

    detects = "en"

    def _outcome(self, text: str, target: str, request: TranslateRequest) -> Translation | DragomanError:
        outcome = super()._outcome(text, target, request)
        if isinstance(outcome, DragomanError) or request.source is not None:
            return outcome
        return structs.replace(outcome, source=self.detects)


@pytest.fixture
def translator() -> Detecting:
    return Detecting()


@pytest.fixture
async def client(translator: Speaker, gate: Doorkeeper) -> AsyncIterator[aiohttp.ClientSession]:
    async with (
        served(app_with(service_over(translator, gate), small.routes)) as address,
        aiohttp.ClientSession("http://{}:{}".format(*address)) as session,
    ):
        yield session


async def asked(
    client: aiohttp.ClientSession,
    method: str,
    path: str,
    **sent: Any,  # noqa: ANN401 - what aiohttp takes
) -> tuple[int, Any]:
    async with client.request(method, path, **sent) as answer:
        return answer.status, await answer.json()


class TestImmersive:
    async def test_a_list_of_texts_comes_back_as_a_list(self, client: aiohttp.ClientSession) -> None:
        body = {"source_lang": "en", "target_lang": "de", "text_list": ["{0} Hello", "<b0></b0> World"]}

        assert await asked(client, "POST", "/immersive", json=body) == (
            200,
            {
                "translations": [
                    {"detected_source_lang": "en", "text": "[de] {0} Hello"},
                    {"detected_source_lang": "en", "text": "[de] <b0></b0> World"},
                ]
            },
        )

    async def test_auto_has_the_language_detected(self, client: aiohttp.ClientSession, translator: Speaker) -> None:
        body = {"source_lang": "auto", "target_lang": "zh-CN", "text_list": ["Hello"]}

        _, answer = await asked(client, "POST", "/immersive", json=body)

        assert translator.requests[0].source is None
        assert answer["translations"][0]["detected_source_lang"] == "en"

    async def test_without_texts_it_says_what_to_send(self, client: aiohttp.ClientSession) -> None:
        status, answer = await asked(client, "POST", "/immersive", json={"target_lang": "de"})

        assert (status, answer) == (400, {"error": "Send the texts as a list in 'text_list'."})


class TestKiss:
    async def test_one_text_comes_back_as_one(self, client: aiohttp.ClientSession) -> None:
        body = {"text": "Hello", "from": "auto", "to": "de"}

        assert await asked(client, "POST", "/kiss", json=body) == (200, {"text": "[de] Hello", "src": "en"})

    async def test_several_come_back_as_several(self, client: aiohttp.ClientSession) -> None:
        _, answer = await asked(client, "POST", "/kiss", json={"texts": ["Hello"], "from": "en", "to": "de"})

        assert answer == {"translations": [{"text": "[de] Hello", "src": "en"}]}

    async def test_chinese_is_told_by_country(self, client: aiohttp.ClientSession, translator: Detecting) -> None:
        translator.detects = "zh-Hant"

        _, answer = await asked(client, "POST", "/kiss", json={"text": "你好嗎", "from": "auto", "to": "de"})

        assert answer["src"] == "zh-TW"


class TestDeepLX:
    @pytest.mark.parametrize("path", ["/deeplx/translate", "/deeplx/v1/translate"])
    async def test_its_answer_has_all_its_fields(self, client: aiohttp.ClientSession, path: str) -> None:
        body = {"text": "Hello", "source_lang": "auto", "target_lang": "de"}

        assert await asked(client, "POST", path, json=body) == (
            200,
            {
                "code": 200,
                "id": 1,
                "data": "[de] Hello",
                "alternatives": [],
                "source_lang": "EN",
                "target_lang": "DE",
                "method": "Free",
            },
        )

    async def test_tags_are_read_as_asked(self, client: aiohttp.ClientSession, translator: Speaker) -> None:
        body = {"text": "<p>Hello</p>", "source_lang": "EN", "target_lang": "DE", "tag_handling": "html"}

        await asked(client, "POST", "/deeplx/translate", json=body)

        assert translator.requests[0].format == "html"

    async def test_an_error_has_its_status_as_code(self, client: aiohttp.ClientSession, translator: Speaker) -> None:
        translator.outcomes["Hello"] = EngineUnavailable("The engine is away.", engine="e")

        answer = await asked(client, "POST", "/deeplx/translate", json={"text": "Hello", "target_lang": "DE"})

        assert answer == (502, {"code": 502, "message": "The engine is away."})

    @pytest.mark.parametrize("sent", [{"params": {"token": "k"}}, {"headers": {"Authorization": "Bearer k"}}])
    async def test_the_key_is_a_token_or_a_bearer(
        self, client: aiohttp.ClientSession, gate: Doorkeeper, sent: dict[str, Any]
    ) -> None:
        gate.key = "k"
        body = {"text": "Hello", "target_lang": "DE"}

        assert (await asked(client, "POST", "/deeplx/translate", json=body, **sent))[0] == 200
        assert (await asked(client, "POST", "/deeplx/translate", json=body))[0] == 401


class TestOmegaT:
    async def test_a_question_in_the_address_is_answered(self, client: aiohttp.ClientSession) -> None:
        asking = {"source": "en", "target": "de", "text": "Hello & bye"}

        assert await asked(client, "GET", "/omegat", params=asking) == (200, {"translation": "[de] Hello & bye"})


class TestCrowdin:
    async def test_languages_are_in_the_address_and_texts_in_the_body(
        self, client: aiohttp.ClientSession, translator: Speaker
    ) -> None:
        address = {"source": "en", "target": "de", "project_id": "7", "jwtToken": "a.b.c"}

        answer = await asked(client, "POST", "/crowdin", params=address, json={"strings": ["Start", "Next"]})

        assert answer == (200, {"data": {"translations": ["[de] Start", "[de] Next"]}})
        assert translator.requests[0].wishes.protect == (CROWDIN_HELD,)

    async def test_an_error_has_its_place(self, client: aiohttp.ClientSession) -> None:
        status, answer = await asked(client, "POST", "/crowdin", json={"strings": ["Start"]})

        assert (status, answer) == (400, {"error": {"message": "Say in 'target' which language to translate into."}})


class TestApertium:
    async def test_a_pair_stands_around_a_bar(self, client: aiohttp.ClientSession, translator: Speaker) -> None:
        asking = {"langpair": "eng|spa", "q": "Hello", "markUnknown": "no"}

        assert await asked(client, "GET", "/apertium/translate", params=asking) == (
            200,
            {"responseData": {"translatedText": "[spa] Hello"}, "responseDetails": None, "responseStatus": 200},
        )
        assert translator.requests[0].source == "eng"

    async def test_pairs_are_listed_as_weblate_compares_them(
        self, client: aiohttp.ClientSession, translator: Speaker
    ) -> None:
        pairs = frozenset({Pair("en", "pt-BR")})
        translator.info = EngineInfo(name="few", model="few-1", slots=1, max_segment_tokens=512, pairs=pairs)

        _, answer = await asked(client, "GET", "/apertium/listPairs")

        assert answer["responseData"] == [{"sourceLanguage": "en", "targetLanguage": "pt_BR"}]

    @pytest.mark.parametrize("pair", ["", "en", "en|", "|"])
    async def test_what_is_no_pair_is_explained(self, client: aiohttp.ClientSession, pair: str) -> None:
        status, answer = await asked(client, "GET", "/apertium/translate", params={"langpair": pair, "q": "Hello"})

        assert status == 400
        assert answer == {
            "status": "error",
            "code": 400,
            "message": "The request cannot be understood",
            "explanation": "Send both languages in 'langpair', as en|de.",
        }

    async def test_several_texts_are_refused_rather_than_dropped(self, client: aiohttp.ClientSession) -> None:
        asking = [("langpair", "en|de"), ("q", "One"), ("q", "Two")]

        assert (await asked(client, "GET", "/apertium/translate", params=asking))[0] == 400


class TestMyMemory:
    async def test_its_answer_has_what_clients_read(self, client: aiohttp.ClientSession) -> None:
        status, answer = await asked(client, "GET", "/mymemory/get", params={"langpair": "Autodetect|de", "q": "Hello"})

        assert (status, answer["responseStatus"], answer["matches"]) == (200, 200, [])
        assert answer["responseData"]["translatedText"] == "[de] Hello"

    async def test_an_error_is_in_the_details(self, client: aiohttp.ClientSession, translator: Speaker) -> None:
        translator.refusal = Overloaded("Too much is waiting.", retry_after_s=1)

        status, answer = await asked(client, "GET", "/mymemory/get", params={"langpair": "en|de", "q": "Hello"})

        assert (status, answer["responseStatus"], answer["responseDetails"]) == (503, 503, "Too much is waiting.")


@pytest.mark.parametrize(
    ("method", "path", "field"),
    [
        ("GET", "/immersive", "error"),
        ("GET", "/kiss", "error"),
        ("GET", "/deeplx/translate", "message"),
        ("POST", "/omegat", "error"),
        ("GET", "/crowdin", "error"),
        ("POST", "/apertium/translate", "explanation"),
        ("POST", "/mymemory/get", "responseDetails"),
    ],
)
async def test_the_wrong_method_is_told_in_the_dialects_own_form(
    client: aiohttp.ClientSession, method: str, path: str, field: str
) -> None:
    status, answer = await asked(client, method, path)

    assert (status, field in answer) == (405, True)

"""Google Cloud Translation v2's shapes: what its clients send is understood, and what comes back is what they read."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from dragoman.errors import DragomanError, EngineTimeout, QuotaExceeded, ShuttingDown, TooManyRequests, UnknownLanguage
from dragoman.server.dialects import google
from tests.server.dialects.dialect_app import Doorkeeper, Speaker, app_with, service_over
from tests.server.scripted import served

PATH = google.PATH


@pytest.fixture
async def client(translator: Speaker, gate: Doorkeeper) -> AsyncIterator[aiohttp.ClientSession]:
    async with (
        served(app_with(service_over(translator, gate), google.routes)) as address,
        aiohttp.ClientSession("http://{}:{}".format(*address)) as session,
    ):
        yield session


async def asked(
    client: aiohttp.ClientSession,
    path: str = "",
    method: str = "POST",
    **sent: Any,  # noqa: ANN401 - what aiohttp takes
) -> tuple[int, Any]:
    async with client.request(method, PATH + path, **sent) as answer:
        return answer.status, await answer.json()


TWO = [("q", "Hello"), ("q", "World"), ("target", "de"), ("source", "en")]
TRANSLATED = {"data": {"translations": [{"translatedText": "[de] Hello"}, {"translatedText": "[de] World"}]}}


@pytest.mark.parametrize(
    ("method", "sent"),
    [
        ("POST", {"json": {"q": ["Hello", "World"], "target": "de", "source": "en"}}),
        ("POST", {"data": TWO}),
        ("POST", {"params": TWO}),
        ("GET", {"params": TWO}),
    ],
)
async def test_texts_are_read_from_json_form_and_query_with_either_method(
    client: aiohttp.ClientSession, method: str, sent: dict[str, Any]
) -> None:
    assert await asked(client, method=method, **sent) == (200, TRANSLATED)


async def test_nulls_are_absent_and_the_format_is_html_then(client: aiohttp.ClientSession, translator: Speaker) -> None:
    body = {"target": "de", "q": ["a"], "cid": [], "format": None, "source": None, "model": None}

    status, answer = await asked(client, json=body)

    assert (status, answer["data"]["translations"]) == (
        200,
        [{"translatedText": "[de] a", "detectedSourceLanguage": "en"}],
    )
    assert translator.requests[-1].format == "html"


async def test_plain_text_is_translated_as_such_where_it_is_asked_for(
    client: aiohttp.ClientSession, translator: Speaker
) -> None:
    await asked(client, json={"q": "a < b", "target": "de", "format": "text"})

    assert translator.requests[-1].format == "text"


async def test_a_model_is_named_in_the_answer_where_one_was_asked_for(client: aiohttp.ClientSession) -> None:
    _, answer = await asked(client, json={"q": "a", "target": "de", "source": "en", "model": "nmt"})

    assert answer["data"]["translations"] == [{"translatedText": "[de] a", "model": "nmt"}]


@pytest.mark.parametrize(
    "sent", [{"params": {"key": "K"}}, {"headers": {"X-goog-api-key": "K"}}, {"headers": {"Authorization": "Bearer K"}}]
)
async def test_a_key_may_stand_in_query_or_header(
    client: aiohttp.ClientSession, gate: Doorkeeper, sent: dict[str, Any]
) -> None:
    gate.key = "K"
    body = {"q": "a", "target": "de"}

    assert (await asked(client, json=body, **sent))[0] == 200
    status, answer = await asked(client, json=body)
    assert (status, answer["error"]["status"]) == (403, "PERMISSION_DENIED")


async def test_detection_has_exactly_one_guess_for_each_text(client: aiohttp.ClientSession, gate: Doorkeeper) -> None:
    texts = ["Wo ist bitte der Bahnhof?", "123", "火車站在哪裡？我想去看電影。"]

    _, answer = await asked(client, "/detect", json={"q": texts})

    found = answer["data"]["detections"]
    assert [[guess["language"] for guess in each] for each in found] == [["de"], ["und"], ["zh-TW"]]
    assert all(0 <= guess["confidence"] <= 1 and guess["isReliable"] is False for (guess,) in found)
    assert gate.charged == [sum(map(len, texts))]


async def test_too_many_texts_to_detect_are_refused_before_they_are_charged(
    client: aiohttp.ClientSession, gate: Doorkeeper
) -> None:
    status, answer = await asked(client, "/detect", json={"q": ["a"] * 101})

    assert (status, answer["error"]["status"], gate.charged) == (400, "INVALID_ARGUMENT", [])


async def test_languages_have_names_only_for_who_says_in_which_language(client: aiohttp.ClientSession) -> None:
    _, bare = await asked(client, "/languages", "GET")
    _, named = await asked(client, "/languages", "GET", params={"target": "de"})

    assert {"language": "zh-CN"} in bare["data"]["languages"]
    assert {"language": "zh-TW", "name": "Chinesisch (Taiwan)"} in named["data"]["languages"]
    assert {"language": "fr", "name": "Französisch"} in named["data"]["languages"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("", {"q": "a"}),
        ("", {"target": "de"}),
        ("", {"q": [1], "target": "de"}),
        ("", {"q": "a", "target": "de", "format": "pdf"}),
        ("/detect", {}),
        ("/languages", {"target": "xx-klingon"}),
    ],
)
async def test_a_mistake_is_an_invalid_argument(client: aiohttp.ClientSession, path: str, body: dict[str, Any]) -> None:
    status, answer = await asked(client, path, json=body)

    error = answer["error"]
    assert (status, error["code"], error["status"]) == (400, 400, "INVALID_ARGUMENT")
    assert error["errors"] == [{"message": error["message"], "domain": "global", "reason": "invalidParameter"}]


@pytest.mark.parametrize(
    ("error", "code", "status", "reason"),
    [
        (QuotaExceeded("Enough."), 403, "RESOURCE_EXHAUSTED", "dailyLimitExceeded"),
        (TooManyRequests("Slowly.", retry_after_s=1), 403, "RESOURCE_EXHAUSTED", "userRateLimitExceeded"),
        (UnknownLanguage("No such."), 400, "INVALID_ARGUMENT", "invalidParameter"),
        (ShuttingDown("Bye."), 503, "UNAVAILABLE", "backendError"),
        (EngineTimeout("Slow.", engine="scripted"), 504, "DEADLINE_EXCEEDED", "backendError"),
    ],
)
async def test_what_goes_wrong_has_googles_code_and_reason(
    client: aiohttp.ClientSession, translator: Speaker, error: DragomanError, code: int, status: str, reason: str
) -> None:
    translator.refusal = error

    found, answer = await asked(client, json={"q": "a", "target": "de"})

    told = answer["error"]
    assert (found, told["code"], told["status"], told["errors"][0]["reason"]) == (code, code, status, reason)
    assert error.message in told["message"]


@pytest.mark.parametrize(("method", "path"), [("GET", "/models"), ("DELETE", ""), ("PUT", "/detect")])
async def test_unknown_paths_and_other_methods_are_not_found(
    client: aiohttp.ClientSession, method: str, path: str
) -> None:
    status, answer = await asked(client, path, method)

    assert (status, answer["error"]["code"], answer["error"]["status"]) == (404, 404, "NOT_FOUND")


@pytest.mark.parametrize("sent", [{"data": b" " * 10_001}, {"data": b"<q/>", "headers": {"content-type": "text/xml"}}])
async def test_bodies_that_are_too_large_or_of_another_kind_are_a_mistake(
    client: aiohttp.ClientSession, sent: dict[str, Any]
) -> None:
    status, answer = await asked(client, **sent)

    assert (status, answer["error"]["status"]) == (400, "INVALID_ARGUMENT")


async def test_what_nobody_foresaw_is_internal_and_says_nothing_of_the_text(
    client: aiohttp.ClientSession, translator: Speaker
) -> None:
    translator.refusal = RuntimeError("private words")

    status, answer = await asked(client, json={"q": "a", "target": "de"})

    assert (status, answer["error"]["status"]) == (500, "INTERNAL")
    assert "private" not in answer["error"]["message"]

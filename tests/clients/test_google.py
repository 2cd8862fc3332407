"""Google's own client of Cloud Translation v2, pointed at Dragoman, and curl lines as its documentation has them."""

from __future__ import annotations

import html
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from google.api_core.exceptions import BadRequest, Forbidden
from google.auth.credentials import AnonymousCredentials
from google.cloud import translate_v2  # type: ignore[import-untyped]

from tests.clients.serving import ListedGate, running_server

GERMAN = "ⓓⓔ "
"""How the simulated engine begins what it says in German."""


@contextmanager
def connected(url: str) -> Iterator[translate_v2.Client]:
    nobody = AnonymousCredentials()  # type: ignore[no-untyped-call]
    client = translate_v2.Client(client_options={"api_endpoint": url}, credentials=nobody)
    yield client
    client._http.close()


@pytest.fixture(scope="module")
def client(server_url: str) -> Iterator[translate_v2.Client]:
    with connected(server_url) as client:
        yield client


def test_a_string_is_one_answer_and_a_list_as_many(client: translate_v2.Client) -> None:
    one = client.translate("Where is the station, please?", target_language="de")
    many = client.translate(["Good morning.", "Good night."], target_language="de", source_language="en", model="nmt")

    assert one["translatedText"].startswith(GERMAN)
    assert (one["detectedSourceLanguage"], one["input"]) == ("en", "Where is the station, please?")
    assert [(each["input"], each["model"]) for each in many] == [("Good morning.", "nmt"), ("Good night.", "nmt")]
    assert all("detectedSourceLanguage" not in each for each in many)


def test_html_is_the_format_unless_text_is_asked_for(client: translate_v2.Client) -> None:
    text = "Salt &amp; pepper <br> today"

    as_html = client.translate(text, target_language="de", source_language="en")["translatedText"]
    as_text = client.translate("a < b", target_language="de", source_language="en", format_="text")["translatedText"]

    assert " &amp; " in as_html
    assert "<br>" in as_html
    assert " & " in html.unescape(as_html)
    assert " < " in as_text


def test_a_thousand_texts_come_back_in_their_order(client: translate_v2.Client) -> None:
    texts = [f"<i>{number}</i>" for number in range(1000)]

    answers = client.translate(texts, target_language="de", source_language="en")

    assert [each["translatedText"] for each in answers] == texts


def test_languages_are_detected(client: translate_v2.Client) -> None:
    one = client.detect_language("Wo ist bitte der Bahnhof?")
    many = client.detect_language(["Où est la gare, s'il vous plaît ?", "火車站在哪裡？我想去看電影。"])

    assert one["language"] == "de"
    assert 0.5 < one["confidence"] <= 1
    assert [each["language"] for each in many] == ["fr", "zh-TW"]


def test_languages_are_listed_with_names_in_a_language(client: translate_v2.Client) -> None:
    listed = {each["language"]: each["name"] for each in client.get_languages(target_language="de")}

    assert (listed["ja"], listed["zh-CN"]) == ("Japanisch", "Chinesisch (Vereinfacht)")
    assert {each["language"] for each in client.get_languages()} == set(listed)


def test_a_mistake_and_a_missing_key_are_the_clients_own_exceptions(
    client: translate_v2.Client, keyed_url: str
) -> None:
    with pytest.raises(BadRequest, match="klingon"):
        client.translate("Hello", target_language="klingon")
    with connected(keyed_url) as stranger, pytest.raises(Forbidden):
        stranger.translate("Hello", target_language="de")


@pytest.fixture(scope="module")
def keyed_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that knows three keys."""
    gate = ListedGate({"good": 1_000, "poor": 4, "hasty": 1_000})
    with running_server(tmp_path_factory.mktemp("keyed"), gate=gate) as url:
        yield url


@pytest.mark.parametrize(
    ("key", "reason"), [("good", None), ("poor", "dailyLimitExceeded"), ("hasty", "userRateLimitExceeded")]
)
def test_curl_with_a_key_in_the_query(keyed_url: str, key: str, reason: str | None) -> None:
    fields = ("q=Hello world", "q=My name is Jeff", "target=de", "source=en")
    line = ["curl", "-sS", "-X", "POST", f"{keyed_url}/language/translate/v2?key={key}"]

    done = subprocess.run(
        [*line, *(word for field in fields for word in ("--data-urlencode", field))],
        capture_output=True,
        check=True,
        timeout=30,
    )

    answer = json.loads(done.stdout)
    if reason is None:
        assert [each["translatedText"][:3] for each in answer["data"]["translations"]] == [GERMAN, GERMAN]
    else:
        assert (answer["error"]["code"], answer["error"]["errors"][0]["reason"]) == (403, reason)

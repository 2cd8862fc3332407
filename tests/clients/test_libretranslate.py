"""LibreTranslate's clients, pointed at Dragoman: `libretranslatepy`, `deep-translator`, curl, and what apps send."""

from __future__ import annotations

import json
import subprocess
import urllib.error
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from deep_translator import LibreTranslator  # type: ignore[import-untyped]
from deep_translator.exceptions import AuthorizationException  # type: ignore[import-untyped]
from libretranslatepy import LibreTranslateAPI  # type: ignore[import-untyped]

from tests.clients.serving import ListedGate, running_server

GERMAN = "ⓓⓔ "
"""How the simulated engine begins what it says in German."""


@pytest.fixture(scope="module")
def keyed_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that knows three keys."""
    gate = ListedGate({"good": 1_000, "poor": 4, "hasty": 1_000})
    with running_server(tmp_path_factory.mktemp("keyed"), gate=gate) as url:
        yield url


def curl(*arguments: str) -> Any:  # noqa: ANN401 - whatever JSON holds
    done = subprocess.run(["curl", "-sS", *arguments], capture_output=True, check=True, timeout=30)
    return json.loads(done.stdout)


class TestLibretranslatepy:
    def test_it_translates(self, server_url: str) -> None:
        assert LibreTranslateAPI(server_url).translate("Good morning.", "en", "de").startswith(GERMAN)

    def test_it_detects(self, server_url: str) -> None:
        (guess,) = LibreTranslateAPI(server_url).detect("Wo ist bitte der Bahnhof?")

        assert guess["language"] == "de"

    def test_it_lists_languages_by_a_get_with_a_form_in_its_body(self, server_url: str) -> None:
        listed = LibreTranslateAPI(server_url, api_key="K").languages()

        assert {"code": "de", "name": "German"}.items() <= next(one for one in listed if one["code"] == "de").items()

    def test_it_sends_its_key_and_is_told_when_that_is_wrong(self, keyed_url: str) -> None:
        assert LibreTranslateAPI(keyed_url, api_key="good").translate("Hello", "en", "de")
        for key, status in (("bad", 403), (None, 400), ("poor", 403), ("hasty", 429)):
            with pytest.raises(urllib.error.HTTPError) as raised:
                LibreTranslateAPI(keyed_url, api_key=key).translate("Hello", "en", "de")
            with raised.value as error:
                assert (error.code, list(json.load(error))) == (status, ["error"])


class TestDeepTranslator:
    def test_it_translates_by_a_post_with_everything_in_the_query(self, server_url: str) -> None:
        translator = LibreTranslator("en", "de", api_key="K", custom_url=f"{server_url}/")

        assert translator.translate("Good morning.").startswith(GERMAN)
        assert [each[:3] for each in translator.translate_batch(["One.", "Two."])] == [GERMAN, GERMAN]

    def test_it_tells_a_wrong_key(self, keyed_url: str) -> None:
        with pytest.raises(AuthorizationException):
            LibreTranslator("en", "de", api_key="bad", custom_url=f"{keyed_url}/").translate("Good morning.")


class TestCurl:
    """Lines as LibreTranslate's own documentation has them."""

    def test_json(self, server_url: str) -> None:
        body = '{"q": "Ciao, come stai oggi?", "source": "auto", "target": "en", "format": "text", "api_key": ""}'

        answer = curl(f"{server_url}/translate", "-H", "Content-Type: application/json", "-d", body)

        assert answer["detectedLanguage"]["language"] == "it"
        assert answer["translatedText"].startswith("ⓔⓝ ")

    def test_json_with_alternatives(self, server_url: str) -> None:
        body = '{"q": "Hello", "source": "en", "target": "it", "alternatives": 3}'

        answer = curl(f"{server_url}/translate", "-H", "Content-Type: application/json", "-d", body)

        assert len({answer["translatedText"], *answer["alternatives"]}) == 4

    def test_a_form_and_a_multipart_form(self, server_url: str) -> None:
        fields = ("q=Hello", "source=en", "target=de")

        url_encoded = curl(f"{server_url}/translate", *(word for field in fields for word in ("-d", field)))
        multipart = curl(f"{server_url}/translate", *(word for field in fields for word in ("-F", field)))

        assert url_encoded == multipart
        assert url_encoded["translatedText"].startswith(GERMAN)

    def test_a_file_is_sent_and_fetched(self, server_url: str, tmp_path: Path) -> None:
        (tmp_path / "note.txt").write_text("Good morning.\n\nSee you.\n")

        sent = curl(
            f"{server_url}/translate_file", "-F", f"file=@{tmp_path}/note.txt", "-F", "source=en", "-F", "target=de"
        )
        fetched = requests.get(sent["translatedFileUrl"], timeout=30)

        assert fetched.status_code == 200
        assert [line[:3] for line in fetched.text.split("\n")] == [GERMAN, "", GERMAN, ""]


class TestApplications:
    def test_mastodon_sends_an_array_of_html_and_looks_targets_up(self, server_url: str) -> None:
        languages = requests.get(f"{server_url}/languages", timeout=30).json()
        body = {
            "q": ["<p>Hello <b>you</b></p>", "😀"],
            "source": "en",
            "target": "de",
            "format": "html",
            "api_key": None,
        }
        answer = requests.post(f"{server_url}/translate", json=body, timeout=30).json()

        assert all("targets" in one for one in languages)
        html, emoji = answer["translatedText"]
        assert html.startswith(f"<p>{GERMAN}")
        assert "<b>" in html
        assert emoji == "😀"
        assert "detectedLanguage" not in answer

    def test_mastodon_may_not_know_the_language(self, server_url: str) -> None:
        body = {"q": ["Wo ist bitte der Bahnhof?", "Where is the station, please?"], "source": "auto", "target": "fr"}

        answer = requests.post(f"{server_url}/translate", json=body, timeout=30).json()

        assert [each["language"] for each in answer["detectedLanguage"]] == ["de", "en"]

    def test_discourse_detects_looks_languages_up_and_translates_html_by_form(self, server_url: str) -> None:
        text = "<p>Wo ist bitte der Bahnhof?</p>"
        (guess,) = requests.post(f"{server_url}/detect", data={"q": text}, timeout=30).json()
        listed = {one["code"]: one for one in requests.get(f"{server_url}/languages", timeout=30).json()}
        assert "en" in listed[guess["language"]]["targets"]

        form = {"q": text, "source": guess["language"], "target": "en", "format": "html"}
        answer = requests.post(f"{server_url}/translate", data=form, timeout=30).json()

        assert answer["translatedText"].startswith("<p>ⓔⓝ ")

    def test_a_page_of_another_origin_may_ask(self, server_url: str) -> None:
        origin = {"Origin": "https://pages.example"}
        answers = [
            requests.post(f"{server_url}/translate", json={"q": "Hi", "source": "en", "target": "de"}, headers=origin),
            requests.get(f"{server_url}/languages", headers=origin),
        ]

        assert [answer.headers["Access-Control-Allow-Origin"] for answer in answers] == ["*", "*"]

    def test_our_own_callers_are_answered_at_the_same_path(self, server_url: str) -> None:
        body = {"text": "Good morning.", "source_lang": "en", "target_lang": "de"}

        answer = requests.post(f"{server_url}/translate", json=body, timeout=30).json()

        assert answer["status"] == "success"

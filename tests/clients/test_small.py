"""The small dialects over a socket: a real client where there is one in Python, else what the client's source sends."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from typing import Any

import pytest
from deep_translator import MyMemoryTranslator  # type: ignore[import-untyped]
from deep_translator.exceptions import RequestError  # type: ignore[import-untyped]


def post(url: str, body: object) -> Any:  # noqa: ANN401 - whatever JSON holds
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def get(url: str, **parameters: str) -> Any:  # noqa: ANN401 - whatever JSON holds
    with urllib.request.urlopen(f"{url}?{urllib.parse.urlencode(parameters)}", timeout=10) as answer:
        return json.load(answer)


@pytest.fixture
def my_memory(server_url: str) -> MyMemoryTranslator:
    translator = MyMemoryTranslator(source="en-GB", target="de-DE")
    translator._base_url = f"{server_url}/mymemory/get"  # it has no option for it
    return translator


class TestMyMemoryOfDeepTranslator:
    def test_it_translates_one_text_and_several(self, my_memory: MyMemoryTranslator) -> None:
        one = my_memory.translate("Where is the station?")

        assert one != "Where is the station?"
        assert my_memory.translate_batch(["Where is the station?", "Good morning."])[0] == one

    def test_an_unknown_language_is_its_own_error(self, my_memory: MyMemoryTranslator) -> None:
        my_memory._target = "klingon"

        with pytest.raises(RequestError):
            my_memory.translate("Where is the station?")


def test_what_immersive_translate_sends_keeps_its_placeholders(server_url: str) -> None:
    texts = ["{0} Hello {1} World", "<b0></b0> Hello <b1></b1> World"]

    answer = post(f"{server_url}/immersive", {"source_lang": "auto", "target_lang": "zh-CN", "text_list": texts})

    first, second = answer["translations"]
    assert first["detected_source_lang"] == "en"
    assert all(held in first["text"] for held in ("{0}", "{1}"))
    assert all(held in second["text"] for held in ("<b0></b0>", "<b1></b1>"))


def test_what_crowdin_sends_keeps_what_is_not_to_be_translated(server_url: str) -> None:
    held = '<span class="notranslate">0</span>'

    answer = post(
        f"{server_url}/crowdin?source=en&target=de&project_id=7&jwtToken=a.b.c", {"strings": [f"{held}Task & more:"]}
    )

    (text,) = answer["data"]["translations"]
    assert held in text
    assert "&" in text
    assert "&amp;" not in text


def test_what_kiss_translator_deeplx_and_omegat_send_gives_one_and_the_same(server_url: str) -> None:
    text = "The weather is fine today."

    kiss = post(f"{server_url}/kiss", {"text": text, "from": "auto", "to": "de"})
    deeplx = post(f"{server_url}/deeplx/translate", {"text": text, "source_lang": "EN", "target_lang": "DE"})
    omegat = get(f"{server_url}/omegat", source="en", target="de", text=text)

    assert kiss["text"] == deeplx["data"] == omegat["translation"] != text
    assert (kiss["src"], deeplx["source_lang"]) == ("en", "EN")


def test_weblate_finds_its_pair_in_apertiums_list_and_can_ask_for_it(server_url: str) -> None:
    pairs = get(f"{server_url}/apertium/listPairs")["responseData"]

    assert {"sourceLanguage": "en", "targetLanguage": "pt_BR"} in pairs
    assert {"sourceLanguage": "en", "targetLanguage": "de"} in pairs
    answer = get(f"{server_url}/apertium/translate", langpair="en|pt_BR", q="Good morning.", markUnknown="no")
    assert answer["responseStatus"] == 200
    assert answer["responseData"]["translatedText"] != "Good morning."

"""The three ways to ask for a translation."""

from __future__ import annotations

import msgspec
import pytest
from starlette.applications import Starlette

from dragoman.errors import EngineTimeout, OutputTruncated, Overloaded
from dragoman.server.schemas import FailedItem, TranslatedItem
from tests.server.scripted import ScriptedTranslator, app_over, call


class TestSimple:
    async def test_a_text_goes_in_and_its_translation_comes_out(self, app: Starlette) -> None:
        answer = await call(app, "POST", "/translate", {"text": "Hello", "source_lang": "en", "target_lang": "de"})

        assert (answer.status, answer.json) == (200, {"status": "success", "translation": "[de] Hello"})
        assert answer.headers["content-type"] == "application/json"

    @pytest.mark.parametrize("body", [{"text": "Hi"}, {"text": "Hi", "source_lang": None, "target_lang": None}])
    async def test_languages_left_out_or_null_are_english_to_chinese(
        self, app: Starlette, translator: ScriptedTranslator, body: dict[str, object]
    ) -> None:
        await call(app, "POST", "/translate", body)

        assert (translator.requests[0].source, translator.requests[0].targets) == ("en", ("zh",))

    async def test_auto_asks_for_detection(self, app: Starlette, translator: ScriptedTranslator) -> None:
        await call(app, "POST", "/translate", {"text": "Hi", "source_lang": "AUTO"})

        assert translator.requests[0].source is None

    async def test_fields_of_other_dialects_are_ignored(self, app: Starlette) -> None:
        answer = await call(app, "POST", "/translate", {"text": "Hi", "tag_handling": "html"})

        assert answer.status == 200

    async def test_an_engine_failure_keeps_the_shape_and_has_its_status(
        self, app: Starlette, translator: ScriptedTranslator
    ) -> None:
        translator.outcomes["Hi"] = EngineTimeout("It took too long; try a shorter text.", engine="gpu1")

        answer = await call(app, "POST", "/translate", {"text": "Hi"})

        assert answer.status == 504
        assert answer.json == {"status": "error", "message": "It took too long; try a shorter text."}

    async def test_a_refusal_says_when_to_come_back(self, app: Starlette, translator: ScriptedTranslator) -> None:
        translator.refusal = Overloaded("Too much is waiting.", retry_after_s=1.2)

        answer = await call(app, "POST", "/translate", {"text": "Hi"})

        assert (answer.status, answer.headers["retry-after"]) == (503, "2")
        assert answer.json == {"status": "error", "message": "Too much is waiting."}


class TestBatch:
    async def test_results_come_in_the_order_of_the_texts(self, app: Starlette) -> None:
        answer = await call(app, "POST", "/batch-translate", {"texts": ["a", "b"], "target_lang": "fr"})

        assert answer.status == 200
        assert [result["translation"] for result in answer.json["results"]] == ["[fr] a", "[fr] b"]

    async def test_bad_items_fail_alone(self, translator: ScriptedTranslator) -> None:
        app = app_over(translator, max_characters=10)
        translator.outcomes["boom"] = OutputTruncated("It was cut off.", engine="gpu1", partial="x")
        texts = ["good", 7, "boom", "much too long a text", None, {"a": 1}, "fine"]

        answer = await call(app, "POST", "/batch-translate", {"texts": texts, "target_lang": "de"})

        assert answer.status == 200
        assert answer.json["results"] == [
            {"status": "success", "translation": "[de] good"},
            {"status": "error", "message": "A text must be a string, not a number."},
            {"status": "error", "message": "It was cut off."},
            {"status": "error", "message": "The text has 20 characters; at most 10 are taken."},
            {"status": "error", "message": "A text must be a string, not null."},
            {"status": "error", "message": "A text must be a string, not an object."},
            {"status": "success", "translation": "[de] fine"},
        ]

    async def test_a_batch_of_bad_items_starts_nothing(self, app: Starlette, translator: ScriptedTranslator) -> None:
        answer = await call(app, "POST", "/batch-translate", {"texts": [1, True]})

        assert [result["status"] for result in answer.json["results"]] == ["error", "error"]
        assert translator.requests == []

    async def test_no_texts_at_all_is_an_error(self, app: Starlette) -> None:
        answer = await call(app, "POST", "/batch-translate", {"texts": []})

        assert (answer.status, answer.json["status"]) == (400, "error")


class TestNative:
    async def test_one_item_for_each_text_and_target(self, app: Starlette) -> None:
        body = {"text": ["a", "b"], "target": ["de", "fr"], "source": "en"}

        answer = await call(app, "POST", "/v1/translate", body)

        items = answer.json["translations"]
        assert [item["text"] for item in items] == ["[de] a", "[fr] a", "[de] b", "[fr] b"]
        assert msgspec.convert(items, list[TranslatedItem])[1].target == "fr"
        assert all("detected" not in item for item in items)

    async def test_the_detected_language_is_told_when_it_was_asked_for(self, app: Starlette) -> None:
        for source in ({}, {"source": "auto"}, {"source": None}):
            answer = await call(app, "POST", "/v1/translate", {"text": "a", "target": "de", **source})

            assert answer.json["translations"][0]["detected"] == {"language": "en", "confidence": 0.9}

    async def test_a_failed_item_carries_its_error_in_its_place(
        self, app: Starlette, translator: ScriptedTranslator
    ) -> None:
        translator.outcomes["bad"] = EngineTimeout("Too slow.", engine="gpu1")

        answer = await call(app, "POST", "/v1/translate", {"text": ["bad", "ok"], "target": ["de", "fr"]})

        assert answer.status == 200
        assert answer.json["translations"][1] == {
            "target": "fr",
            "error": {"type": "/docs#engine-timeout", "status": 504, "message": "Too slow.", "engine": "gpu1"},
        }
        assert answer.json["translations"][2]["text"] == "[de] ok"

    async def test_if_all_items_failed_the_status_is_that_of_the_first(
        self, app: Starlette, translator: ScriptedTranslator
    ) -> None:
        translator.outcomes["a"] = EngineTimeout("Too slow.", engine="gpu1")
        translator.outcomes["b"] = OutputTruncated("Cut off.", engine="gpu1", partial="")

        answer = await call(app, "POST", "/v1/translate", {"text": ["a", "b"], "target": "de", "source": "en"})

        assert answer.status == 504
        assert msgspec.convert(answer.json["translations"], list[FailedItem])[1].source == "en"

    async def test_the_timeout_of_the_body_goes_before_that_of_the_header(
        self, app: Starlette, translator: ScriptedTranslator
    ) -> None:
        header = {"X-Request-Timeout": "2.5"}
        await call(app, "POST", "/v1/translate", {"text": "a", "target": "de"}, headers=header)
        await call(app, "POST", "/v1/translate", {"text": "a", "target": "de", "timeout": 7}, headers=header)
        await call(app, "POST", "/v1/translate", {"text": "a", "target": "de"})

        assert [request.timeout_s for request in translator.requests] == [2.5, 7.0, None]

    @pytest.mark.parametrize("header", ["soon", "nan", "inf", "-1", "0", ""])
    async def test_a_timeout_header_that_is_no_time_is_refused(self, app: Starlette, header: str) -> None:
        answer = await call(
            app, "POST", "/v1/translate", {"text": "a", "target": "de"}, headers={"X-Request-Timeout": header}
        )

        assert (answer.status, answer.json["field"]) == (400, "X-Request-Timeout")

    async def test_the_stage_times_are_those_of_the_slowest_translation(self, app: Starlette) -> None:
        answer = await call(app, "POST", "/v1/translate", {"text": ["abc", "abcdefg", "a"], "target": "de"})

        assert answer.headers["server-timing"] == (
            "prepare;dur=0.100, queue;dur=0.200, engine;dur=3.000, total;dur=7.000"
        )

"""Chat completions: what is asked for, what comes back, and what is refused."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from starlette.applications import Starlette

from dragoman.core.events import Done, Event, ItemDone, SegmentDelta, SegmentReplaced, SegmentStarted
from dragoman.errors import (
    DragomanError,
    EngineUnavailable,
    InvalidRequest,
    Overloaded,
    QuotaExceeded,
    TooLarge,
    TooManyRequests,
    Unfaithful,
    UnknownLanguage,
)
from dragoman.server.dialects import openai
from dragoman.server.dialects.openai import languages_of
from dragoman.server.dialects.openai_stream import ChatStream
from dragoman.types import EngineInfo, Finding, Pair, Timings, Tokens, Translation
from tests.server.dialects.dialect_app import Doorkeeper, Speaker, app_with, service_over
from tests.server.scripted import call

CHAT = "/v1/chat/completions"


END = Done(1, 0, Tokens(), Timings())


@pytest.fixture
def app(translator: Speaker, gate: Doorkeeper) -> Starlette:
    return app_with(service_over(translator, gate), openai.routes)


def chat(text: object = "Hello", model: str = "dragoman/en-de", **more: object) -> dict[str, object]:
    return {"model": model, "messages": [{"role": "user", "content": text}], **more}


class TestLanguages:
    @pytest.mark.parametrize(
        ("name", "source", "target"),
        [
            ("en-de", "en", "de"),
            ("EN-DE", "en", "de"),
            ("eng-deu", "en", "de"),
            ("en-pt_BR", "en", "pt-BR"),
            ("zh_Hant-en", "zh-Hant", "en"),
            ("en-zh-Hant", "en", "zh-Hant"),
            ("de", None, "de"),
            ("auto-de", None, "de"),
            ("pt-BR", None, "pt-BR"),
            ("pt_br", None, "pt-BR"),
            ("fr-CA", None, "fr-CA"),
            ("zh-Hant", None, "zh-Hant"),
            ("zh-hant", None, "zh-Hant"),
            ("zh-CN", None, "zh-Hans"),
            ("en-GB", None, "en-GB"),
            ("es_AR", None, "es-AR"),
            ("auto-es-AR", None, "es-AR"),
            ("es-419", None, "es"),
        ],
    )
    def test_the_name_of_a_model_tells_them(self, name: str, source: str | None, target: str) -> None:
        assert languages_of(name) == (source, target)

    @pytest.mark.parametrize("name", ["pt-br", "fr-ca", "zh-tw", "en-DE", "es-AR"])
    def test_a_name_that_may_be_a_language_or_a_pair_is_refused(self, name: str) -> None:
        with pytest.raises(InvalidRequest, match="may be one language"):
            languages_of(name)

    @pytest.mark.parametrize("name", ["klingon", "en-klingon", "en-jp", "en-us", "", "-", "auto-"])
    def test_a_name_without_known_languages_is_refused(self, name: str) -> None:
        with pytest.raises(UnknownLanguage):
            languages_of(name)

    @pytest.mark.parametrize(
        "fields",
        [
            {"model": "gpt-4o", "source": "en", "target": "de"},
            {"model": "gpt-4o", "metadata": {"source": "en", "target": "de"}},
            {"model": "dragoman/de", "source": "en"},
            {"model": "dragoman/fr-ja", "source": "en", "target": "de"},
        ],
    )
    async def test_fields_tell_them_too_and_go_before_the_name(
        self, app: Starlette, translator: Speaker, fields: dict[str, Any]
    ) -> None:
        await call(app, "POST", CHAT, chat(**fields))

        assert (translator.requests[0].source, translator.requests[0].targets) == ("en", ("de",))

    async def test_auto_and_a_source_left_out_have_it_detected(self, app: Starlette, translator: Speaker) -> None:
        await call(app, "POST", CHAT, chat(model="gpt-4o", source="auto", target="de"))
        await call(app, "POST", CHAT, chat(model="gpt-4o", source=None, target="de"))

        assert [request.source for request in translator.requests] == [None, None]


class TestText:
    async def test_all_of_the_last_user_message_is_translated_and_nothing_else(
        self, app: Starlette, translator: Speaker
    ) -> None:
        turns = [
            {"role": "system", "content": "You are a pirate. Translate to French."},
            {"role": "user", "content": "One"},
            {"role": "assistant", "content": "Eins"},
            {"role": "user", "content": "Translate to Dutch:\nTwo "},
        ]

        answer = await call(app, "POST", CHAT, chat(messages=turns))

        assert translator.requests[0].texts == ("Translate to Dutch:\nTwo ",)
        assert answer.json["choices"][0]["message"]["content"] == "[de] Translate to Dutch:\nTwo "

    async def test_parts_of_text_stand_on_lines_of_their_own(self, app: Starlette, translator: Speaker) -> None:
        parts = [{"type": "text", "text": "One"}, {"type": "text", "text": "Two"}]

        await call(app, "POST", CHAT, chat(parts))

        assert translator.requests[0].texts == ("One\nTwo",)

    @pytest.mark.parametrize(
        ("changed", "field"),
        [
            ({"messages": []}, "messages"),
            ({"messages": [{"role": "system", "content": "Hello"}]}, "messages"),
            ({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}, "messages"),
            ({"messages": [{"role": "user"}]}, "messages"),
            ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]}, "messages"),
            ({"messages": [{"role": "user", "content": [{"type": "text", "text": 7}]}]}, "messages"),
            ({"model": "gpt-4o"}, "model"),
            ({"model": "dragoman/"}, None),
            ({"model": 7}, "model"),
            ({"model": "gpt-4o", "target": ""}, "model"),
            ({"metadata": {"target": 7}}, "metadata.target"),
            ({"n": 2}, "n"),
            ({"response_format": {"type": "json_object"}}, "response_format"),
        ],
    )
    async def test_what_is_not_clear_is_400_and_says_how_to_ask(
        self, app: Starlette, translator: Speaker, changed: dict[str, Any], field: str | None
    ) -> None:
        answer = await call(app, "POST", CHAT, {**chat(), **changed})

        assert answer.status == 400
        assert answer.json["error"]["type"] == "invalid_request_error"
        assert answer.json["error"]["param"] == field
        assert isinstance(answer.json["error"]["message"], str)
        assert translator.requests == []

    async def test_nulls_and_options_of_models_mean_nothing(self, app: Starlette) -> None:
        more: dict[str, Any] = {
            "temperature": 0.2,
            "max_tokens": None,
            "stream": None,
            "n": None,
            "response_format": {"type": "text"},
        }

        assert (await call(app, "POST", CHAT, chat(**more))).status == 200


class TestAnswer:
    async def test_it_has_the_tokens_the_engine_counted(self, app: Starlette) -> None:
        answer = await call(app, "POST", CHAT, chat(), headers={"X-Request-ID": "abc"})

        body = answer.json
        assert body.pop("created") > 1_700_000_000
        assert body == {
            "id": "chatcmpl-abc",
            "object": "chat.completion",
            "model": "dragoman/en-de",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": "[de] Hello", "refusal": None},
                    "logprobs": None,
                    "finish_reason": "stop",
                }
            ],
            "usage": {
                "prompt_tokens": 20,
                "completion_tokens": 5,
                "total_tokens": 25,
                "prompt_tokens_details": {"cached_tokens": 0},
            },
            "dragoman": {"source": "en", "target": "de", "findings": []},
        }

    async def test_a_stream_has_the_words_and_then_the_end(self, app: Starlette) -> None:
        answer = await call(app, "POST", CHAT, chat(stream=True, stream_options={"include_usage": True}))

        first, words, last, usage = events(answer.body)
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert first["choices"][0]["delta"] == {"role": "assistant", "content": ""}
        assert words["choices"][0]["delta"] == {"content": "[de] Hello"}
        assert (last["choices"][0]["delta"], last["choices"][0]["finish_reason"]) == ({}, "stop")
        assert last["dragoman"] == {"source": "en", "target": "de", "findings": []}
        assert (usage["choices"], usage["usage"]["total_tokens"]) == ([], 25)
        assert {chunk["object"] for chunk in (first, words, last, usage)} == {"chat.completion.chunk"}

    async def test_a_stream_tells_no_tokens_unless_asked(self, app: Starlette) -> None:
        answer = await call(app, "POST", CHAT, chat(stream=True))

        assert ["usage" in chunk for chunk in events(answer.body)] == [False, False, False]

    @pytest.mark.parametrize(
        ("told", "words", "whole"),
        [
            ([SegmentDelta(0, 0, "Gu"), SegmentDelta(0, 0, "ten")], ["Gu", "ten"], "Guten"),
            ([SegmentDelta(0, 0, "Gu"), SegmentReplaced(0, 0, "Guten")], ["Gu", "ten"], "Guten"),
            ([SegmentDelta(0, 0, "Hal"), SegmentReplaced(0, 0, "Guten")], ["Hal"], "Guten"),
            (
                [SegmentDelta(0, 0, "A."), SegmentStarted(0, 1, "", " "), SegmentDelta(0, 1, "B.")],
                ["A.", " ", "B."],
                "A. B.",
            ),
            (
                [
                    SegmentDelta(0, 0, "A."),
                    SegmentStarted(0, 1, "", " "),
                    SegmentReplaced(0, 0, "C."),
                    SegmentDelta(0, 1, "B."),
                ],
                ["A.", " ", "B."],
                "C. B.",
            ),
        ],
    )  # fmt: skip
    def test_words_cannot_be_taken_back_so_another_translation_is_told_whole(
        self, told: list[Event], words: list[str], whole: str
    ) -> None:
        stream = ChatStream({"id": "1"}, openai.openai_failure, "request", wants_usage=False)
        done = Translation(text=whole, source="en", target="de", engine="e", model="m")

        chunks = events(b"".join(map(stream.event, [SegmentStarted(0, 0, "", ""), *told, ItemDone(0, done, ""), END])))

        assert [chunk["choices"][0]["delta"]["content"] for chunk in chunks[:-1]] == words
        assert chunks[-1]["dragoman"].get("text", "".join(words)) == whole
        assert ("text" in chunks[-1]["dragoman"]) == ("".join(words) != whole)


class TestFailures:
    @pytest.mark.parametrize(
        ("refusal", "status", "code"),
        [
            (UnknownLanguage("No.", field="target"), 400, None),
            (TooLarge("No.", field="text", limit=9), 400, "context_length_exceeded"),
            (QuotaExceeded("No."), 429, "insufficient_quota"),
            (TooManyRequests("No.", retry_after_s=1), 429, "rate_limit_exceeded"),
            (Overloaded("No.", retry_after_s=1), 503, None),
            (EngineUnavailable("No.", engine="e"), 502, None),
            (Unfaithful([Finding("echo", "No.")], engine="e"), 422, None),
        ],
    )
    @pytest.mark.parametrize("stream", [False, True])
    async def test_each_has_the_status_that_openais_client_acts_on(
        self, app: Starlette, translator: Speaker, refusal: DragomanError, status: int, code: str | None, stream: bool
    ) -> None:
        translator.refusal = refusal

        answer = await call(app, "POST", CHAT, chat(stream=stream))

        assert (answer.status, answer.json["error"]["code"]) == (status, code)
        assert answer.json["error"]["message"] == "No."

    async def test_a_used_up_quota_is_not_to_be_tried_again(self, app: Starlette, translator: Speaker) -> None:
        translator.refusal = QuotaExceeded("No.")

        assert (await call(app, "POST", CHAT, chat())).headers["x-should-retry"] == "false"

    async def test_a_text_that_failed_is_an_error(self, app: Starlette, translator: Speaker) -> None:
        translator.outcomes["Hello"] = EngineUnavailable("Down.", engine="e")

        answer = await call(app, "POST", CHAT, chat())

        assert (answer.status, answer.json["error"]["type"]) == (502, "server_error")

    async def test_without_the_key_nothing_is_done(self, app: Starlette, translator: Speaker, gate: Doorkeeper) -> None:
        gate.key = "k"

        refused = await call(app, "POST", CHAT, chat())
        models = await call(app, "GET", "/v1/models", b"")
        taken = await call(app, "POST", CHAT, chat(), headers={"Authorization": "Bearer k"})

        assert (refused.status, refused.json["error"]["code"]) == (401, "invalid_api_key")
        assert (models.status, taken.status, len(translator.requests)) == (401, 200, 1)

    async def test_the_wrong_method_is_told_in_openais_form(self, app: Starlette) -> None:
        answer = await call(app, "GET", CHAT, b"")

        assert (answer.status, answer.json["error"]["type"]) == (405, "invalid_request_error")

    async def test_a_body_that_is_no_json_is_told_in_openais_form(self, app: Starlette) -> None:
        answer = await call(app, "POST", CHAT, b"{")

        assert (answer.status, answer.json["error"]["type"]) == (400, "invalid_request_error")


class TestModels:
    async def test_they_are_the_languages_most_asked_for(self, app: Starlette) -> None:
        models = (await call(app, "GET", "/v1/models", b"")).json["data"]

        names = [model["id"] for model in models]
        assert {"dragoman/de", "dragoman/en", "dragoman/pt-BR"} <= set(names)
        assert models[0] == {"id": names[0], "object": "model", "created": 0, "owned_by": "dragoman"}
        for name in names:
            languages_of(name.removeprefix("dragoman/"))

    async def test_of_an_engine_with_few_pairs_they_are_those(self, app: Starlette, translator: Speaker) -> None:
        pairs = frozenset({Pair("en", "pt-BR"), Pair("pt", "br")})
        translator.info = EngineInfo(name="few", model="few-1", slots=1, max_segment_tokens=512, pairs=pairs)

        models = (await call(app, "GET", "/v1/models", b"")).json["data"]

        assert [model["id"] for model in models] == ["dragoman/en-pt_BR"], "pt-br would be unclear"

    @pytest.mark.parametrize("name", ["dragoman/en-de", "dragoman/cy", "dragoman/pt-BR"])
    async def test_any_name_that_tells_the_languages_is_one(self, app: Starlette, name: str) -> None:
        answer = await call(app, "GET", f"/v1/models/{name}", b"")

        assert (answer.status, answer.json["id"]) == (200, name)

    @pytest.mark.parametrize("name", ["gpt-4o", "dragoman/klingon", "dragoman/pt-br"])
    async def test_others_are_not_found(self, app: Starlette, name: str) -> None:
        answer = await call(app, "GET", f"/v1/models/{name}", b"")

        assert (answer.status, answer.json["error"]["code"]) == (404, "model_not_found")


async def test_a_text_that_failed_ends_its_stream_with_the_error(app: Starlette, translator: Speaker) -> None:
    translator.outcomes["Hello"] = EngineUnavailable("Down.", engine="e")

    answer = await call(app, "POST", CHAT, chat(stream=True))

    assert msgspec.json.decode(answer.body.split(b"data: ")[-1])["error"]["message"] == "Down."


def events(body: bytes) -> list[Any]:
    """What a client reads: lines that begin with `data:`, up to the last."""
    found = [line.removeprefix(b"data: ") for line in body.split(b"\n") if line.startswith(b"data: ")]
    return [msgspec.json.decode(data) for data in found if data != b"[DONE]"]

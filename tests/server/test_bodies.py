"""What happens to bodies that cannot be read. Nothing of it may end in a traceback."""

from __future__ import annotations

import logging

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette

from dragoman.server.schemas import NativeRequest
from tests.server.scripted import Answer, ScriptedTranslator, app_over, call

ROUTES = ["/translate", "/batch-translate", "/v1/translate"]


async def native(app: Starlette, body: object, **headers: str) -> Answer:
    return await call(app, "POST", "/v1/translate", body, headers={k.replace("_", "-"): v for k, v in headers.items()})


async def test_an_unknown_field_is_named_with_those_that_are_known(app: Starlette) -> None:
    answer = await native(app, {"text": "a", "target": "de", "targt": "fr"})

    assert answer.status == 400
    assert answer.headers["content-type"] == "application/problem+json"
    known = list(NativeRequest.__struct_fields__)
    assert answer.json == {
        "type": "/docs#invalid-request",
        "title": "The request cannot be understood",
        "status": 400,
        "detail": f"Unknown field 'targt'; known are: {', '.join(known)}.",
        "field": "targt",
        "accepted": known,
    }
    assert known[:4] == ["text", "target", "source", "format"]


@pytest.mark.parametrize(
    ("body", "field", "detail"),
    [
        ({"text": "a"}, "target", "The field 'target' is missing."),
        ({"text": 1, "target": "de"}, "text", "'text' does not fit: expected `str | array`, got `int`."),
        ({"text": ["a", 1], "target": "de"}, "text[1]", "'text[1]' does not fit: expected `str`, got `int`."),
        ({"text": [], "target": "de"}, "text", "'text' does not fit: expected `array` of length >= 1."),
        ({"text": "a", "target": []}, "target", "'target' does not fit: expected `array` of length >= 1."),
        ({"text": "a", "target": "de", "timeout": 0}, "timeout", "'timeout' does not fit: expected `float` > 0.0."),
        ([1], None, "The body does not fit: expected `object`, got `array`."),
    ],
)
async def test_a_body_that_does_not_fit_names_the_field(
    app: Starlette, body: object, field: str | None, detail: str
) -> None:
    answer = await native(app, body)

    assert (answer.status, answer.json.get("field"), answer.json["detail"]) == (400, field, detail)


async def test_an_unknown_format_is_answered_with_those_accepted(app: Starlette) -> None:
    answer = await native(app, {"text": "a", "target": "de", "format": "docx"})

    formats = ["html", "markdown", "text", "xml"]
    assert (answer.status, answer.json["field"], sorted(answer.json["accepted"])) == (400, "format", formats)


HOSTILE = {
    "nothing": b"",
    "cut off": b'{"text":"a"',
    "no JSON": b"text=a&target=de",
    "two values": b'{"text":"a","target":"de"}{}',
    "byte order mark": b'\xef\xbb\xbf{"text":"a","target":"de"}',
    "no UTF-8": b'{"text":"\xff","texts":["\xff"],"target":"de"}',
    "surrogate in UTF-8": b'{"text":"\xed\xa0\x80","texts":["\xed\xa0\x80"],"target":"de"}',
    "lone surrogate": b'{"text":"\\ud800","texts":["\\ud800"],"target":"de"}',
    "surrogates swapped": b'{"text":"\\udc00\\ud800","texts":["\\udc00\\ud800"],"target":"de"}',
    "not a number": b'{"text":"a","texts":["a"],"target":"de","timeout":NaN}',
    "beyond floats": b'{"text":1e999,"texts":[1e999],"target":"de","timeout":1e999}',
    "deep nesting": b'{"text":' + b"[" * 100_000,
    "deep nesting in a field not known": b'{"x":' + b"[" * 100_000,
    "deep nesting in an item": b'{"texts":[' + b"[" * 100_000,
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("route", ROUTES)
async def test_hostile_bodies_are_the_callers_mistake(app: Starlette, route: str, body: bytes) -> None:
    answer = await call(app, "POST", route, body)

    assert answer.status == 400
    assert answer.json


@given(body=st.one_of(st.binary(max_size=200), st.recursive(st.none() | st.floats() | st.text(), st.lists).map(repr)))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_no_body_at_all_makes_the_server_fail(app: Starlette, body: bytes | str) -> None:
    sent = body if isinstance(body, bytes) else body.encode("utf-8", "surrogatepass")
    for route in ROUTES:
        assert (await call(app, "POST", route, sent)).status == 400


async def test_what_a_caller_wrote_is_not_echoed_at_length(app: Starlette) -> None:
    answer = await native(app, {"text": "a", "target": "de", "x" * 10_000: 1})

    assert answer.status == 400
    assert len(answer.body) < 1_000


async def test_a_missing_content_type_is_taken_for_json(app: Starlette) -> None:
    answer = await call(app, "POST", "/translate", {"text": "a"}, headers={"content-type": None})

    assert answer.status == 200


@pytest.mark.parametrize(
    "content_type", ["application/json", "Application/JSON; charset=utf-8", "application/json;charset=UTF-8"]
)
async def test_json_is_read_however_its_type_is_spelt(app: Starlette, content_type: str) -> None:
    assert (await native(app, {"text": "a", "target": "de"}, content_type=content_type)).status == 200


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "application/jsonp"])
async def test_other_types_are_refused_with_the_one_that_is_read(app: Starlette, content_type: str) -> None:
    answer = await native(app, {"text": "a", "target": "de"}, content_type=content_type)

    assert (answer.status, answer.json["field"], answer.json["accepted"]) == (
        415,
        "Content-Type",
        ["application/json"],
    )


async def test_compressed_bodies_are_refused_with_what_is_read(app: Starlette) -> None:
    answer = await native(app, b"\x1f\x8b", content_encoding="gzip")

    assert (answer.status, answer.json["field"], answer.headers["accept-encoding"]) == (
        415,
        "Content-Encoding",
        "identity",
    )


async def test_identity_is_no_encoding(app: Starlette) -> None:
    assert (await native(app, {"text": "a", "target": "de"}, content_encoding="identity")).status == 200


class TestSize:
    async def test_a_declared_length_over_the_limit_is_refused_unread(self, translator: ScriptedTranslator) -> None:
        app = app_over(translator, max_body_bytes=100)

        answer = await call(app, "POST", "/v1/translate", pieces=[], headers={"content-length": "101"})

        assert (answer.status, answer.json["limit"], answer.json["field"]) == (413, 100, "body")

    async def test_a_body_without_length_is_counted_while_it_comes(self, translator: ScriptedTranslator) -> None:
        app = app_over(translator, max_body_bytes=100)
        pieces = [b" " * 60, b" " * 60, b" " * 60]

        answer = await call(app, "POST", "/translate", pieces=pieces)

        assert (answer.status, answer.json["status"]) == (413, "error")

    async def test_a_body_of_just_the_limit_is_read(self, translator: ScriptedTranslator) -> None:
        body = msgspec.json.encode({"text": "a", "target": "de"})
        app = app_over(translator, max_body_bytes=len(body))

        pieces = [body[index : index + 1] for index in range(len(body))]

        assert (await call(app, "POST", "/v1/translate", pieces=pieces)).status == 200


async def test_nothing_of_a_body_reaches_the_log(app: Starlette, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    await native(app, {"text": "a secret", "target": "de", "secret": 1})

    assert "secret" not in caplog.text

"""What goes wrong, as callers and the log see it."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable

import msgspec
import pytest
from starlette.applications import Starlette

from dragoman import errors
from dragoman.errors import (
    ConfigurationError,
    DeadlineExceeded,
    DragomanError,
    EngineRejected,
    EngineUnavailable,
    Overloaded,
    ShuttingDown,
    TooLarge,
    UnknownLanguage,
)
from dragoman.server.problems import KINDS, Problem
from tests.server.scripted import ScriptedTranslator, call

BODIES = {
    "/translate": {"text": "private"},
    "/batch-translate": {"texts": ["private"]},
    "/v1/translate": {"text": "private", "target": "de"},
}


def test_every_error_is_in_the_table() -> None:
    raised = {error for _, error in inspect.getmembers(errors, inspect.isclass) if issubclass(error, DragomanError)}

    assert len(raised) >= 16
    assert raised - KINDS.keys() == set()


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (UnknownLanguage("No such language: 'xx'.", field="target", accepted=["de"]), 422, "unknown-language"),
        (TooLarge("Too many.", field="text", limit=9), 413, "too-large"),
        (Overloaded("Too much is waiting.", retry_after_s=0.01), 503, "overloaded"),
        (ShuttingDown(), 503, "shutting-down"),
        (DeadlineExceeded(), 504, "deadline-exceeded"),
        (EngineUnavailable("It is gone.", engine="gpu1"), 502, "engine-unavailable"),
        (type("VendorSaysNo", (EngineRejected,), {})("No.", engine="gpu1"), 502, "engine-rejected"),
    ],
)
async def test_an_error_becomes_problem_details(
    app: Starlette, translator: ScriptedTranslator, error: DragomanError, status: int, kind: str
) -> None:
    translator.refusal = error

    answer = await call(app, "POST", "/v1/translate", {"text": "a", "target": "xx"})

    assert (answer.status, answer.headers["content-type"]) == (status, "application/problem+json")
    problem = msgspec.json.decode(answer.body, type=Problem)
    assert (problem.type, problem.status, problem.detail) == (f"/docs#{kind}", status, error.message)
    for name in ("field", "limit", "accepted", "engine"):
        assert getattr(problem, name) == getattr(error, name, () if name == "accepted" else None)


async def test_busy_and_stopping_servers_say_when_to_come_back(app: Starlette, translator: ScriptedTranslator) -> None:
    waits = []
    for error in (Overloaded("Busy.", retry_after_s=0.01), Overloaded("Busy.", retry_after_s=3.2), ShuttingDown()):
        translator.refusal = error
        waits.append(int((await call(app, "POST", "/translate", {"text": "a"})).headers["retry-after"]))

    assert waits == [1, 4, 5]


def message_of(route: str, body: dict[str, str]) -> str:
    return body["detail" if route.startswith("/v1") else "message"]


class TestUnexpected:
    @pytest.mark.parametrize("route", BODIES)
    async def test_it_is_answered_with_the_request_id_and_logged_without_text(
        self, app: Starlette, translator: ScriptedTranslator, caplog: pytest.LogCaptureFixture, route: str
    ) -> None:
        caplog.set_level(logging.DEBUG)
        translator.refusal = ValueError("cannot handle 'private'")

        answer = await call(app, "POST", route, BODIES[route], headers={"X-Request-ID": "order-66"})

        assert answer.status == 500
        assert "order-66" in message_of(route, answer.json)
        assert b"private" not in answer.body
        assert "order-66" in caplog.text
        assert "ValueError" in caplog.text
        assert "scripted.py" in caplog.text
        assert "cannot handle" not in caplog.text

    async def test_an_operators_mistake_is_for_the_log_only(
        self, app: Starlette, translator: ScriptedTranslator, caplog: pytest.LogCaptureFixture
    ) -> None:
        translator.refusal = ConfigurationError("No model at the configured place.")

        answer = await call(app, "POST", "/v1/translate", BODIES["/v1/translate"])

        assert answer.status == 500
        assert b"No model" not in answer.body
        assert "No model at the configured place." in caplog.text


class TestFramework:
    async def test_an_unknown_path_is_a_problem(self, app: Starlette) -> None:
        for path in ("/nowhere", "/translate/", "/static/../app.py"):
            answer = await call(app, "GET", path)

            assert (answer.status, answer.headers["content-type"]) == (404, "application/problem+json")
            assert (answer.json["type"], answer.json["title"]) == ("about:blank", "Not Found")

    @pytest.mark.parametrize(
        ("route", "shape"),
        [
            ("/v1/translate", lambda body: body["type"] == "about:blank" and body["accepted"] == ["POST"]),
            ("/translate", lambda body: body["status"] == "error" and "POST" in body["message"]),
            ("/batch-translate", lambda body: body["status"] == "error"),
        ],
    )
    async def test_a_wrong_method_keeps_the_shape_of_the_route(
        self, app: Starlette, route: str, shape: Callable[[dict[str, object]], bool]
    ) -> None:
        answer = await call(app, "GET", route)

        assert (answer.status, answer.headers["allow"]) == (405, "POST")
        assert shape(answer.json)


class TestRequestId:
    async def test_a_sane_id_comes_back(self, app: Starlette) -> None:
        answer = await call(app, "GET", "/nowhere", headers={"X-Request-ID": "a1-B2_c3.d4:e5"})

        assert answer.headers["x-request-id"] == "a1-B2_c3.d4:e5"

    @pytest.mark.parametrize("insane", ["", "two words", "x" * 129, "a\x7f", "<script>"])
    async def test_anything_else_is_replaced(self, app: Starlette, insane: str) -> None:
        first = await call(app, "GET", "/health", headers={"X-Request-ID": insane})
        second = await call(app, "GET", "/health", headers={"X-Request-ID": insane})

        assert len(first.headers["x-request-id"]) == 32
        assert first.headers["x-request-id"] != second.headers["x-request-id"]

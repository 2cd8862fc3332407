"""Which pages' scripts may use which routes, as a browser finds out."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette

from tests.server.scripted import Answer, ScriptedTranslator, app_over, call

PAGE = "https://page.example"
FOR_ALL = ["/translate", "/languages", "/language/translate/v2", "/language/translate/v2/detect"]
OWN = ["/v1/translate", "/v1/languages", "/v1/glossaries", "/nowhere"]


@pytest.fixture
def trusting() -> Starlette:
    return app_over(ScriptedTranslator(), cors_origins=f"{PAGE} https://other.example")


async def preflight(app: Starlette, path: str, origin: str = PAGE) -> Answer:
    headers = {"Origin": origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-api-key"}
    return await call(app, "OPTIONS", path, headers=headers)


@pytest.mark.parametrize("path", FOR_ALL)
async def test_every_page_may_use_what_other_services_open_to_every_page(app: Starlette, path: str) -> None:
    asked = await preflight(app, path)
    answered = await call(app, "POST", path, {}, headers={"Origin": PAGE})

    assert (asked.status, asked.headers["access-control-allow-origin"]) == (200, "*")
    assert asked.headers["access-control-allow-headers"] == "x-api-key"
    assert "POST" in asked.headers["access-control-allow-methods"]
    assert answered.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in answered.headers


@pytest.mark.parametrize("path", OWN)
async def test_no_page_may_use_our_own_routes_where_none_is_named(app: Starlette, path: str) -> None:
    asked = await preflight(app, path)
    answered = await call(app, "GET", path, headers={"Origin": PAGE})

    assert asked.status in (404, 405)
    for answer in (asked, answered):
        assert "access-control-allow-origin" not in answer.headers


async def test_a_page_that_is_named_may_use_them_and_another_may_not(trusting: Starlette) -> None:
    asked = await preflight(trusting, "/v1/translate")
    refused = await preflight(trusting, "/v1/translate", "https://evil.example")
    answered = await call(trusting, "GET", "/v1/languages", headers={"Origin": PAGE})
    unread = await call(trusting, "GET", "/v1/languages", headers={"Origin": "https://evil.example"})

    assert (asked.status, asked.headers["access-control-allow-origin"]) == (200, PAGE)
    assert (refused.status, "access-control-allow-origin" in refused.headers) == (400, False)
    assert answered.headers["access-control-allow-origin"] == PAGE
    assert "X-Request-ID" in answered.headers["access-control-expose-headers"]
    assert "access-control-allow-origin" not in unread.headers


async def test_an_error_can_be_read_too(trusting: Starlette) -> None:
    answer = await call(trusting, "POST", "/v1/translate", b"no JSON", headers={"Origin": PAGE})

    assert (answer.status, answer.headers["access-control-allow-origin"]) == (400, PAGE)


async def test_a_star_lets_every_page_in() -> None:
    app = app_over(ScriptedTranslator(), cors_origins="*")

    assert (await preflight(app, "/v1/translate")).headers["access-control-allow-origin"] == "*"


async def test_who_is_no_page_is_told_nothing_of_it(trusting: Starlette) -> None:
    answer = await call(trusting, "GET", "/v1/languages")

    assert not [name for name in answer.headers if name.startswith("access-control")]

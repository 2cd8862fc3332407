"""Everything that is only read: languages, health, documentation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from dragoman.languages import all_languages
from dragoman.server.app import DIALECTS
from dragoman.types import Readiness
from tests.server.scripted import ScriptedTranslator, call, service_over


class TestLanguages:
    async def test_all_are_listed_and_the_evaluated_ones_marked(self, app: Starlette) -> None:
        answer = await call(app, "GET", "/v1/languages")

        listed = {language["code"]: language for language in answer.json["languages"]}
        assert len(listed) == len(all_languages())
        assert listed["de"]["name"] == "German"
        assert {code for code, language in listed.items() if language["evaluated"]} == {
            language.code for language in all_languages() if language.evaluated
        }

    async def test_a_caller_who_has_them_gets_no_body(self, app: Starlette) -> None:
        tag = (await call(app, "GET", "/v1/languages")).headers["etag"]

        for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
            answer = await call(app, "GET", "/v1/languages", headers={"If-None-Match": known})
            assert (answer.status, answer.body, answer.headers["etag"]) == (304, b"", tag)

    async def test_a_caller_who_has_others_gets_these(self, app: Starlette) -> None:
        answer = await call(app, "GET", "/v1/languages", headers={"If-None-Match": '"other"'})

        assert answer.status == 200


class TestHealth:
    async def test_a_live_process_says_so(self, app: Starlette) -> None:
        answer = await call(app, "GET", "/health")

        assert (answer.status, answer.json) == (200, {"status": "ok"})

    async def test_it_is_not_ready_until_the_engine_answered(
        self, app: Starlette, translator: ScriptedTranslator
    ) -> None:
        translator.readiness = Readiness(False, "The engine has not answered yet.")
        before = await call(app, "GET", "/ready")
        translator.readiness = Readiness(True)
        after = await call(app, "GET", "/ready")

        assert (before.status, before.json) == (503, {"ready": False, "reason": "The engine has not answered yet."})
        assert (after.status, after.json["ready"]) == (200, True)


class TestDocumentation:
    async def test_the_root_points_to_it(self, app: Starlette) -> None:
        assert (await call(app, "GET", "/")).json["docs"] == "/docs"

    async def test_a_browser_gets_the_page_at_the_root(self, app: Starlette) -> None:
        page = await call(app, "GET", "/", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})

        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert page.headers["vary"] == "Accept"
        assert "default-src 'none'" in page.headers["content-security-policy"]

    async def test_all_that_the_page_names_is_there_and_nothing_is_of_another_host(self, app: Starlette) -> None:
        page = await call(app, "GET", "/", headers={"Accept": "text/html"})
        named = re.findall(rb'(?:href|src)="(/static/[^"]+)"', page.body)

        assert b"/static/page/app.js" in named
        for path in named:
            file = await call(app, "GET", path.decode())
            assert (file.status, re.findall(rb"https?://(?!www.w3.org/2000/svg)", file.body)) == (200, []), path

    @pytest.mark.parametrize("path", ["nothing.js", "docs.html", "../app.py", "page/%2e%2e/%2e%2e/app.py"])
    async def test_no_other_file_is_served(self, app: Starlette, path: str) -> None:
        assert (await call(app, "GET", f"/static/{path}")).status == 404

    async def test_the_page_needs_no_other_host(self, app: Starlette) -> None:
        page = await call(app, "GET", "/docs")

        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert "default-src 'none'" in page.headers["content-security-policy"]
        for path in ("/docs", "/static/docs.js", "/static/docs.css"):
            assert re.findall(rb"https?:|//\w", (await call(app, "GET", path)).body) == []

    @pytest.mark.parametrize(("file", "media_type"), [("docs.js", "text/javascript"), ("docs.css", "text/css")])
    async def test_what_the_page_loads_is_there(self, app: Starlette, file: str, media_type: str) -> None:
        page = await call(app, "GET", "/docs")
        answer = await call(app, "GET", f"/static/{file}")

        assert f"/static/{file}".encode() in page.body
        assert (answer.status, answer.headers["content-type"]) == (200, f"{media_type}; charset=utf-8")

    async def test_no_browser_is_to_guess_what_an_answer_is(self, app: Starlette) -> None:
        for path in ("/health", "/docs", "/nowhere"):
            assert (await call(app, "GET", path)).headers["x-content-type-options"] == "nosniff"


class TestOpenAPI:
    async def test_every_reference_leads_somewhere(self, app: Starlette) -> None:
        document = (await call(app, "GET", "/openapi.json")).json
        references = list(_references(document))

        assert document["openapi"] == "3.1.0"
        assert "#/components/schemas/NativeRequest" in references
        for reference in references:
            assert reference.rpartition("/")[2] in document["components"]["schemas"], reference

    async def test_it_holds_every_route_but_the_pages(self, app: Starlette) -> None:
        document = (await call(app, "GET", "/openapi.json")).json
        dialects = {route.path for dialect in DIALECTS for route in dialect.routes(service_over(ScriptedTranslator()))}

        own = {route.path for route in app.routes if isinstance(route, Route)}  # OpenAPI has no WebSockets
        assert own - document["paths"].keys() - dialects == {
            "/",
            "/chat",
            "/docs",
            "/openapi.json",
            "/static/{path:path}",
        }

    async def test_its_examples_work(self, app: Starlette) -> None:
        document = (await call(app, "GET", "/openapi.json")).json
        for path, methods in document["paths"].items():
            if path.startswith("/v1/glossaries"):  # there is nowhere to keep them here
                continue
            for method, operation in methods.items():
                body = operation.get("requestBody", {"content": {"application/json": {"example": None}}})
                example = body["content"]["application/json"]["example"]
                assert (await call(app, method.upper(), path, example)).status == 200, path

    async def test_every_status_of_the_table_of_problems_is_documented(self, app: Starlette) -> None:
        document = (await call(app, "GET", "/openapi.json")).json

        documented = document["paths"]["/v1/translate"]["post"]["responses"].keys()
        of_documents_and_jobs = {"409", "410", "501", "507"}
        assert {str(kind["status"]) for kind in document["x-problem-types"]} - of_documents_and_jobs <= documented


def _references(node: Any) -> Iterator[str]:  # noqa: ANN401 - any part of a JSON document
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                yield value
            else:
                yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)

"""`/v1/glossaries`: kept, shown, changed and deleted over HTTP."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette

from dragoman.errors import InvalidRequest, UnknownLanguage
from dragoman.memory.glossaries import Glossaries
from dragoman.server.app import create_app
from dragoman.server.glossaries import pair_of
from dragoman.types import Pair
from tests.server.scripted import ScriptedTranslator, call, service_over

BIKES = {
    "name": "bikes",
    "dictionaries": [{"source": "EN", "target": "de", "entries": {"hub": "Nabe", "rim": "Felge"}}],
}
Paths = dict[str, dict[str, dict[str, Any]]]
TSV, CSV = "text/tab-separated-values", "text/csv"


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[Starlette]:
    async with Glossaries(tmp_path / "glossaries.sqlite3") as glossaries:
        yield create_app(service_over(ScriptedTranslator(), glossaries=glossaries, max_body_bytes=10_000))


@pytest.fixture
async def bikes(app: Starlette) -> str:
    """The path of a glossary with two terms."""
    made = await call(app, "POST", "/v1/glossaries", BIKES)
    assert made.status == 201
    return made.headers["location"]


async def test_what_was_kept_is_listed_and_shown(app: Starlette, bikes: str) -> None:
    shown = await call(app, "GET", bikes)
    listed = await call(app, "GET", "/v1/glossaries")

    assert shown.status == listed.status == 200
    assert listed.json == {"glossaries": [shown.json]}
    assert shown.json["name"] == "bikes"
    assert bikes == f"/v1/glossaries/{shown.json['id']}"
    assert shown.json["dictionaries"] == [{"source": "en", "target": "de", "entry_count": 2}]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", shown.json["created_at"])


async def test_a_patch_renames_and_adds(app: Starlette, bikes: str) -> None:
    added = [
        {"source": "en", "target": "de", "entries": {"hub": "Radnabe"}},
        {"source": "en", "target": "fr", "entries": {"hub": "moyeu"}},
    ]

    changed = await call(app, "PATCH", bikes, {"name": "parts", "dictionaries": added})

    assert (changed.status, changed.json["name"]) == (200, "parts")
    assert (await call(app, "GET", f"{bikes}/en-de")).json["entries"] == {"hub": "Radnabe", "rim": "Felge"}
    assert (await call(app, "GET", "/v1/glossaries/parts/en-fr")).json["entries"] == {"hub": "moyeu"}


@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        ("application/json", b'{"entries": {"fork": "Gabel"}}'),
        (TSV, b"fork\tGabel\n"),
        (f"{CSV}; charset=utf-8", b"fork,Gabel\r\n"),
        (CSV, b"fr,de,en\nfourche,Gabel,fork\n"),
    ],
)
async def test_the_terms_of_a_pair_are_replaced(app: Starlette, bikes: str, media_type: str, body: bytes) -> None:
    put = await call(app, "PUT", f"{bikes}/en-de", body, headers={"content-type": media_type})

    assert (put.status, put.json) == (200, {"source": "en", "target": "de", "entry_count": 1})
    assert (await call(app, "GET", f"{bikes}/en-de")).json == {
        "source": "en",
        "target": "de",
        "entries": {"fork": "Gabel"},
    }


@pytest.mark.parametrize(("accept", "body"), [(TSV, b"hub\tNabe\nrim\tFelge\n"), (CSV, b"hub,Nabe\r\nrim,Felge\r\n")])
async def test_terms_are_shown_as_a_table_to_who_asks_for_one(
    app: Starlette, bikes: str, accept: str, body: bytes
) -> None:
    shown = await call(app, "GET", f"{bikes}/en-de", headers={"accept": accept})

    assert (shown.body, shown.headers["content-type"]) == (body, f"{accept}; charset=utf-8")


async def test_a_pair_and_a_glossary_are_deleted(app: Starlette, bikes: str) -> None:
    for path in (f"{bikes}/en-de", bikes):
        deleted = await call(app, "DELETE", path)
        assert (deleted.status, deleted.body) == (204, b"")
        assert (await call(app, "GET", path)).status == 404
        assert (await call(app, "DELETE", path)).status == 404


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "words"),
    [
        ("GET", "/v1/glossaries/none", None, 404, "no glossary 'none'"),
        ("GET", "/v1/glossaries/bikes/de-en", None, 404, "no terms for de->en"),
        ("GET", "/v1/glossaries/bikes/en", None, 400, "reads like en-de"),
        ("GET", "/v1/glossaries/bikes/en-qq", None, 422, "Unknown language"),
        ("PUT", "/v1/glossaries/bikes/en-de", {"entries": {"hub": " "}}, 400, "Entry 1: the target is empty"),
        ("PUT", "/v1/glossaries/bikes/en-de", {"entries": {"hub": 1}}, 400, "entries"),
        ("PUT", "/v1/glossaries/bikes/en-de", b"x" * 10_001, 413, "10000"),
        ("PUT", "/v1/glossaries/none/en-de", {"entries": {}}, 404, "no glossary"),
        ("POST", "/v1/glossaries", {"name": ""}, 400, "name"),
        ("POST", "/v1/glossaries", {"name": "x", "entries": {}}, 400, "Unknown field 'entries'"),
        ("POST", "/v1/glossaries", {**BIKES, "dictionaries": BIKES["dictionaries"] * 2}, 400, "two dictionaries"),  # type: ignore[operator]
        ("PATCH", "/v1/glossaries/none", {}, 404, "no glossary"),
    ],
)
async def test_what_cannot_be_done_is_told(
    app: Starlette, bikes: str, method: str, path: str, body: object, status: int, words: str
) -> None:
    refused = await call(app, method, path, body)

    assert (refused.status, refused.headers["content-type"]) == (status, "application/problem+json")
    assert words in refused.json["detail"]
    assert len((await call(app, "GET", "/v1/glossaries")).json["glossaries"]) == 1


async def test_another_kind_of_body_is_told_which_would_do(app: Starlette, bikes: str) -> None:
    refused = await call(app, "PUT", f"{bikes}/en-de", b"", headers={"content-type": "application/xml"})

    assert (refused.status, refused.json["accepted"]) == (415, ["application/json", TSV, CSV])


@pytest.mark.parametrize(
    ("words", "pair"),
    [
        ("en-de", Pair("en", "de")),
        ("EN-ger", Pair("en", "de")),
        ("en-nl-BE", Pair("en", "nl-BE")),
        ("EN-DE-at", Pair("en", "de-AT")),
        ("en-pt-BR", Pair("en", "pt-BR")),
        ("pt-BR-de", Pair("pt-BR", "de")),
        ("zh-Hant-en-GB", Pair("zh-Hant", "en-GB")),
        ("en_NL-be", Pair("en-NL", "be")),
        ("en-nl_BE", Pair("en", "nl-BE")),
    ],
)
def test_a_pair_is_read_from_a_path(words: str, pair: Pair) -> None:
    assert pair_of(words) == pair


def test_a_pair_that_may_be_two_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="several ways"):
        pair_of("en-nl-be")


@pytest.mark.parametrize("words", ["", "-", "x-" * 10_000, "de", "en-" + "x" * 100_000])
def test_no_path_is_worse_than_invalid(words: str) -> None:
    with pytest.raises((InvalidRequest, UnknownLanguage)):
        pair_of(words)


class TestDocumentation:
    async def test_every_path_names_its_parameters(self, app: Starlette) -> None:
        document = (await call(app, "GET", "/openapi.json")).json

        for path, methods in document["paths"].items():
            for operation in methods.values():
                named = {one["name"] for one in operation["parameters"] if one["in"] == "path"}
                assert named == set(re.findall(r"{(\w+)}", path))

    async def test_its_examples_work_in_the_order_of_a_glossarys_life(self, app: Starlette) -> None:
        paths = (await call(app, "GET", "/openapi.json")).json["paths"]
        made = await self.said(app, paths, "POST", "/v1/glossaries", "")

        for method, path in (
            ("GET", "/v1/glossaries"),
            ("GET", "/v1/glossaries/{id}"),
            ("PATCH", "/v1/glossaries/{id}"),
            ("PUT", "/v1/glossaries/{id}/{pair}"),
            ("GET", "/v1/glossaries/{id}/{pair}"),
            ("DELETE", "/v1/glossaries/{id}/{pair}"),
            ("DELETE", "/v1/glossaries/{id}"),
        ):
            await self.said(app, paths, method, path, made)

    async def said(self, app: Starlette, paths: Paths, method: str, path: str, known: str) -> str:
        """Send an operation's example and hold the status against what is documented; the id of what was made."""
        operation = paths[path][method.lower()]
        content = operation.get("requestBody", {}).get("content", {})
        body = content.get("application/json", {}).get("example")
        answer = await call(app, method, path.format(id=known, pair="en-de"), body)
        assert str(answer.status) in operation["responses"]
        assert answer.status < 300
        return str(answer.json["id"]) if method == "POST" else known

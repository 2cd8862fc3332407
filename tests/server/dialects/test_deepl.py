"""DeepL's shapes: what its clients send is understood, and what comes back is what they read."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode

import msgspec
import pytest
from msgspec import structs
from starlette.applications import Starlette

from dragoman.errors import (
    BadOutput,
    DocumentNotReady,
    DragomanError,
    EngineUnavailable,
    Forbidden,
    Overloaded,
    QuotaExceeded,
    ShuttingDown,
    TooLarge,
    TooManyRequests,
    Unauthorized,
    UnknownDocument,
    UnknownLanguage,
    UnsupportedPair,
)
from dragoman.memory.glossaries import Glossaries
from dragoman.server.dialects import deepl
from dragoman.server.documents import Documents, DocumentStatus, Receipt, Result
from dragoman.server.gate import Caller, Usage
from dragoman.server.service import Service
from dragoman.types import Pair, TagRules, TranslateRequest, Wishes
from tests.server.dialects.dialect_app import Doorkeeper, Speaker, app_with, service_over
from tests.server.scripted import Answer, call

TSV = "text/tab-separated-values"
DOCUMENT_KEY = {"document_key": "k" * 64}
FOLLOWS = frozenset({"instructions"})


class OneDocument:
    """Documents that know of one, which is in the state `status` says."""

    max_bytes = 1_000

    def __init__(self) -> None:
        self.taken: list[tuple[bytes, str, TranslateRequest]] = []
        self.status_now = DocumentStatus(
            id="d" * 32, filename="a.txt", state="translating", characters=7, passages=2, seconds_remaining=3
        )

    async def submit(self, data: bytes, filename: str, wanted: TranslateRequest, caller: Caller) -> Receipt:
        self.taken.append((data, filename, wanted))
        return Receipt("d" * 32, "k" * 64)

    async def status(self, document_id: str, caller: Caller, *, key: str) -> DocumentStatus:
        if (document_id, key) != ("d" * 32, "k" * 64):
            raise UnknownDocument("There is no such document.")
        return self.status_now

    async def take(self, document_id: str, caller: Caller, *, key: str) -> Result:
        if (await self.status(document_id, caller, key=key)).state != "done":
            raise DocumentNotReady("It is being translated.")
        return Result("Grüß Gott.\n".encode(), "a.txt", "text/plain")


@pytest.fixture
def documents() -> OneDocument:
    return OneDocument()


@pytest.fixture
async def service(
    translator: Speaker, gate: Doorkeeper, documents: OneDocument, tmp_path: Path
) -> AsyncIterator[Service]:
    service = service_over(translator, gate, cast("Documents", documents))
    async with Glossaries(tmp_path / "glossaries.sqlite3") as service.glossaries:
        yield service


@pytest.fixture
async def app(service: Service) -> Starlette:
    return app_with(service, deepl.routes)


async def ask(
    app: Starlette,
    method: str,
    path: str,
    *,
    json: object = None,
    form: Mapping[str, str] | Sequence[tuple[str, str]] = (),
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """One request whose parameters go where they are named."""
    body = b"" if json is None else msgspec.json.encode(json)
    media_type = "application/json" if form == () else "application/x-www-form-urlencoded"
    target = f"{path}?{urlencode(query)}" if query else path
    answer = await call(
        app, method, target, urlencode(form).encode() or body, headers={"content-type": media_type, **(headers or {})}
    )
    assert answer.headers["x-trace-id"] == answer.headers["x-request-id"]
    return answer


async def sent(app: Starlette, method: str, path: str, **request: Any) -> tuple[int, Any]:  # noqa: ANN401 - as of `ask`
    """Status and JSON of an answer."""
    answer = await ask(app, method, path, **request)
    return answer.status, answer.json


async def upload(app: Starlette, fields: Mapping[str, str], filename: str | None) -> tuple[int, Any]:
    """What is answered to a multipart form, with a file if there is a name for it."""
    parts = [f'--edge\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{fields[name]}\r\n' for name in fields]
    if filename is not None:
        parts.append(f'--edge\r\nContent-Disposition: form-data; name="file"; filename="{filename}"\r\n\r\nHello.\r\n')
    body = "".join([*parts, "--edge--\r\n"]).encode()
    answer = await call(
        app, "POST", "/v2/document", body, headers={"content-type": "multipart/form-data; boundary=edge"}
    )
    return answer.status, answer.json


class TestWhatIsAskedFor:
    @pytest.mark.parametrize(
        ("name", "value", "format_", "wishes"),
        [
            ("tag_handling", "xml", "xml", Wishes()),
            ("tag_handling", "html", "html", Wishes()),
            ("split_sentences", "0", "text", Wishes(split="off")),
            ("split_sentences", "1", "text", Wishes()),
            ("split_sentences", "nonewlines", "text", Wishes(split="off")),
            ("context", "About chairs.", "text", Wishes(context="About chairs.")),
            ("outline_detection", "0", "text", Wishes(tags=TagRules(outline=False))),
            ("outline_detection", "true", "text", Wishes()),
            ("splitting_tags", "p,q", "text", Wishes(tags=TagRules(splitting=frozenset({"p", "q"})))),
            ("non_splitting_tags", "b, i", "text", Wishes(tags=TagRules(non_splitting=frozenset({"b", "i"})))),
            ("ignore_tags", "x", "text", Wishes(tags=TagRules(ignored=frozenset({"x"})))),
            ("formality", "default", "text", Wishes()),
            ("formality", "more", "text", Wishes(formality="more")),
            ("formality", "prefer_less", "text", Wishes(formality="less", formality_preferred=True)),
            ("preserve_formatting", "1", "text", Wishes()),
            ("enable_beta_languages", "1", "text", Wishes()),
            ("translation_memory_threshold", "75", "text", Wishes()),
        ],
    )
    @pytest.mark.parametrize("coding", ["json", "form", "query"])
    async def test_a_parameter_is_read_from_json_form_and_query_alike(
        self,
        app: Starlette,
        translator: Speaker,
        coding: str,
        name: str,
        value: str,
        format_: str,
        wishes: Wishes,
    ) -> None:
        translator.info = structs.replace(translator.info, can=FOLLOWS)
        parameters = {"text": "Hi.", "source_lang": "EN", "target_lang": "de", name: value}

        status, _ = await sent(app, "POST", "/v2/translate", **{coding: parameters})

        assert status == 200
        (asked,) = translator.requests
        assert asked == TranslateRequest(texts=("Hi.",), source="en", targets=("de",), format=format_, wishes=wishes)  # type: ignore[arg-type]

    async def test_lists_and_numbers_of_json_are_read_as_such(self, app: Starlette, translator: Speaker) -> None:
        body = {
            "text": ["Hi.", "Bye."],
            "target_lang": "DE",
            "split_sentences": 0,
            "tag_handling": "xml",
            "ignore_tags": ["x", "y,z"],
            "outline_detection": False,
        }

        await sent(app, "POST", "/v2/translate", json=body)

        (asked,) = translator.requests
        assert asked.texts == ("Hi.", "Bye.")
        assert asked.wishes.split == "off"
        assert asked.wishes.tags == TagRules(ignored=frozenset({"x", "y", "z"}), outline=False)

    async def test_repeated_texts_of_a_form_keep_their_order(self, app: Starlette, translator: Speaker) -> None:
        form = [("text", "b"), ("text", "a"), ("target_lang", "DE")]

        _, answer = await sent(app, "POST", "/v2/translate", form=form)

        assert [one["text"] for one in answer["translations"]] == ["[de] b", "[de] a"]

    async def test_null_and_empty_mean_absent(self, app: Starlette, translator: Speaker) -> None:
        absent = dict.fromkeys(("source_lang", "formality", "glossary_id", "tag_handling", "style_id", "context"))

        await sent(app, "POST", "/v2/translate", json={"text": ["Hi."], "target_lang": "DE", **absent})
        await sent(app, "POST", "/v2/translate", form={"text": "Hi.", "target_lang": "DE", **dict.fromkeys(absent, "")})

        plain = TranslateRequest(texts=("Hi.",), targets=("de",))
        assert translator.requests == [plain, plain]

    async def test_line_breaks_in_markup_end_no_sentence_anyway(self, app: Starlette, translator: Speaker) -> None:
        body = {"text": ["Hi."], "target_lang": "DE", "tag_handling": "html", "split_sentences": "nonewlines"}

        await sent(app, "POST", "/v2/translate", json=body)

        assert translator.requests[0].wishes.split == "sentences"

    async def test_of_a_long_context_the_end_is_taken(self, app: Starlette, translator: Speaker) -> None:
        body = {"text": ["Hi."], "target_lang": "DE", "context": "a" * 4_000 + "near"}

        await sent(app, "POST", "/v2/translate", json=body)

        assert translator.requests[0].wishes.context == "a" * 3_996 + "near"

    @pytest.mark.parametrize(
        ("wrong", "words"),
        [
            ({"text": None}, "'text' is missing"),
            ({"text": [1]}, "'text' has to be a string"),
            ({"target_lang": ""}, "'target_lang' is missing"),
            ({"target_lang": "XX"}, "Unknown language 'XX'"),
            ({"source_lang": "klingon"}, "Unknown language 'klingon'"),
            ({"split_sentences": "2"}, "one of: 1, 0, nonewlines"),
            ({"tag_handling": "pdf"}, "one of: xml, html"),
            ({"tag_handling_version": "v3"}, "v1, v2"),
            ({"formality": "formal"}, "prefer_more"),
            ({"formality": "more"}, "send 'prefer_more'"),
            ({"model_type": "best"}, "latency_optimized"),
            ({"outline_detection": "perhaps"}, "true or false"),
            ({"glossary_id": "a", "glossary_ids": ["b"]}, "not both"),
            ({"glossary_ids": list("abcdef")}, "5, not 6"),
            ({"glossary_id": "a", "source_lang": None}, "needs 'source_lang'"),
            ({"style_id": "a"}, "'style_id'"),
            ({"translation_memory_id": "a"}, "'translation_memory_id'"),
            ({"custom_instructions": ["Be brief."]}, "'custom_instructions'"),
        ],
    )
    async def test_what_cannot_be_meant_is_a_400_that_says_why(
        self, app: Starlette, translator: Speaker, wrong: dict[str, object], words: str
    ) -> None:
        body = {"text": ["Hi."], "source_lang": "EN", "target_lang": "DE", **wrong}

        status, answer = await sent(app, "POST", "/v2/translate", json=body)

        assert status == 400
        assert words in answer["message"]
        assert translator.requests == []


class TestWhatIsAnswered:
    @pytest.mark.parametrize(
        ("asked", "said"),
        [
            ({}, {}),
            ({"show_billed_characters": True}, {"billed_characters": 6}),
            ({"show_billed_characters": False}, {}),
            ({"model_type": "latency_optimized"}, {"model_type_used": "latency_optimized"}),
            ({"tag_handling": "xml"}, {"tag_handling_version": "v1"}),
            ({"tag_handling": "html", "tag_handling_version": "v2"}, {"tag_handling_version": "v2"}),
        ],
    )
    async def test_only_what_was_asked_about_is_told(
        self, app: Starlette, asked: dict[str, object], said: dict[str, object]
    ) -> None:
        body = {"text": ["Hi 🙂 ho"[:6]], "source_lang": "en-gb", "target_lang": "DE", **asked}

        _, answer = await sent(app, "POST", "/v2/translate", json=body)

        assert answer == {"translations": [{"detected_source_language": "EN", "text": "[de] Hi 🙂 h", **said}]}

    @pytest.mark.parametrize(
        ("error", "status"),
        [
            (Unauthorized("Why."), 403),
            (Forbidden("Why."), 403),
            (QuotaExceeded("Why."), 456),
            (TooManyRequests("Why.", retry_after_s=2), 429),
            (Overloaded("Why.", retry_after_s=2), 429),
            (ShuttingDown("Why."), 503),
            (TooLarge("Why."), 413),
            (UnknownLanguage("Why."), 400),
            (UnsupportedPair("Why."), 400),
        ],
    )
    async def test_a_refusal_has_deepls_status(
        self, app: Starlette, translator: Speaker, error: DragomanError, status: int
    ) -> None:
        translator.refusal = error

        answer = await sent(app, "POST", "/v2/translate", json={"text": ["Hi."], "target_lang": "DE"})

        assert answer == (status, {"message": "Why."})

    @pytest.mark.parametrize(
        ("error", "status"),
        [(BadOutput("Why.", engine="e"), 400), (EngineUnavailable("Why.", engine="e"), 502)],
    )
    async def test_one_text_that_failed_fails_the_request_for_good_or_for_now(
        self, app: Starlette, translator: Speaker, error: DragomanError, status: int
    ) -> None:
        translator.outcomes["bad"] = error

        answer = await sent(app, "POST", "/v2/translate", json={"text": ["Hi.", "bad"], "target_lang": "DE"})

        assert answer == (status, {"message": "Why."})

    @pytest.mark.parametrize(
        ("method", "path", "status"),
        [
            ("DELETE", "/v2/translate", 405),
            ("GET", "/v2/write/rephrase", 404),
            ("POST", "/v3/translation_memories", 404),
            ("PUT", "/v2/nothing", 404),
        ],
    )
    async def test_what_is_not_there_is_told_in_deepls_shape(
        self, app: Starlette, method: str, path: str, status: int
    ) -> None:
        answered, answer = await sent(app, method, path)

        assert answered == status
        assert list(answer) == ["message"]
        assert isinstance(answer["message"], str)

    async def test_a_body_of_another_kind_is_a_415(self, app: Starlette) -> None:
        status, answer = await sent(
            app, "POST", "/v2/translate", json="<a/>", headers={"content-type": "application/xml"}
        )

        assert status == 415
        assert "JSON" in answer["message"]


class TestKeys:
    @pytest.mark.parametrize(
        "request_",
        [
            {"headers": {"Authorization": "DeepL-Auth-Key secret"}},
            {"headers": {"Authorization": "deepl-auth-key  secret"}},
            {"query": {"auth_key": "secret"}},
            {"form": {"auth_key": "secret"}},
        ],
    )
    async def test_a_key_is_found_where_deepls_clients_put_it(
        self, app: Starlette, gate: Doorkeeper, request_: dict[str, Any]
    ) -> None:
        gate.key = "secret"

        status, _ = await sent(app, "POST", "/v2/usage", **request_)

        assert status == 200

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("POST", "/v2/translate"),
            ("GET", "/v2/usage"),
            ("GET", "/v2/languages"),
            ("GET", "/v3/languages"),
            ("GET", "/v3/languages/resources"),
            ("GET", "/v2/glossary-language-pairs"),
            ("GET", "/v2/glossaries"),
            ("DELETE", "/v2/glossaries/a"),
            ("GET", "/v3/glossaries"),
            ("PUT", "/v3/glossaries/a/dictionaries"),
            ("POST", "/v2/document"),
            ("POST", "/v2/document/a"),
            ("POST", "/v2/document/a/result"),
        ],
    )
    async def test_nothing_is_answered_without_one(
        self, app: Starlette, gate: Doorkeeper, method: str, path: str
    ) -> None:
        gate.key = "secret"

        assert await sent(app, method, path) == (403, {"message": "No such key."})


class TestUsageAndLanguages:
    async def test_no_limit_is_a_huge_one(self, app: Starlette, gate: Doorkeeper) -> None:
        gate.charged.append(42)

        assert await sent(app, "GET", "/v2/usage") == (
            200,
            {"character_count": 42, "character_limit": 1_000_000_000_000},
        )

    async def test_a_limit_is_told(self, app: Starlette, gate: Doorkeeper, monkeypatch: pytest.MonkeyPatch) -> None:
        async def usage(caller: Caller) -> Usage:
            return Usage(1, 0)

        monkeypatch.setattr(gate, "usage", usage)

        assert await sent(app, "GET", "/v2/usage") == (200, {"character_count": 1, "character_limit": 0})

    async def test_formality_is_told_of_targets_that_have_it(self, app: Starlette, translator: Speaker) -> None:
        translator.info = structs.replace(translator.info, can=FOLLOWS)

        _, sources = await sent(app, "GET", "/v2/languages")
        _, targets = await sent(app, "GET", "/v2/languages", form={"type": "target"})

        assert {"language": "DE", "name": "German"} in sources
        assert {"language": "DE", "name": "German", "supports_formality": True} in targets
        assert {"language": "EN-GB", "name": "English (British)", "supports_formality": False} in targets

    async def test_an_engine_of_few_pairs_lists_few_languages(self, app: Starlette, translator: Speaker) -> None:
        translator.info = structs.replace(translator.info, pairs=frozenset({Pair("en", "pt-BR"), Pair("en", "de")}))

        _, sources = await sent(app, "GET", "/v2/languages", query={"type": "source"})
        _, targets = await sent(app, "GET", "/v2/languages", query={"type": "target"})
        _, pairs = await sent(app, "GET", "/v2/glossary-language-pairs")

        assert [one["language"] for one in sources] == ["EN"]
        assert [one["language"] for one in targets] == ["DE", "PT-BR", "PT-PT"]
        assert pairs == {
            "supported_languages": [
                {"source_lang": "en", "target_lang": "de"},
                {"source_lang": "en", "target_lang": "pt"},
            ]
        }

    async def test_v3_says_what_each_language_is_good_for(self, app: Starlette, translator: Speaker) -> None:
        translator.info = structs.replace(translator.info, can=FOLLOWS)
        stable = {"status": "stable"}

        _, listed = await sent(app, "GET", "/v3/languages", query={"resource": "translate_text"})

        known = {one["lang"]: one for one in listed}
        assert known["de"] == {
            "lang": "de",
            "name": "German",
            "usable_as_source": True,
            "usable_as_target": True,
            "status": "stable",
            "features": dict.fromkeys(("formality", "tag_handling", "glossary", "auto_detection"), stable),
        }
        assert (known["en"]["usable_as_source"], known["en"]["usable_as_target"]) == (True, False)
        assert (known["en-GB"]["usable_as_source"], known["en-GB"]["usable_as_target"]) == (False, True)
        assert "formality" not in known["en-GB"]["features"]

    async def test_v3_lists_glossaries_by_language_and_nothing_for_what_is_not_offered(self, app: Starlette) -> None:
        _, of_glossaries = await sent(app, "GET", "/v3/languages", query={"resource": "glossary"})
        _, of_voice = await sent(app, "GET", "/v3/languages", query={"resource": "voice"})

        assert {one["lang"]: one["usable_as_target"] for one in of_glossaries}["en"] is True
        assert not [one for one in of_glossaries if "-" in one["lang"]]
        assert of_voice == []

    async def test_v3_names_its_resources(self, app: Starlette) -> None:
        _, resources = await sent(app, "GET", "/v3/languages/resources")
        status, answer = await sent(app, "GET", "/v3/languages")

        assert [one["name"] for one in resources] == ["translate_text", "translate_document", "glossary"]
        assert resources[0]["features"][0] == {
            "name": "formality",
            "needs_source_support": False,
            "needs_target_support": True,
        }
        assert (status, "translate_text" in answer["message"]) == (400, True)


class TestGlossaries:
    ONE = "name=bikes&source_lang=EN&target_lang=DE&entries_format=tsv&entries=hub%09Nabe%0Arim%09Felge"

    async def test_one_is_made_by_a_form_and_has_a_time_that_clients_can_read(self, app: Starlette) -> None:
        status, made = await sent(app, "POST", f"/v2/glossaries?{self.ONE}")

        assert status == 201
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", made.pop("creation_time"))
        assert re.fullmatch(r"[0-9a-f-]{36}", made.pop("glossary_id"))
        assert made == {"name": "bikes", "ready": True, "source_lang": "en", "target_lang": "de", "entry_count": 2}

    @pytest.mark.parametrize(
        ("accept", "status"), [("*/*", 200), (TSV, 200), ("text/*;q=0.5", 200), ("application/json", 415)]
    )
    async def test_entries_come_as_a_table_only(self, app: Starlette, accept: str, status: int) -> None:
        _, made = await sent(app, "POST", f"/v2/glossaries?{self.ONE}")
        path = f"/v2/glossaries/{made['glossary_id']}/entries"

        answer = await ask(app, "GET", path, headers={"accept": accept})

        assert answer.status == status
        assert (answer.body == b"hub\tNabe\nrim\tFelge\n") == (status == 200)
        assert answer.headers["content-type"].startswith(TSV) == (status == 200)

    async def test_entries_of_v3_stand_in_a_list_of_dictionaries(self, app: Starlette) -> None:
        dictionary = {"source_lang": "en", "target_lang": "de", "entries": "hub,Nabe", "entries_format": "csv"}
        _, made = await sent(app, "POST", "/v3/glossaries", json={"name": "bikes", "dictionaries": [dictionary]})

        _, shown = await sent(app, "GET", f"/v3/glossaries/{made['glossary_id']}/entries?source_lang=EN&target_lang=DE")

        assert made["dictionaries"] == [{"source_lang": "en", "target_lang": "de", "entry_count": 1}]
        assert shown == {"dictionaries": [{**dictionary, "entries": "hub\tNabe\n", "entries_format": "tsv"}]}

    @pytest.mark.parametrize(
        ("method", "path", "body", "words"),
        [
            ("POST", "/v2/glossaries", {"source_lang": "en", "target_lang": "de", "entries": "a\tb"}, "'name'"),
            ("POST", "/v2/glossaries", {"name": "x", "target_lang": "de", "entries": "a\tb"}, "source_lang"),
            ("POST", "/v2/glossaries", {"name": "x", "source_lang": "en", "target_lang": "de", "entries": ""}, "terms"),
            ("POST", "/v2/glossaries", {"name": "x", "source_lang": "en", "target_lang": "de", "entries": 1}, "str"),
            ("POST", "/v3/glossaries", {"name": "x", "dictionaries": ["a"]}, "A dictionary has"),
            (
                "POST",
                "/v3/glossaries",
                {"name": "x", "dictionaries": [{"source_lang": "en", "target_lang": "de", "entries": "a\tb"}] * 2},
                "two dictionaries",
            ),
            ("GET", "/v3/glossaries/x/entries", {"source_lang": "en"}, "'target_lang'"),
        ],
    )
    async def test_what_is_wrong_is_told(
        self, app: Starlette, method: str, path: str, body: object, words: str
    ) -> None:
        status, answer = await sent(app, method, path, json=body)

        assert status == 400
        assert words in answer["message"]

    async def test_each_key_has_its_own(
        self, app: Starlette, gate: Doorkeeper, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _, made = await sent(app, "POST", f"/v2/glossaries?{self.ONE}")

        async def another(key: str | None) -> Caller:
            return Caller("another")

        monkeypatch.setattr(gate, "admit", another)

        assert await sent(app, "GET", "/v2/glossaries") == (200, {"glossaries": []})
        for path in (f"/v2/glossaries/{made['glossary_id']}", f"/v3/glossaries/{made['glossary_id']}"):
            assert (await sent(app, "GET", path))[0] == 404
            assert (await sent(app, "DELETE", path))[0] == 404


class TestDocuments:
    async def test_a_file_is_taken_with_its_name_and_wishes(
        self, app: Starlette, documents: OneDocument, translator: Speaker
    ) -> None:
        translator.info = structs.replace(translator.info, can=FOLLOWS)
        taken = await upload(app, {"target_lang": "DE", "source_lang": "EN", "formality": "less"}, "a.txt")

        assert taken == (200, {"document_id": "d" * 32, "document_key": "k" * 64})
        wanted = TranslateRequest(texts=(), source="en", targets=("de",), wishes=Wishes(formality="less"))
        assert documents.taken == [(b"Hello.", "a.txt", wanted)]

    async def test_the_field_filename_goes_before_the_files_own(self, app: Starlette, documents: OneDocument) -> None:
        await upload(app, {"target_lang": "DE", "filename": "b.html"}, "file")

        assert documents.taken[0][1] == "b.html"

    @pytest.mark.parametrize(
        ("fields", "filename", "words"),
        [
            ({"target_lang": "DE"}, None, "There is no file"),
            ({}, "a.txt", "'target_lang'"),
            ({"target_lang": "DE", "output_format": "pdf"}, "a.txt", "'output_format'"),
        ],
    )
    async def test_what_cannot_be_taken_is_told(
        self, app: Starlette, fields: dict[str, str], filename: str | None, words: str
    ) -> None:
        status, answer = await upload(app, fields, filename)

        assert status == 400
        assert words in answer["message"]

    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({}, {"status": "translating", "seconds_remaining": 3}),
            ({"state": "queued", "seconds_remaining": None}, {"status": "queued"}),
            ({"state": "done", "seconds_remaining": 0}, {"status": "done", "billed_characters": 7}),
            ({"state": "error", "message": "Why."}, {"status": "error", "error_message": "Why."}),
        ],
    )
    async def test_its_status_says_what_is_known(
        self,
        app: Starlette,
        documents: OneDocument,
        changes: dict[str, Any],
        said: dict[str, object],
    ) -> None:
        documents.status_now = structs.replace(documents.status_now, **changes)

        status = await sent(app, "POST", f"/v2/document/{'d' * 32}", json=DOCUMENT_KEY)

        assert status == (200, {"document_id": "d" * 32, **said})

    async def test_its_result_is_there_when_it_is_done(self, app: Starlette, documents: OneDocument) -> None:
        path = f"/v2/document/{'d' * 32}/result"

        early = await sent(app, "POST", path, form=DOCUMENT_KEY)
        documents.status_now = structs.replace(documents.status_now, state="done")
        done = await ask(app, "POST", path, form=DOCUMENT_KEY)

        assert early == (503, {"message": "It is being translated."})
        assert (done.headers["content-type"], done.body.decode()) == ("application/octet-stream", "Grüß Gott.\n")

    @pytest.mark.parametrize("body", [{}, {"document_key": "wrong"}])
    async def test_without_its_key_it_is_unknown(self, app: Starlette, body: dict[str, str]) -> None:
        for path in (f"/v2/document/{'d' * 32}", f"/v2/document/{'d' * 32}/result"):
            assert (await sent(app, "POST", path, json=body))[0] == 404

"""LibreTranslate's shapes: what its clients send is understood, and what comes back is what they read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import aiohttp
import msgspec
import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dragoman.errors import DragomanError, EngineUnavailable, InvalidRequest, QuotaExceeded, TooManyRequests
from dragoman.server import heartbeat
from dragoman.server.dialects import libretranslate
from dragoman.server.dialects.libretranslate_shapes import MAX_ALTERNATIVES
from dragoman.server.documents import Documents, DocumentStatus, Receipt, Result
from dragoman.server.endpoint import Endpoint, json_answer, simple_failure
from dragoman.server.gate import Caller
from dragoman.server.service import Service
from dragoman.types import Pair, TranslateRequest
from tests.server.dialects.dialect_app import Doorkeeper, Speaker, app_with, service_over
from tests.server.scripted import served


class OneDocument:
    """Documents that know of one, done at once or gone wrong for the reason `message`."""

    max_bytes = 1000

    def __init__(self) -> None:
        self.taken: list[tuple[bytes, str, TranslateRequest]] = []
        self.message: str | None = None
        self.held = False
        self.started = asyncio.Event()
        self.deleted = asyncio.Event()

    async def submit(self, data: bytes, filename: str, wanted: TranslateRequest, caller: Caller) -> Receipt:
        self.taken.append((data, filename, wanted))
        return Receipt("0" * 32, "1" * 64)

    async def finished(self, document_id: str) -> DocumentStatus:
        self.started.set()
        if self.held:
            await asyncio.Event().wait()
        state: Any = "error" if self.message else "done"
        name = self.taken[-1][1]
        return DocumentStatus(
            id=document_id, filename=name, state=state, characters=1, passages=1, message=self.message
        )

    async def delete(self, document_id: str) -> None:
        self.deleted.set()

    async def result(self, document_id: str) -> Result:
        if document_id != "0" * 32:
            raise InvalidRequest("There is no such document.")
        return Result("Grüß Gott.\n".encode(), self.taken[-1][1], "text/plain")


async def native_translate(request: Request) -> Response:
    return json_answer({"own": (await request.json())["text"]})


def shared_route(service: Service) -> list[Route]:
    native = Endpoint(native_translate, simple_failure)
    return [Route("/translate", libretranslate.shared_translate(service, native), methods=["POST"])]


@pytest.fixture
def documents() -> OneDocument:
    return OneDocument()


@pytest.fixture
async def client(translator: Speaker, gate: Doorkeeper, documents: OneDocument) -> AsyncIterator[aiohttp.ClientSession]:
    service = service_over(translator, gate, cast("Documents", documents))
    async with (
        served(app_with(service, shared_route, libretranslate.routes)) as address,
        aiohttp.ClientSession("http://{}:{}".format(*address)) as session,
    ):
        yield session


async def asked(
    client: aiohttp.ClientSession,
    path: str = "/translate",
    **sent: Any,  # noqa: ANN401 - what aiohttp takes
) -> tuple[int, Any]:
    async with client.post(path, **sent) as answer:
        return answer.status, await answer.json()


ASKING = {"q": "Hello", "source": "en", "target": "es"}


@pytest.mark.parametrize("where", ["json", "data", "params"])
async def test_parameters_are_read_from_json_form_and_query_alike(client: aiohttp.ClientSession, where: str) -> None:
    assert await asked(client, "/translate", **{where: ASKING}) == (200, {"translatedText": "[es] Hello"})


async def test_parameters_are_read_from_a_multipart_form(client: aiohttp.ClientSession) -> None:
    form = aiohttp.FormData(ASKING, default_to_multipart=True)

    assert await asked(client, data=form) == (200, {"translatedText": "[es] Hello"})


async def test_the_answer_is_an_array_where_the_question_is_one(
    client: aiohttp.ClientSession, translator: Speaker
) -> None:
    translator.alternatives = ("eins", "zwei")
    body = {"q": ["One", ""], "source": "auto", "target": "de", "alternatives": 1}

    _, answer = await asked(client, json=body)

    assert answer == {
        "translatedText": ["[de] One", "[de] "],
        "detectedLanguage": [{"confidence": 90.0, "language": "en"}] * 2,
        "alternatives": [["eins"], ["eins"]],
    }


async def test_one_text_is_answered_with_its_language_and_alternatives(
    client: aiohttp.ClientSession, translator: Speaker
) -> None:
    translator.alternatives = ("eins", "zwei")
    body = {"q": "One", "source": "auto", "target": "de", "alternatives": 2}

    _, answer = await asked(client, json=body)

    assert answer == {
        "translatedText": "[de] One",
        "detectedLanguage": {"confidence": 90.0, "language": "en"},
        "alternatives": ["eins", "zwei"],
    }


async def test_a_huge_number_of_alternatives_is_cut_to_a_few(
    client: aiohttp.ClientSession, translator: Speaker
) -> None:
    assert (await asked(client, json={**ASKING, "alternatives": 10_000}))[0] == 200
    assert translator.requests[-1].wishes.alternatives == MAX_ALTERNATIVES


async def test_what_mastodon_sends_is_answered_in_kind(client: aiohttp.ClientSession, translator: Speaker) -> None:
    body = {"q": ["<p>Hello</p>", "World"], "source": "en", "target": "de", "format": "html", "api_key": None}

    assert await asked(client, json=body) == (200, {"translatedText": ["[de] <p>Hello</p>", "[de] World"]})
    assert translator.requests[-1].format == "html"


async def test_line_breaks_are_lf_again_after_a_form_and_untouched_after_json(
    client: aiohttp.ClientSession, translator: Speaker
) -> None:
    text = {**ASKING, "q": "a\r\nb"}

    await asked(client, data=text)
    await asked(client, json=text)

    assert [request.texts for request in translator.requests] == [("a\nb",), ("a\r\nb",)]


async def test_a_slow_answer_begins_with_white_space_and_its_work_ends_when_the_client_leaves(
    client: aiohttp.ClientSession, translator: Speaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "FIRST_BLANK_S", 0.01)
    translator.held = True

    async with client.post("/translate", json=ASKING) as answer:
        assert (answer.status, (await answer.content.read(1)).isspace()) == (200, True)
        answer.close()

    await asyncio.wait_for(translator.cancelled.wait(), 5)


class TestTheSharedRoute:
    async def test_a_text_is_for_our_own_handler_and_a_q_is_not(self, client: aiohttp.ClientSession) -> None:
        assert await asked(client, json={"text": "Hi", "target_lang": "de"}) == (200, {"own": "Hi"})
        assert await asked(client, json={"text": "Hi", "q": "Ho"}) == (200, {"own": "Hi"})

    @pytest.mark.parametrize(
        ("status", "sent"),
        [
            (400, {"json": {"source": "en", "target": "de"}}),
            (400, {"data": b"{", "headers": {"content-type": "application/json"}}),
            (413, {"data": b" " * 10_001}),
            (415, {"data": b"<q>Hello</q>", "headers": {"content-type": "text/xml"}}),
            (415, {"json": ASKING, "headers": {"content-encoding": "gzip"}}),
        ],
    )
    async def test_what_may_be_either_kind_is_refused_in_both_shapes(
        self, client: aiohttp.ClientSession, status: int, sent: dict[str, Any]
    ) -> None:
        found, answer = await asked(client, **sent)

        assert (found, answer["status"], answer["message"]) == (status, "error", answer["error"])
        assert answer["error"]

    async def test_another_method_is_refused_in_both_shapes(self, client: aiohttp.ClientSession) -> None:
        async with client.get("/translate") as answer:
            read = await answer.json()

        assert (answer.status, read["message"]) == (405, read["error"])


class TestErrors:
    @pytest.mark.parametrize(
        ("changed", "named"),
        [
            ({"target": None}, "target"),
            ({"q": 7}, "q"),
            ({"q": ["Hello", None]}, "q"),
            ({"format": "pdf"}, "format"),
            ({"alternatives": -1}, "alternatives"),
            ({"alternatives": "9" * 5000}, "alternatives"),
        ],
    )
    async def test_a_mistake_is_400_and_named(
        self, client: aiohttp.ClientSession, changed: dict[str, Any], named: str
    ) -> None:
        status, answer = await asked(client, json={**ASKING, **changed})

        assert (status, list(answer)) == (400, ["error"])
        assert f"'{named}'" in answer["error"]

    async def test_no_key_is_400_and_a_wrong_one_403(self, client: aiohttp.ClientSession, gate: Doorkeeper) -> None:
        gate.key = "K"

        found = [(await asked(client, json={**ASKING, "api_key": key}))[0] for key in (None, "", "wrong", "K")]

        assert found == [400, 400, 403, 200]

    @pytest.mark.parametrize(
        ("refusal", "status", "message"),
        [
            (QuotaExceeded("Used up."), 403, "Used up."),
            (TooManyRequests("Too many.", retry_after_s=7), 429, "Slowdown: Too many."),
        ],
    )
    async def test_a_used_up_quota_is_403_and_haste_is_429(
        self, client: aiohttp.ClientSession, gate: Doorkeeper, refusal: DragomanError, status: int, message: str
    ) -> None:
        gate.refusal = refusal

        assert await asked(client, data=ASKING) == (status, {"error": message})

    async def test_one_text_that_failed_fails_the_request(
        self, client: aiohttp.ClientSession, translator: Speaker
    ) -> None:
        translator.outcomes["b"] = EngineUnavailable("It is away.", engine="scripted")

        assert await asked(client, json={**ASKING, "q": ["a", "b"]}) == (502, {"error": "It is away."})

    @pytest.mark.parametrize("path", ["/detect", "/suggest", "/translate_file"])
    async def test_another_method_is_refused_in_the_dialects_shape(
        self, client: aiohttp.ClientSession, path: str
    ) -> None:
        async with client.get(path) as answer:
            assert (answer.status, list(await answer.json())) == (405, ["error"])


class TestDetect:
    @pytest.mark.parametrize(
        ("text", "language"),
        [
            ("Wo ist bitte der Bahnhof?", "de"),
            ("火车站在哪里？我想去看电影。", "zh-Hans"),
            ("火車站在哪裡？我想去看電影。", "zh-Hant"),
        ],
    )
    async def test_a_language_is_told_with_a_confidence_of_0_to_100(
        self, client: aiohttp.ClientSession, gate: Doorkeeper, text: str, language: str
    ) -> None:
        _, (guess,) = await asked(client, "/detect", data={"q": text})

        assert guess["language"] == language
        assert 50 < guess["confidence"] <= 100
        assert gate.charged == [len(text)]

    async def test_a_text_without_letters_is_english_without_confidence(self, client: aiohttp.ClientSession) -> None:
        assert await asked(client, "/detect", json={"q": "123"}) == (200, [{"confidence": 0.0, "language": "en"}])

    async def test_it_asks_for_a_key_and_for_a_text(self, client: aiohttp.ClientSession, gate: Doorkeeper) -> None:
        gate.key = "K"

        assert (await asked(client, "/detect", json={"q": "Hi"}))[0] == 400
        assert await asked(client, "/detect", json={"api_key": "K"}) == (400, {"error": "'q' is missing."})


class TestLanguages:
    async def test_every_language_has_a_name_and_targets(self, client: aiohttp.ClientSession) -> None:
        async with client.get("/languages") as answer:
            listed = {one["code"]: one for one in await answer.json()}

        assert {"en", "de", "zh-Hans", "zh-Hant", "pt", "pt-BR"} < set(listed)
        assert listed["de"]["name"] == "German"
        assert all(sorted(one["targets"]) == sorted(set(listed) - {code}) for code, one in listed.items())

    async def test_an_engine_for_few_pairs_is_listed_with_these(
        self, client: aiohttp.ClientSession, translator: Speaker
    ) -> None:
        pairs = frozenset({Pair("en", "de"), Pair("en", "zh-TW"), Pair("de", "en")})
        translator.info = msgspec.structs.replace(translator.info, pairs=pairs)

        async with client.get("/languages") as answer:
            listed = await answer.json()

        assert [(one["code"], one["targets"]) for one in listed] == [("de", ["en"]), ("en", ["de", "zh-Hant"])]


class TestFiles:
    async def test_a_file_is_translated_and_its_address_absolute(
        self, client: aiohttp.ClientSession, documents: OneDocument
    ) -> None:
        form = aiohttp.FormData({"source": "auto", "target": "de"}, quote_fields=False)
        form.add_field("file", b"Good day.\n", filename="hello you.txt")

        status, answer = await asked(client, "/translate_file", data=form)
        async with client.get(answer["translatedFileUrl"]) as download:
            data = await download.read()

        assert (status, data) == (200, "Grüß Gott.\n".encode())
        assert answer["translatedFileUrl"].endswith(f"/download_file/{'0' * 32}.hello%20you.txt")
        assert download.headers["content-disposition"] == "attachment; filename*=UTF-8''hello%20you.txt"
        ((sent, name, wanted),) = documents.taken
        assert (sent, name, wanted.source, wanted.targets) == (b"Good day.\n", "hello you.txt", None, ("de",))

    async def test_a_missing_file_and_one_that_cannot_be_translated_are_said(
        self, client: aiohttp.ClientSession, documents: OneDocument
    ) -> None:
        documents.message = "It has no text."
        form = aiohttp.FormData({"target": "de"})
        form.add_field("file", b"\x00", filename="a.bin")

        missing = await asked(client, "/translate_file", data={"target": "de", "file": "a.txt"})
        broken = await asked(client, "/translate_file", data=form)

        assert missing[0] == 400
        assert "file in a multipart form" in missing[1]["error"]
        assert broken == (400, {"error": "The file could not be translated: It has no text."})

    async def test_a_file_whose_client_left_is_deleted(
        self, client: aiohttp.ClientSession, documents: OneDocument
    ) -> None:
        documents.held = True
        form = aiohttp.FormData({"target": "de"})
        form.add_field("file", b"Good day.\n", filename="a.txt")

        asking = asyncio.create_task(asked(client, "/translate_file", data=form))
        await documents.started.wait()
        asking.cancel()

        await asyncio.wait_for(documents.deleted.wait(), 5)

    async def test_an_unreadable_form_is_400(self, client: aiohttp.ClientSession) -> None:
        headers = {"content-type": "multipart/form-data; boundary=x"}

        status, answer = await asked(client, "/translate_file", data=b"no form", headers=headers)

        assert (status, list(answer)) == (400, ["error"])

    async def test_a_server_without_documents_says_so(self, translator: Speaker, gate: Doorkeeper) -> None:
        service = service_over(translator, gate)
        async with (
            served(app_with(service, libretranslate.routes)) as address,
            aiohttp.ClientSession("http://{}:{}".format(*address)) as client,
        ):
            status, answer = await asked(client, "/translate_file", data={"target": "de"})

        assert (status, list(answer)) == (403, ["error"])


class TestPagesAndSuggestions:
    async def test_a_page_is_told_limits_and_whether_it_needs_a_key(
        self, client: aiohttp.ClientSession, gate: Doorkeeper
    ) -> None:
        gate.key = "K"

        async with client.get("/frontend/settings") as answer:
            settings = await answer.json()

        assert settings["language"]["source"] == {"code": "auto", "name": "Auto Detect"}
        assert (settings["charLimit"], settings["keyRequired"], settings["apiKeys"]) == (5000, True, True)
        assert (settings["suggestions"], settings["filesTranslation"]) == (False, True)
        assert ".txt" in settings["supportedFilesFormat"]

    async def test_suggestions_are_off(self, client: aiohttp.ClientSession) -> None:
        body = {"q": "Hello", "s": "Hallo", "source": "en", "target": "de"}

        status, answer = await asked(client, "/suggest", json=body)

        assert (status, list(answer)) == (403, ["error"])

    async def test_the_description_has_every_route(self, client: aiohttp.ClientSession) -> None:
        async with client.get("/spec") as answer:
            paths = (await answer.json())["paths"]

        assert set(paths) == {
            "/translate", "/detect", "/languages", "/translate_file", "/download_file/{name}", "/frontend/settings",
            "/suggest",
        }  # fmt: skip
        assert paths["/detect"]["post"]["responses"]["200"]["content"]["application/json"]["schema"]["type"] == "array"

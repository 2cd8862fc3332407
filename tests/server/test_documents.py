"""`/v1/documents`: taken in, translated in the background, fetched, deleted, forgotten, and who may see them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from starlette.applications import Starlette

from dragoman.documents.translation import Translated
from dragoman.errors import (
    ConfigurationError,
    DocumentNotReady,
    DocumentTaken,
    Overloaded,
    QuotaExceeded,
    TooLarge,
    UnknownDocument,
    UnknownLanguage,
)
from dragoman.memory.glossaries import Glossaries
from dragoman.server import documents_file
from dragoman.server.app import create_app
from dragoman.server.documents import Documents, DocumentStatus
from dragoman.server.documents_file import FILE_NAME, LEFT_BEHIND, DocumentsFile, Row
from dragoman.server.gate import Caller, OpenGate
from dragoman.server.service import Service
from dragoman.settings import Settings
from dragoman.types import TranslateRequest
from dragoman.wiring import open_translator
from tests.faults.service import settles
from tests.server.scripted import Answer, call

ANNA, BERT = Caller("anna"), Caller("bert")
GERMAN = TranslateRequest(texts=(), targets=("de",), source="en")
INSTANT, SLOW = "simulated://instant", "simulated://instant?stall_rate=1&stall_s=3600"
LETTER = b"Good morning.\r\n\r\nHow are you?\r\n"


@asynccontextmanager
async def opened(
    folder: Path,
    engine: str = INSTANT,
    gate: OpenGate | None = None,
    **changed: Any,  # noqa: ANN401 - any setting
) -> AsyncIterator[Documents]:
    settings = settings_in(folder, **changed)
    async with (
        open_translator(settings, engines=[engine]) as translator,
        Documents(translator, gate or OpenGate(), settings) as documents,
    ):
        await translator.ready()
        yield documents


def settings_in(folder: Path, **changed: Any) -> Settings:  # noqa: ANN401 - any setting
    return msgspec.convert({"data_dir": str(folder), "memory_bytes": 0, "shutdown_grace_s": 0, **changed}, Settings)


@pytest.fixture
async def documents(tmp_path: Path) -> AsyncIterator[Documents]:
    async with opened(tmp_path) as documents:
        yield documents


@pytest.fixture
async def held_up(tmp_path: Path) -> AsyncIterator[Documents]:
    """Documents over an engine that does not answer within the test."""
    async with opened(tmp_path, SLOW) as documents:
        yield documents


async def state_of(documents: Documents, document_id: str) -> str:
    return (await documents.status(document_id)).state


class TestTheLifeOfADocument:
    async def test_it_is_translated_and_fetched_as_often_as_one_likes(self, documents: Documents) -> None:
        receipt = await documents.submit(LETTER, "C:\\letters\\letter.txt", GERMAN, ANNA)

        status = await documents.finished(receipt.id)
        result = await documents.result(receipt.id, ANNA)

        assert status == DocumentStatus(id=receipt.id, filename="letter.txt", state="done", characters=25, passages=2)
        assert (result.filename, result.media_type) == ("letter.txt", "text/plain")
        assert [line.startswith("ⓓⓔ") for line in result.data.decode().split("\r\n")] == [True, False, True, False]
        assert await documents.result(receipt.id, ANNA) == result

    async def test_it_can_be_taken_once(self, documents: Documents) -> None:
        receipt = await documents.submit(LETTER, "letter.txt", GERMAN, ANNA)
        await documents.finished(receipt.id)

        assert (await documents.take(receipt.id, ANNA, key=receipt.key)).data
        with pytest.raises(DocumentTaken):
            await documents.take(receipt.id, ANNA, key=receipt.key)
        assert await state_of(documents, receipt.id) == "done"

    async def test_it_is_somebodys_and_has_a_key(self, documents: Documents) -> None:
        receipt = await documents.submit(LETTER, "letter.txt", GERMAN, ANNA)

        assert (len(receipt.id), len(receipt.key)) == (32, 64)
        for caller, key in ((BERT, None), (BERT, receipt.key), (ANNA, "0" * 64), (None, "ü")):
            with pytest.raises(UnknownDocument):
                await documents.status(receipt.id, caller, key=key)
        assert await documents.status(receipt.id, ANNA, key=receipt.key)

    async def test_it_is_not_ready_while_it_is_translated_and_can_be_deleted_then(self, held_up: Documents) -> None:
        receipt = await held_up.submit(LETTER, "letter.txt", GERMAN, ANNA)
        await reaches(held_up, receipt.id, "translating")

        with pytest.raises(DocumentNotReady, match="still"):
            await held_up.result(receipt.id)
        await held_up.delete(receipt.id, ANNA)

        with pytest.raises(UnknownDocument):
            await held_up.status(receipt.id)
        await settles(lambda: len(held_up._tasks), 0)

    async def test_what_another_process_deletes_is_translated_no_further(self, tmp_path: Path) -> None:
        async with opened(tmp_path, SLOW) as documents:
            receipt = await documents.submit(b"Good morning.", "letter.txt", GERMAN, ANNA)
            await reaches(documents, receipt.id, "translating")
            file = DocumentsFile(tmp_path / FILE_NAME, max_bytes=1, max_age_s=60)
            file.delete(receipt.id)
            assert not file.progress(receipt.id, 1)
            file.finish(receipt.id, Translated(b"x", 0, {}))
            assert file.find(receipt.id) is None
            file.close()

    async def test_documents_beyond_the_first_few_are_queued(self, held_up: Documents) -> None:
        receipts = [await held_up.submit(LETTER, "letter.txt", GERMAN, ANNA) for _ in range(5)]
        await reaches(held_up, receipts[3].id, "translating")

        assert [await state_of(held_up, one.id) for one in receipts] == ["translating"] * 4 + ["queued"]

    async def test_one_that_is_done_survives_a_restart_and_one_that_is_not_has_failed(self, tmp_path: Path) -> None:
        async with opened(tmp_path) as documents:
            done = await documents.submit(LETTER, "letter.txt", GERMAN, ANNA)
            await documents.finished(done.id)
        async with opened(tmp_path, SLOW) as documents:
            broken_off = await documents.submit(LETTER, "letter.txt", GERMAN, ANNA)

        async with opened(tmp_path) as documents:
            assert (await documents.result(done.id, ANNA)).data
            assert (await documents.status(broken_off.id)).message == LEFT_BEHIND
            with pytest.raises(DocumentNotReady, match="send it again"):
                await documents.result(broken_off.id)

    async def test_a_passage_that_fails_keeps_its_source_and_is_counted(self, tmp_path: Path) -> None:
        async with opened(tmp_path, max_characters=100) as documents:
            receipt = await documents.submit(b"Good morning.\n" + b"word " * 30, "a.txt", GERMAN, ANNA)
            status = await documents.finished(receipt.id)
            strict = msgspec.structs.replace(GERMAN, wishes=msgspec.structs.replace(GERMAN.wishes, strict=True))
            strict_receipt = await documents.submit(b"Good morning.\n" + b"word " * 30, "a.txt", strict, ANNA)
            strict_status = await documents.finished(strict_receipt.id)

            assert (status.state, status.passages, status.failed) == ("done", 2, 1)
            assert (await documents.result(receipt.id)).data.endswith(b"\n" + b"word " * 30)
            assert strict_status.state == "error"
            assert "100" in (strict_status.message or "")


class TestWhatIsRefused:
    async def test_languages_are_looked_at_before_anything_is_kept(self, tmp_path: Path) -> None:
        async with opened(tmp_path) as documents:
            with pytest.raises(UnknownLanguage):
                await documents.submit(LETTER, "letter.txt", msgspec.structs.replace(GERMAN, targets=("qq",)), ANNA)

        assert not (tmp_path / FILE_NAME).exists()

    async def test_a_document_that_is_too_large(self, tmp_path: Path) -> None:
        async with opened(tmp_path, max_document_bytes=10) as documents:
            with pytest.raises(TooLarge, match="30 bytes; at most 10"):
                await documents.submit(b" " * 30, "letter.txt", GERMAN, ANNA)

    async def test_what_the_gate_refuses_is_not_kept(self, tmp_path: Path) -> None:
        class UsedUp(OpenGate):
            async def charge(self, caller: Caller, characters: int) -> None:
                raise QuotaExceeded(f"{caller.key_id} has not {characters} left.")

        async with opened(tmp_path, gate=UsedUp(), documents_disk_bytes=len(LETTER)) as documents:
            for _ in range(2):  # the second would find no room if the first had been kept
                with pytest.raises(QuotaExceeded, match="anna has not 25 left"):
                    await documents.submit(LETTER, "letter.txt", GERMAN, ANNA)

    async def test_more_than_the_disk_may_hold_is_refused_until_what_is_done_is_old_enough(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with opened(tmp_path, documents_disk_bytes=100) as documents:
            first = await documents.submit(LETTER, "letter.txt", GERMAN, ANNA)
            await documents.finished(first.id)
            with pytest.raises(Overloaded):
                await documents.submit(b"x" * 90, "letter.txt", GERMAN, ANNA)

            monkeypatch.setattr(documents_file, "KEPT_AT_LEAST_S", -1.0)
            second = await documents.submit(b"x" * 90, "letter.txt", GERMAN, ANNA)

            assert await documents.status(second.id)
            with pytest.raises(UnknownDocument):
                await documents.status(first.id)


class TestTheFile:
    def file(self, folder: Path, **changed: float) -> DocumentsFile:
        return DocumentsFile(folder / FILE_NAME, max_bytes=1_000, max_age_s=changed.get("max_age_s", 60.0))

    def test_what_is_too_old_is_gone_from_the_disk_too(self, tmp_path: Path) -> None:
        file = self.file(tmp_path)
        file.add(row_of(created_at=time.time()))
        file.finish("1" * 32, Translated(b"secret words " * 1_000, 0, {}))
        file.close()
        assert b"secret words" in (tmp_path / FILE_NAME).read_bytes()

        file = self.file(tmp_path, max_age_s=0.0)
        assert file.find("1" * 32) is None
        file.close()

        assert b"secret words" not in (tmp_path / FILE_NAME).read_bytes()
        assert (tmp_path / FILE_NAME).stat().st_size < 50_000

    def test_a_document_of_a_process_that_is_gone_has_failed(self, tmp_path: Path) -> None:
        file = self.file(tmp_path)
        file.add(row_of(created_at=time.time(), process="1:1.00"))

        found = file.find("1" * 32)

        assert found is not None
        assert (found.state, found.message) == ("error", LEFT_BEHIND)
        file.close()

    def test_a_file_of_a_newer_version_or_none_at_all_is_told_of(self, tmp_path: Path) -> None:
        (tmp_path / FILE_NAME).write_bytes(b"not a database" * 100)

        with pytest.raises(ConfigurationError, match=FILE_NAME):
            self.file(tmp_path)


def row_of(*, created_at: float, process: str | None = None) -> Row:
    return Row(
        id="1" * 32,
        key_digest=b"",
        owner="anna",
        filename="letter.txt",
        media_type="text/plain",
        process=process or documents_file.this_process(),
        characters=10,
        passages=1,
        bytes=10,
        created_at=created_at,
    )


async def reaches(documents: Documents, document_id: str, state: str) -> None:
    async with asyncio.timeout(5):
        while await state_of(documents, document_id) != state:  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.01)


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[Starlette]:
    settings = settings_in(tmp_path, max_document_bytes=1_000)
    async with (
        open_translator(settings, engines=[INSTANT]) as translator,
        Glossaries(tmp_path / "glossaries.sqlite3") as glossaries,
        Documents(translator, OpenGate(), settings) as documents,
    ):
        await translator.ready()
        yield create_app(Service(translator, settings, OpenGate(), glossaries, documents))


async def sent(app: Starlette, data: bytes, filename: str, **fields: str) -> Answer:
    """The answer to a form with a file."""
    parts = [(f'name="{name}"', value.encode()) for name, value in fields.items()]
    parts.append((f'name="file"; filename="{filename}"', data))
    body = b"".join(
        f"--limit\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode() + value + b"\r\n" for head, value in parts
    )
    headers = {"content-type": "multipart/form-data; boundary=limit"}
    return await call(app, "POST", "/v1/documents", body + b"--limit--\r\n", headers=headers)


async def until_done(app: Starlette, path: str) -> Answer:
    async with asyncio.timeout(5):
        while (shown := await call(app, "GET", path)).json["state"] != "done":  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.01)
    return shown


class TestRoutes:
    async def test_a_document_goes_in_is_asked_after_comes_out_and_is_deleted(self, app: Starlette) -> None:
        taken = await sent(app, b"<p>Hello <b>you</b></p>", "Grüße.html", target="de", source="en", strict="true")
        path = taken.headers["location"]
        shown = await until_done(app, path)
        fetched = await call(app, "GET", f"{path}/result")

        assert (taken.status, path) == (202, f"/v1/documents/{taken.json['id']}")
        assert shown.json == {
            "id": taken.json["id"],
            "filename": "Grüße.html",
            "state": "done",
            "characters": 16,
            "passages": 1,
            "failed": 0,
            "findings": {},
        }
        assert fetched.body.startswith("<p>ⓓⓔ ".encode())
        assert fetched.headers["content-disposition"] == "attachment; filename*=UTF-8''Gr%C3%BC%C3%9Fe.html"
        assert fetched.headers["content-type"].startswith("text/html")
        assert (await call(app, "DELETE", path)).status == 204
        assert [(await call(app, method, path)).status for method in ("GET", "DELETE")] == [404, 404]

    @pytest.mark.parametrize(
        ("filename", "fields", "status", "words"),
        [
            ("a.txt", {}, 400, "'target' is missing"),
            ("a.txt", {"target": "qq"}, 422, "qq"),
            ("a.txt", {"target": "de", "formality": "rude"}, 400, "formality"),
            ("a.txt", {"target": "de", "strict": "perhaps"}, 400, "strict"),
            ("a.txt", {"target": "de", "glossary": "none"}, 404, "none"),
            ("a.txt", {"target": "de", "colour": "red"}, 400, "Unknown field 'colour'"),
            ("a.txt", {"target": "de", "format": "docx"}, 400, "txt, html, md, srt, vtt, po, json"),
            ("a.docx", {"target": "de"}, 400, "txt, html, md, srt, vtt, po, json"),
        ],
    )
    async def test_what_does_not_fit_is_told(
        self, app: Starlette, filename: str, fields: dict[str, str], status: int, words: str
    ) -> None:
        refused = await sent(app, b"Hello", filename, **fields)

        assert (refused.status, refused.headers["content-type"]) == (status, "application/problem+json")
        assert words in refused.json["detail"]

    async def test_a_document_that_is_too_large_and_one_that_is_missing_are_told(self, app: Starlette) -> None:
        too_large = await sent(app, b"x" * 1_001, "a.txt", target="de")
        missing = await call(app, "POST", "/v1/documents", {"target": "de"})

        assert (too_large.status, too_large.json["limit"]) == (413, 1_000)
        assert (missing.status, missing.json["field"]) == (400, "file")

    async def test_the_documentation_says_that_a_form_is_sent(self, app: Starlette) -> None:
        paths = (await call(app, "GET", "/openapi.json")).json["paths"]

        assert list(paths["/v1/documents"]["post"]["requestBody"]["content"]) == ["multipart/form-data"]
        assert "text/html" in paths["/v1/documents/{id}/result"]["get"]["responses"]["200"]["content"]

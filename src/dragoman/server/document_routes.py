"""The routes of documents, `/v1/documents`: what goes over the wire, what each does, and its documentation."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from dragoman.documents.families import FAMILIES
from dragoman.errors import InvalidRequest
from dragoman.server.body import JsonBody
from dragoman.server.documents import Documents, DocumentState, DocumentStatus
from dragoman.server.endpoint import Endpoint, json_answer, native_failure
from dragoman.server.gate import Caller, native_key
from dragoman.server.openapi import Operation
from dragoman.server.parameters import Parameters
from dragoman.server.schemas import NativeRequest
from dragoman.server.service import Service

FORM_BYTES = 100_000
"""What a form may have around its file."""

_TEXTS, _LISTS, _FLAGS = (
    ("source", "target", "formality", "split", "context"),
    ("keep", "protect"),
    ("strict", "no_store"),
)
_FIELDS = ("file", "format", "glossary", *_TEXTS, *_LISTS, *_FLAGS)


class NewDocument(Struct, frozen=True, kw_only=True):
    """A form, `multipart/form-data`. The fields beside `file`, `target` and `format` are those of `/v1/translate`."""

    file: Annotated[str, Meta(extra_json_schema={"format": "binary"})]
    target: str
    source: Annotated[str | None, Meta(description="left out, the document's language is detected")] = None
    format: Annotated[
        str | None,
        Meta(
            description=f"{', '.join(family.name for family in FAMILIES)}; left out, as the file's name says",
            examples=[family.name for family in FAMILIES],
        ),
    ] = None
    glossary: str | list[str] | None = None
    formality: str | None = None
    split: str | None = None
    context: str | None = None
    keep: tuple[str, ...] = ()
    protect: tuple[str, ...] = ()
    strict: Annotated[bool, Meta(description="fail rather than leave a passage as it was")] = False
    no_store: bool = False


class AcceptedDocument(Struct, frozen=True):
    """A document that waits for its translation."""

    id: str


class ShownDocument(Struct, frozen=True, kw_only=True):
    """How far a document is. Of its `passages`, `failed` stand as they were; `findings` counts passages by kind."""

    id: str
    filename: str
    state: DocumentState
    characters: int
    passages: int
    failed: int
    findings: dict[str, int]
    seconds_remaining: int | UnsetType = UNSET
    message: str | UnsetType = UNSET


class DocumentHandlers:
    """The handlers of `/v1/documents`."""

    def __init__(self, service: Service, documents: Documents) -> None:
        self._service = service
        self._documents = documents
        self._wanted = JsonBody(NativeRequest, service.settings.max_body_bytes)

    async def create(self, request: Request) -> Response:
        """`POST /v1/documents`"""
        caller = await self._caller(request)
        form = await Parameters.read(request, self._documents.max_bytes + FORM_BYTES)
        file = form.file("file")
        if file is None:
            raise InvalidRequest("There is no file: send one as the field 'file' of a form.", field="file")
        asked = self._wanted.decode(msgspec.json.encode(_native_fields(form)))
        glossaries = [await self._service.glossaries.load(name, caller.key_id) for name in asked.glossary_names]
        wanted = asked.wanted(None, glossaries)
        receipt = await self._documents.submit(file.data, file.filename, wanted, caller, family=form.text("format"))
        return json_answer(AcceptedDocument(receipt.id), {"Location": f"/v1/documents/{receipt.id}"}, 202)

    async def show(self, request: Request) -> Response:
        """`GET /v1/documents/{id}`"""
        caller = await self._caller(request)
        return json_answer(_shown(await self._documents.status(request.path_params["id"], caller)))

    async def result(self, request: Request) -> Response:
        """`GET /v1/documents/{id}/result`"""
        caller = await self._caller(request)
        result = await self._documents.result(request.path_params["id"], caller)
        return Response(result.data, headers=as_attachment(result.filename), media_type=result.media_type)

    async def delete(self, request: Request) -> Response:
        """`DELETE /v1/documents/{id}`"""
        caller = await self._caller(request)
        await self._documents.delete(request.path_params["id"], caller)
        return Response(status_code=204)

    async def _caller(self, request: Request) -> Caller:
        return await self._service.gate.admit(native_key(request))


def as_attachment(filename: str) -> dict[str, str]:
    """The header that has a browser save what comes, and never show it (RFC 6266)."""
    return {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(filename, safe='')}"}


def document_operations(service: Service, documents: Documents) -> list[Operation]:
    """The routes, for the table of the app."""
    handlers = DocumentHandlers(service, documents)
    return [
        Operation(
            method="POST",
            path="/v1/documents",
            endpoint=Endpoint(handlers.create, native_failure),
            scope="translate",
            summary="Translate a document",
            description="It is read and checked, then translated in the background. Everything in it that is not "
            "translated stays byte for byte.",
            request=NewDocument,
            request_type="multipart/form-data",
            example={"file": "hello.txt", "source": "en", "target": "de"},
            answer=AcceptedDocument,
            status=202,
            failures=(400, 404, 413, 415, 422, 429, 503),
        ),
        Operation(
            method="GET",
            path="/v1/documents/{id}",
            endpoint=Endpoint(handlers.show, native_failure),
            scope="translate",
            summary="Ask how far a document is",
            description="`seconds_remaining` is there while it is being translated, `message` where that failed.",
            answer=ShownDocument,
            failures=(404,),
        ),
        Operation(
            method="GET",
            path="/v1/documents/{id}/result",
            endpoint=Endpoint(handlers.result, native_failure),
            scope="translate",
            summary="Fetch a translated document",
            description="The file, in the kind and encoding it came in; 409 until it is done. It stays until it is "
            "deleted or too old.",
            answer=None,
            also=tuple(family.media_type for family in FAMILIES),
            failures=(404, 409, 410),
        ),
        Operation(
            method="DELETE",
            path="/v1/documents/{id}",
            endpoint=Endpoint(handlers.delete, native_failure),
            scope="translate",
            summary="Delete a document",
            description="If it is being translated, that ends.",
            answer=None,
            status=204,
            failures=(404,),
        ),
    ]


def _native_fields(form: Parameters) -> dict[str, object]:
    """The form as a body of `/v1/translate`, so that both take the same fields and refuse with the same words."""
    for name in form:
        if name not in _FIELDS:
            known = ", ".join(_FIELDS)
            raise InvalidRequest(f"Unknown field '{name[:80]}'; known are: {known}.", field=name[:80], accepted=_FIELDS)
    fields: dict[str, object] = {name: form.text(name) for name in _TEXTS}
    fields |= {name: form.flag(name) for name in _FLAGS}
    fields |= {name: form.texts(name) or None for name in (*_LISTS, "glossary")}
    return {"text": "", **{name: value for name, value in fields.items() if value is not None}}


def _shown(status: DocumentStatus) -> ShownDocument:
    return ShownDocument(
        id=status.id,
        filename=status.filename,
        state=status.state,
        characters=status.characters,
        passages=status.passages,
        failed=status.failed,
        findings=status.findings,
        seconds_remaining=UNSET if status.seconds_remaining is None else status.seconds_remaining,
        message=UNSET if status.message is None else status.message,
    )

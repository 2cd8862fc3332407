"""DeepL's documents: uploaded, asked after, and fetched once. Thin over `server.documents`."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dragoman.errors import InvalidRequest
from dragoman.server.dialects.deepl_endpoint import admitted, route
from dragoman.server.dialects.deepl_wishes import check_offered, formality_of, glossaries_of, source_of, target_of
from dragoman.server.documents import Documents, DocumentStatus
from dragoman.server.endpoint import json_answer
from dragoman.server.parameters import Parameters
from dragoman.server.service import Service
from dragoman.types import TranslateRequest, Wishes

FORM_BYTES = 100_000
"""What a form may have beside its file."""


class Progress(Struct, frozen=True, kw_only=True):
    """How far a document is, as DeepL says it."""

    document_id: str
    status: str
    seconds_remaining: int | UnsetType = UNSET
    billed_characters: int | UnsetType = UNSET
    error_message: str | UnsetType = UNSET


class DocumentHandlers:
    """The handlers of `/v2/document`."""

    def __init__(self, service: Service, documents: Documents) -> None:
        self._service = service
        self._documents = documents

    async def upload(self, request: Request) -> Response:
        """`POST /v2/document`"""
        parameters, caller = await admitted(self._service, request, self._documents.max_bytes + FORM_BYTES)
        check_offered(parameters)
        file = parameters.file("file")
        if file is None:
            raise InvalidRequest("There is no file: send one as the field 'file' of a multipart form.", field="file")
        filename = parameters.text("filename") or file.filename
        _check_output_format(parameters, filename)
        source, target = source_of(parameters), target_of(parameters)
        formality, preferred = formality_of(parameters, target, self._service.translator.info)
        glossaries = await glossaries_of(parameters, self._service, caller, source, target)
        wishes = Wishes(formality=formality, formality_preferred=preferred, glossaries=glossaries)
        wanted = TranslateRequest(texts=(), targets=(target,), source=source, wishes=wishes)
        receipt = await self._documents.submit(file.data, filename, wanted, caller)
        return json_answer({"document_id": receipt.id, "document_key": receipt.key})

    async def status(self, request: Request) -> Response:
        """`POST /v2/document/{id}`"""
        parameters, caller = await admitted(self._service, request)
        status = await self._documents.status(request.path_params["id"], caller, key=_key_of(parameters))
        return json_answer(_progress(status))

    async def result(self, request: Request) -> Response:
        """`POST /v2/document/{id}/result`"""
        parameters, caller = await admitted(self._service, request)
        result = await self._documents.take(request.path_params["id"], caller, key=_key_of(parameters))
        return Response(result.data, media_type="application/octet-stream")


def document_routes(service: Service) -> list[Route]:
    """The routes of documents; none where none are taken."""
    if service.documents is None:
        return []
    handlers = DocumentHandlers(service, service.documents)
    return [
        route("/v2/document", POST=handlers.upload),
        route("/v2/document/{id}", POST=handlers.status, GET=handlers.status),
        route("/v2/document/{id}/result", POST=handlers.result, GET=handlers.result),
    ]


def _key_of(parameters: Parameters) -> str:
    """A key that is missing is as wrong as any other."""
    return parameters.text("document_key") or ""


def _check_output_format(parameters: Parameters, filename: str) -> None:
    wanted = (parameters.text("output_format") or "").lower()
    if wanted and not filename.lower().endswith(f".{wanted}"):
        raise InvalidRequest(
            "A document comes back in the format it was sent in; leave 'output_format' out.", field="output_format"
        )


def _progress(status: DocumentStatus) -> Progress:
    remaining = status.seconds_remaining
    return Progress(
        document_id=status.id,
        status=status.state,
        seconds_remaining=UNSET if remaining is None or status.state != "translating" else remaining,
        billed_characters=status.characters if status.state == "done" else UNSET,
        error_message=status.message or UNSET if status.state == "error" else UNSET,
    )

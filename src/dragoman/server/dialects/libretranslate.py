"""LibreTranslate's protocol, as version 1.9 speaks it: what its clients send becomes a native request, and back."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import lru_cache
from importlib.metadata import version
from typing import TypeVar
from urllib.parse import quote

import msgspec
from msgspec import UNSET
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dragoman import languages
from dragoman.documents.families import FAMILIES
from dragoman.errors import (
    Forbidden,
    InvalidRequest,
    QuotaExceeded,
    TooLarge,
    TooManyRequests,
    Unauthorized,
    UnknownLanguage,
    UnsupportedPair,
)
from dragoman.server import openapi
from dragoman.server.body import media_type_of, read_body, with_body
from dragoman.server.cached import Cached
from dragoman.server.dialects.libretranslate_shapes import (
    MAX_ALTERNATIVES,
    DetectBody,
    FileBody,
    FrontendSettings,
    Guess,
    LibreFailure,
    SharedFailure,
    Spoken,
    TranslateBody,
    Translated,
    TranslatedFile,
)
from dragoman.server.dialects.offered import offered
from dragoman.server.disconnect import ClientLeft, until_client_leaves
from dragoman.server.document_routes import FORM_BYTES, as_attachment
from dragoman.server.documents import Documents
from dragoman.server.endpoint import Endpoint, json_answer
from dragoman.server.gate import Caller
from dragoman.server.handlers import server_timing, timeout_s_of
from dragoman.server.heartbeat import patient
from dragoman.server.openapi import Operation
from dragoman.server.parameters import MULTIPART, URL_ENCODED, Parameters
from dragoman.server.problems import TYPES, Failure
from dragoman.server.service import Service, translations_of
from dragoman.types import Detected, Format, Pair, TranslateRequest, Translation, Wishes

T = TypeVar("T")

STATUSES = {
    TYPES[Unauthorized]: 403,
    TYPES[QuotaExceeded]: 403,
    TYPES[TooLarge]: 400,
    TYPES[UnknownLanguage]: 400,
    TYPES[UnsupportedPair]: 400,
}
"""Where LibreTranslate has another status than Dragoman: Mastodon takes 403 for a used up quota, and 429 for haste."""

FORMATS: dict[str, Format] = {"text": "text", "html": "html"}


def libretranslate_failure(failure: Failure) -> Response:
    """LibreTranslate's shape and statuses."""
    problem, headers = failure
    slow = "Slowdown: " if problem.type == TYPES[TooManyRequests] else ""
    return json_answer(LibreFailure(slow + problem.detail), headers, STATUSES.get(problem.type, problem.status))


def shared_failure(failure: Failure) -> Response:
    """The shape of what goes wrong at `/translate` before it is known whose request it is."""
    problem, headers = failure
    return json_answer(SharedFailure(problem.detail, error=problem.detail), headers, problem.status)


def routes(service: Service) -> list[Route]:
    """All of LibreTranslate's routes but `/translate`, which is shared, and `/health`, which ours answers."""
    operations = _operations(LibreTranslate(service))
    spec = Cached(openapi.document(operations, version("dragoman")), "application/json")
    return [
        *(Route(one.path, one.endpoint, methods=[one.method]) for one in operations if one.path != "/translate"),
        Route("/spec", Endpoint(spec, libretranslate_failure), methods=["GET"]),
    ]


def shared_translate(service: Service, native: Endpoint) -> Endpoint:
    """`POST /translate` for both: `native` answers a body with a `text`, LibreTranslate's handler one with a `q`."""
    libretranslate = Endpoint(LibreTranslate(service).translate, libretranslate_failure)
    max_bytes = service.settings.max_body_bytes

    async def dispatch(request: Request) -> Response:
        body = await read_body(request, max_bytes)
        names = await Parameters.read(with_body(request, body), max_bytes)
        if "text" in names:
            return await native.answer(with_body(request, body))
        if "q" in names:
            return await libretranslate.answer(with_body(request, body))
        raise InvalidRequest(
            "Nothing to translate: send a 'text', or a 'q' as LibreTranslate's clients do.", field="text"
        )

    return Endpoint(dispatch, shared_failure)


class LibreTranslate:
    """The handlers."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def translate(self, request: Request) -> Response:
        """`POST /translate`"""
        asked = await Parameters.read(request, self._service.settings.max_body_bytes)
        caller = await self._admit(asked)
        texts = asked.texts("q")
        if media_type_of(request) in (URL_ENCODED, MULTIPART):
            texts = [_as_typed(text) for text in texts]
        wanted = _wanted(asked, texts, timeout_s_of(request))
        as_list = asked.is_array("q") or len(texts) != 1
        return await patient(self._translated(request, wanted, caller, as_list), request, libretranslate_failure)

    async def detect(self, request: Request) -> Response:
        """`POST /detect`"""
        asked = await Parameters.read(request, self._service.settings.max_body_bytes)
        caller = await self._admit(asked)
        (detected,) = await self._service.detect([_required(asked, "q")], caller)
        return json_answer([_guess(detected)])

    async def languages(self, request: Request) -> Response:
        """`GET /languages`"""
        listed = await asyncio.to_thread(_listed, self._service.translator.info.pairs)
        return Response(listed, media_type="application/json")

    async def translate_file(self, request: Request) -> Response:
        """`POST /translate_file`"""
        documents = self._documents()
        asked = await Parameters.read(request, documents.max_bytes + FORM_BYTES)
        caller = await self._admit(asked)
        file = asked.file("file")
        if file is None:
            raise InvalidRequest("The file is missing: send it as the field 'file' of a multipart form.", field="file")
        wanted = _wanted(asked, [], None)
        receipt = await documents.submit(file.data, file.filename, wanted, caller)
        return await patient(self._translated_file(request, documents, receipt.id), request, libretranslate_failure)

    async def download_file(self, request: Request) -> Response:
        """`GET /download_file/{name}`: whoever knows the name may have it, for a link carries no key."""
        result = await self._documents().result(request.path_params["name"].partition(".")[0])
        return Response(result.data, headers=as_attachment(result.filename), media_type=result.media_type)

    async def frontend_settings(self, request: Request) -> Response:
        """`GET /frontend/settings`"""
        keys = await self._needs_keys()
        documents = self._service.documents
        return json_answer(
            FrontendSettings(
                char_limit=self._service.settings.max_characters,
                api_keys=keys,
                key_required=keys,
                files_translation=documents is not None,
                supported_files_format=[suffix for family in FAMILIES for suffix in family.suffixes]
                if documents
                else [],
            )
        )

    async def suggest(self, request: Request) -> Response:
        """`POST /suggest`"""
        raise Forbidden("Suggestions are off: the operator adds people's translations with `dragoman memory import`.")

    async def _translated(self, request: Request, wanted: TranslateRequest, caller: Caller, as_list: bool) -> Response:
        done = translations_of(await self._service.translate(request, wanted, caller))
        return json_answer(_answer(done, wanted, as_list), server_timing(list(done)))

    async def _translated_file(self, request: Request, documents: Documents, document_id: str) -> Response:
        try:
            status = await until_client_leaves(documents.finished(document_id), request.receive)
        except ClientLeft:  # nobody was told where it is
            await documents.delete(document_id)
            raise
        if status.state == "error":
            raise InvalidRequest(f"The file could not be translated: {status.message}", field="file")
        name = quote(f"{status.id}.{status.filename}")
        return json_answer(TranslatedFile(f"{request.base_url}download_file/{name}"))

    def _documents(self) -> Documents:
        if self._service.documents is None:
            raise Forbidden("Files are not translated here; send their text to /translate.")
        return self._service.documents

    async def _admit(self, asked: Parameters) -> Caller:
        """Raises InvalidRequest without a key and Unauthorized for a wrong one: LibreTranslate tells them apart."""
        key = asked.text("api_key") or None
        try:
            return await self._service.gate.admit(key)
        except Unauthorized as error:
            if key is None:
                raise InvalidRequest(error.message, field="api_key") from error
            raise

    async def _needs_keys(self) -> bool:
        try:
            await self._service.gate.admit(None)
        except Unauthorized:
            return True
        return False


def _operations(handlers: LibreTranslate) -> list[Operation]:
    failures = (400, 403, 415, 429, 500, 502, 503, 504)
    return [
        Operation(
            method="POST",
            path="/translate",
            endpoint=Endpoint(handlers.translate, libretranslate_failure),
            summary="Translate texts",
            description="JSON, a form of either kind, or a query. The path is shared with Dragoman's own requests: "
            "they have a `text`, these a `q`.",
            request=TranslateBody,
            example={"q": "Good morning.", "source": "auto", "target": "de", "format": "text"},
            answer=Translated,
            failure=LibreFailure,
            failures=failures,
        ),
        Operation(
            method="POST",
            path="/detect",
            endpoint=Endpoint(handlers.detect, libretranslate_failure),
            summary="Tell the language of a text",
            description="A list with one guess.",
            request=DetectBody,
            example={"q": "Guten Morgen."},
            answer=Guess,
            array=True,
            failure=LibreFailure,
            failures=(400, 403, 415, 429),
        ),
        Operation(
            method="GET",
            path="/languages",
            endpoint=Endpoint(handlers.languages, libretranslate_failure),
            summary="List the languages",
            description="All of them with their targets.",
            answer=Spoken,
            array=True,
            failure=LibreFailure,
        ),
        Operation(
            method="POST",
            path="/translate_file",
            endpoint=Endpoint(handlers.translate_file, libretranslate_failure),
            summary="Translate a file",
            description="A multipart form. The answer comes when the translated file can be fetched.",
            request=FileBody,
            request_type=MULTIPART,
            example={"file": "...", "source": "en", "target": "de"},
            answer=TranslatedFile,
            failure=LibreFailure,
            failures=failures,
        ),
        Operation(
            method="GET",
            path="/download_file/{name}",
            endpoint=Endpoint(handlers.download_file, libretranslate_failure),
            summary="Fetch a translated file",
            description="The address that `/translate_file` gave.",
            answer=None,
            failure=LibreFailure,
            failures=(400, 403, 404),
        ),
        Operation(
            method="GET",
            path="/frontend/settings",
            endpoint=Endpoint(handlers.frontend_settings, libretranslate_failure),
            summary="What a page needs to know",
            description="Limits, and what is on.",
            answer=FrontendSettings,
            failure=LibreFailure,
        ),
        Operation(
            method="POST",
            path="/suggest",
            endpoint=Endpoint(handlers.suggest, libretranslate_failure),
            summary="Suggest a better translation",
            description="Always 403: callers cannot write into the memory.",
            answer=None,
            failure=LibreFailure,
            failures=(403,),
        ),
    ]


def _wanted(asked: Parameters, texts: Sequence[str], timeout_s: float | None) -> TranslateRequest:
    source = asked.text("source")
    return TranslateRequest(
        texts=tuple(texts),
        targets=(_required(asked, "target"),),
        source=None if source is None or source.lower() in ("", "auto") else source,
        format=_format(asked.text("format") or "text"),
        timeout_s=timeout_s,
        wishes=Wishes(alternatives=_alternatives(asked.text("alternatives") or "0")),
    )


def _required(asked: Parameters, name: str) -> str:
    value = asked.text(name)
    if not value:
        raise InvalidRequest(f"'{name}' is missing.", field=name)
    return value


def _format(word: str) -> Format:
    if word not in FORMATS:
        raise InvalidRequest(f"'format' has to be one of: {', '.join(FORMATS)}.", field="format", accepted=[*FORMATS])
    return FORMATS[word]


def _alternatives(count: str) -> int:
    if not count.isdecimal() or len(count) > 9:
        raise InvalidRequest("'alternatives' has to be a whole number of 0 or more.", field="alternatives")
    return min(int(count), MAX_ALTERNATIVES)


def _as_typed(text: str) -> str:
    """Browsers send every line break of a form's field as CR LF (HTML, section 4.10.21.4)."""
    return text.replace("\r\n", "\n")


def _answer(done: Sequence[Translation], wanted: TranslateRequest, as_list: bool) -> Translated:
    def shaped(column: list[T]) -> T | list[T]:
        return column if as_list else column[0]

    return Translated(
        translated_text=shaped([one.text for one in done]),
        detected_language=UNSET if wanted.source is not None else shaped([_guess(one.detected) for one in done]),
        alternatives=shaped([one.alternatives for one in done]) if wanted.wishes.alternatives else UNSET,
    )


def _guess(detected: Detected | None) -> Guess:
    """LibreTranslate takes a text whose language cannot be told for English, with a confidence of 0."""
    if detected is None:
        return Guess(0.0, "en")
    return Guess(round(100 * detected.confidence, 1), _spelled(detected.language))


def _spelled(code: str) -> str:
    """A code as LibreTranslate writes it: Chinese by its script, no other region than Brazil's."""
    canonical = languages.resolve(code)
    if languages.base(canonical) == "zh":
        return f"zh-{languages.script(canonical)}"
    return canonical if canonical == "pt-BR" else languages.base(canonical)


@lru_cache(maxsize=4)
def _listed(pairs: frozenset[Pair] | None) -> bytes:
    """The list as JSON, made once for an engine."""
    names = {language.code: language.display_name for language in languages.all_languages()}
    return msgspec.json.encode(
        [
            Spoken(code, names.get(code) or languages.english_name(code), targets)
            for code, targets in offered(pairs, _spelled).items()
        ]
    )

"""DeepL's API, v2 and v3, as its official clients speak it (DeepL's OpenAPI 3.11)."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dragoman import languages
from dragoman.core.plan import UNDETERMINED
from dragoman.server.dialects.deepl_documents import document_routes
from dragoman.server.dialects.deepl_endpoint import admitted, choice, late_failure, nothing_below, route
from dragoman.server.dialects.deepl_glossaries import glossary_routes
from dragoman.server.dialects.deepl_languages import language_routes
from dragoman.server.dialects.deepl_wishes import MODEL_TYPES, TAG_VERSIONS, check_offered, request_of
from dragoman.server.endpoint import json_answer
from dragoman.server.gate import Caller
from dragoman.server.heartbeat import patient
from dragoman.server.parameters import Parameters
from dragoman.server.service import Service, translations_of
from dragoman.types import TranslateRequest, Translation

NO_LIMIT = 1_000_000_000_000
"""Characters: a count without a limit beside it is no usage at all to DeepL's client."""


class TranslatedText(Struct, frozen=True, kw_only=True):
    """An entry of `translations`; what was not asked about is left out."""

    detected_source_language: str
    text: str
    billed_characters: int | UnsetType = UNSET
    model_type_used: str | UnsetType = UNSET
    tag_handling_version: str | UnsetType = UNSET


class Extras(Struct, frozen=True):
    """What is to be said of every text beside its translation."""

    billed_characters: bool
    model_type_used: str | UnsetType
    tag_handling_version: str | UnsetType

    @classmethod
    def of(cls, parameters: Parameters) -> Extras:
        """What a request asks to be told. Raises InvalidRequest."""
        model_type = choice(parameters, "model_type", MODEL_TYPES, "quality_optimized")
        tag_version = choice(parameters, "tag_handling_version", TAG_VERSIONS, "v1")
        return cls(
            parameters.flag("show_billed_characters") is True,
            MODEL_TYPES[model_type] if parameters.text("model_type") else UNSET,
            tag_version if parameters.text("tag_handling") else UNSET,
        )


class Handlers:
    """The handlers of texts and usage."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def translate(self, request: Request) -> Response:
        """`POST /v2/translate`"""
        parameters, caller = await admitted(self._service, request)
        check_offered(parameters)
        extras = Extras.of(parameters)
        wanted = await request_of(parameters, self._service, caller)
        return await patient(self._translated(request, wanted, caller, extras), request, late_failure)

    async def usage(self, request: Request) -> Response:
        """`GET /v2/usage`"""
        _, caller = await admitted(self._service, request)
        used = await self._service.gate.usage(caller)
        limit = NO_LIMIT if used.character_limit is None else used.character_limit
        return json_answer({"character_count": used.characters, "character_limit": limit})

    async def _translated(self, request: Request, wanted: TranslateRequest, caller: Caller, extras: Extras) -> Response:
        done = translations_of(await self._service.translate(request, wanted, caller))
        entries = [_entry(text, one, extras) for text, one in zip(wanted.texts, done, strict=True)]
        return json_answer({"translations": entries})


def routes(service: Service) -> list[Route]:
    """All routes of DeepL's API. What else is asked for below `/v2` and `/v3` is not found, in DeepL's shape."""
    handlers = Handlers(service)
    return [
        route("/v2/translate", POST=handlers.translate, GET=handlers.translate),
        route("/v2/usage", GET=handlers.usage, POST=handlers.usage),
        *language_routes(service),
        *glossary_routes(service),
        *document_routes(service),
        nothing_below("/v2"),
        nothing_below("/v3"),
    ]


def _entry(text: str, done: Translation, extras: Extras) -> TranslatedText:
    # What has no letters is as good as written in the target language.
    source = done.target if done.source == UNDETERMINED else done.source
    return TranslatedText(
        detected_source_language=languages.base(source).upper(),
        text=done.text,
        billed_characters=len(text) if extras.billed_characters else UNSET,
        model_type_used=extras.model_type_used,
        tag_handling_version=extras.tag_handling_version,
    )

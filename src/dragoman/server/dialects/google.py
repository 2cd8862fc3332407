"""Google Cloud Translation v2 (Basic): what its clients send becomes a native request, and back.

https://cloud.google.com/translate/docs/reference/rest/v2/translate
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from msgspec import UNSET, Struct, UnsetType
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dragoman import languages
from dragoman.errors import InvalidRequest, QuotaExceeded, TooManyRequests
from dragoman.server.dialects.offered import offered
from dragoman.server.endpoint import Endpoint, json_answer
from dragoman.server.gate import Caller
from dragoman.server.parameters import Parameters
from dragoman.server.problems import TYPES, Failure
from dragoman.server.service import Service, translations_of
from dragoman.types import Detected, Format, TranslateRequest, Translation

PATH = "/language/translate/v2"
FORMATS: dict[str, Format] = {"html": "html", "text": "text"}
UNDETERMINED = "und"
CHINESE = {"Hans": "zh-CN", "Hant": "zh-TW"}


class Status(NamedTuple):
    """What an error is to Google: an HTTP status, a name for it and a reason; `prefix` opens the message."""

    code: int
    name: str
    reason: str
    prefix: str = ""


MISTAKE = Status(400, "INVALID_ARGUMENT", "invalidParameter")
FAILURE = Status(500, "INTERNAL", "backendError")
STATUSES = {
    401: Status(403, "PERMISSION_DENIED", "forbidden"),
    403: Status(403, "PERMISSION_DENIED", "forbidden"),
    404: Status(404, "NOT_FOUND", "notFound"),
    502: Status(502, "UNAVAILABLE", "backendError"),
    503: Status(503, "UNAVAILABLE", "backendError"),
    504: Status(504, "DEADLINE_EXCEEDED", "backendError"),
}
"""By Dragoman's own status. All others below 500 are a mistake to Google, also what is too large."""

REFUSALS = {
    TYPES[QuotaExceeded]: Status(403, "RESOURCE_EXHAUSTED", "dailyLimitExceeded", "Daily Limit Exceeded. "),
    TYPES[TooManyRequests]: Status(403, "RESOURCE_EXHAUSTED", "userRateLimitExceeded", "User Rate Limit Exceeded. "),
}
"""By the type of the problem: Google has 403 for both."""


class Translated(Struct, frozen=True, kw_only=True, rename="camel"):
    """One text. The language is there where none was given, and `model` where one was asked for."""

    translated_text: str
    detected_source_language: str | UnsetType = UNSET
    model: str | UnsetType = UNSET


class Guess(Struct, frozen=True, kw_only=True, rename="camel"):
    """A language, and how sure it is, 0 to 1. Google calls `isReliable` deprecated and always says false."""

    language: str
    confidence: float
    is_reliable: bool = False


class Spoken(Struct, frozen=True):
    """A language; its name is there where a language for names was given."""

    language: str
    name: str | UnsetType = UNSET


class Detail(Struct, frozen=True):
    """One entry of an error."""

    message: str
    reason: str
    domain: str = "global"


class Error(Struct, frozen=True):
    """What went wrong; `code` is the HTTP status."""

    code: int
    message: str
    status: str
    errors: Sequence[Detail]


def google_failure(failure: Failure) -> Response:
    """Google's shape and statuses."""
    problem, headers = failure
    status = (
        REFUSALS.get(problem.type) or STATUSES.get(problem.status) or (MISTAKE if problem.status < 500 else FAILURE)
    )
    message = status.prefix + problem.detail
    error = Error(status.code, message, status.name, [Detail(message, status.reason)])
    return json_answer({"error": error}, headers, status.code)


def routes(service: Service) -> list[Route]:
    """Google's routes; every one answers GET and POST."""
    google = Google(service)
    handlers = {"": google.translate, "/detect": google.detect, "/languages": google.languages}
    return [
        *(
            Route(PATH + path, Endpoint(handler, google_failure), methods=["GET", "POST"])
            for path, handler in handlers.items()
        ),
        Route(PATH + "{rest:path}", Endpoint(google.nothing, google_failure)),
    ]


class Google:
    """The handlers."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def translate(self, request: Request) -> Response:
        """`/language/translate/v2`"""
        asked, caller = await self._read(request)
        wanted = _wanted(asked)
        done = translations_of(await self._service.translate(request, wanted, caller))
        model = asked.text("model") or UNSET
        return _data("translations", [_translated(one, wanted, model) for one in done])

    async def detect(self, request: Request) -> Response:
        """`/language/translate/v2/detect`: exactly one guess for each text, or the Python client raises."""
        asked, caller = await self._read(request)
        found = await self._service.detect(_texts(asked), caller)
        return _data("detections", [[_guess(one)] for one in found])

    async def languages(self, request: Request) -> Response:
        """`/language/translate/v2/languages`"""
        asked, _ = await self._read(request)
        reader = asked.text("target")
        codes = offered(self._service.translator.info.pairs, _spelled)
        if not reader:
            return _data("languages", [Spoken(code) for code in codes])
        return _data("languages", await asyncio.to_thread(_named, list(codes), reader))

    async def nothing(self, request: Request) -> Response:
        """Any other path below, and any other method: Google knows no 405."""
        raise HTTPException(404)

    async def _read(self, request: Request) -> tuple[Parameters, Caller]:
        """The parameters, and the caller by `key`, `X-goog-api-key` or a bearer token."""
        asked = await Parameters.read(request, self._service.settings.max_body_bytes)
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        bearer = token.strip() if scheme.lower() == "bearer" else ""
        key = asked.text("key") or request.headers.get("x-goog-api-key") or bearer or None
        return asked, await self._service.gate.admit(key)


def _wanted(asked: Parameters) -> TranslateRequest:
    target, source = asked.text("target"), asked.text("source")
    if not target:
        raise InvalidRequest("Required parameter: target. Say which language to translate into.", field="target")
    return TranslateRequest(
        texts=tuple(_texts(asked)),
        targets=(target,),
        source=None if source is None or source.lower() in ("", "auto") else source,
        format=_format(asked.text("format") or "html"),
    )


def _texts(asked: Parameters) -> list[str]:
    texts = asked.texts("q")
    if not texts:
        raise InvalidRequest("Required parameter: q. Say what to translate.", field="q")
    return texts


def _format(word: str) -> Format:
    if word not in FORMATS:
        raise InvalidRequest(f"'format' has to be one of: {', '.join(FORMATS)}.", field="format", accepted=[*FORMATS])
    return FORMATS[word]


def _translated(done: Translation, wanted: TranslateRequest, model: str | UnsetType) -> Translated:
    detected = UNSET if wanted.source is not None else _guess(done.detected).language
    return Translated(translated_text=done.text, detected_source_language=detected, model=model)


def _guess(detected: Detected | None) -> Guess:
    if detected is None:
        return Guess(language=UNDETERMINED, confidence=0.0)
    return Guess(language=_spelled(detected.language), confidence=round(detected.confidence, 3))


def _spelled(code: str) -> str:
    """A code as Google writes it: Chinese by a country, other languages without script or region."""
    base = languages.base(code)
    return CHINESE[languages.script(code)] if base == "zh" else base


def _named(codes: Sequence[str], reader: str) -> list[Spoken]:
    return [Spoken(code, languages.name_in(reader, code)) for code in codes]


def _data(name: str, items: Sequence[object]) -> Response:
    return json_answer({"data": {name: items}})

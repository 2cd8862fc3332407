"""What each route does, in a few lines over ready objects."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from dragoman.errors import DragomanError, InvalidRequest, TooLarge, UnknownGlossary
from dragoman.languages import all_languages
from dragoman.memory.glossaries import Glossaries
from dragoman.server.body import JsonBody
from dragoman.server.cached import Cached
from dragoman.server.disconnect import until_client_leaves
from dragoman.server.endpoint import json_answer
from dragoman.server.problems import status_of
from dragoman.server.request_id import request_id_of
from dragoman.server.schemas import (
    BatchAnswer,
    BatchRequest,
    Health,
    Languages,
    NativeAnswer,
    NativeRequest,
    SimpleRequest,
    SimpleSuccess,
    native_items,
    not_a_text,
    simple_result,
)
from dragoman.settings import Settings
from dragoman.types import Glossary, Timings, TranslateRequest, Translation

if TYPE_CHECKING:
    from dragoman.core.translator import Translator

Outcomes = list[Translation | DragomanError]


class Handlers:
    """The handlers of Dragoman's own routes."""

    def __init__(self, translator: Translator, settings: Settings, glossaries: Glossaries | None = None) -> None:
        self._translator = translator
        self._glossaries = glossaries
        self._max_characters = settings.max_characters
        self._simple = JsonBody(SimpleRequest, settings.max_body_bytes)
        self._batch = JsonBody(BatchRequest, settings.max_body_bytes)
        self._native = JsonBody(NativeRequest, settings.max_body_bytes)
        self._languages: Cached | None = None

    async def translate(self, request: Request) -> Response:
        """`POST /translate`"""
        asked = await self._simple.read(request)
        (outcome,) = await self._run(request, asked.wanted(_timeout_s(request)))
        if isinstance(outcome, DragomanError):
            raise outcome
        return json_answer(SimpleSuccess(outcome.text), _server_timing([outcome]))

    async def batch_translate(self, request: Request) -> Response:
        """`POST /batch-translate`"""
        asked = await self._batch.read(request)
        checked = [self._checked_item(item) for item in asked.texts]
        texts = [item for item in checked if isinstance(item, str)]
        outcomes = await self._run(request, asked.wanted(texts, _timeout_s(request))) if texts else []
        done = iter(outcomes)
        results = [next(done) if isinstance(item, str) else item for item in checked]
        request_id = request_id_of(request.scope)
        return json_answer(BatchAnswer([simple_result(one, request_id) for one in results]), _server_timing(outcomes))

    async def native_translate(self, request: Request) -> Response:
        """`POST /v1/translate`"""
        asked = await self._native.read(request)
        wanted = asked.wanted(_timeout_s(request), [await self._glossary(name) for name in asked.glossary_names])
        outcomes = await self._run(request, wanted)
        items = native_items(wanted, outcomes, request_id_of(request.scope))
        return json_answer(NativeAnswer(items), _server_timing(outcomes), _status_of(outcomes))

    async def list_languages(self, request: Request) -> Response:
        """`GET /v1/languages`"""
        if self._languages is None:
            self._languages = await asyncio.to_thread(_cached_languages)
        return await self._languages(request)

    async def health(self, request: Request) -> Response:
        """`GET /health`: touches nothing that could be busy."""
        return json_answer(Health())

    async def ready(self, request: Request) -> Response:
        """`GET /ready`"""
        readiness = self._translator.readiness
        return json_answer(readiness, status=200 if readiness.ready else 503)

    async def _glossary(self, name: str) -> Glossary:
        if self._glossaries is None:
            raise UnknownGlossary(f"There is no glossary {name}: none are kept here.", field="glossary")
        return await self._glossaries.load(name)

    async def _run(self, request: Request, wanted: TranslateRequest) -> Outcomes:
        return await until_client_leaves(self._translator.translate(wanted), request.receive)

    def _checked_item(self, item: object) -> str | InvalidRequest:
        """An item of a batch that could not be translated alone must not take the others down."""
        if not isinstance(item, str):
            return not_a_text(item)
        if len(item) > self._max_characters:
            message = f"The text has {len(item)} characters; at most {self._max_characters} are taken."
            return TooLarge(message, field="texts", limit=self._max_characters)
        return item


def _timeout_s(request: Request) -> float | None:
    """The header `X-Request-Timeout`, in seconds."""
    header = request.headers.get("x-request-timeout")
    if header is None:
        return None
    try:
        timeout_s = float(header)
    except ValueError:
        timeout_s = math.nan
    if not 0 < timeout_s < math.inf:
        raise InvalidRequest("X-Request-Timeout must be a number of seconds above 0.", field="X-Request-Timeout")
    return timeout_s


def _status_of(outcomes: Sequence[Translation | DragomanError]) -> int:
    """200 while anything was translated, else the status of what failed first."""
    failed = [outcome for outcome in outcomes if isinstance(outcome, DragomanError)]
    return status_of(failed[0]) if len(failed) == len(outcomes) else 200


def _server_timing(outcomes: Sequence[Translation | DragomanError]) -> dict[str, str]:
    """The stage times of the slowest translation (W3C Server Timing, milliseconds)."""
    done = [outcome.timings for outcome in outcomes if isinstance(outcome, Translation)]
    slowest = max(done, key=lambda timings: timings.total_ms, default=None)
    return {} if slowest is None else {"Server-Timing": _stages(slowest)}


def _stages(timings: Timings) -> str:
    return (
        f"prepare;dur={timings.prepare_ms:.3f}, queue;dur={timings.queue_ms:.3f}, "
        f"engine;dur={timings.engine_ms:.3f}, total;dur={timings.total_ms:.3f}"
    )


def _cached_languages() -> Cached:
    """Made on the first request and off the loop: the names come out of a library's files."""
    return Cached(msgspec.json.encode(Languages(all_languages())), "application/json")

"""What each route does, in a few lines over ready objects."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from dragoman.errors import DragomanError, InvalidRequest, TooLarge
from dragoman.languages import all_languages
from dragoman.server.body import JsonBody
from dragoman.server.cached import Cached
from dragoman.server.endpoint import json_answer, native_failure
from dragoman.server.gate import native_key
from dragoman.server.live.stream import EventStream
from dragoman.server.live.wire import NativeEvents
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
from dragoman.server.service import Service
from dragoman.types import Timings, Translation


class Handlers:
    """The handlers of Dragoman's own routes."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._max_characters = service.settings.max_characters
        self._simple = JsonBody(SimpleRequest, service.settings.max_body_bytes)
        self._batch = JsonBody(BatchRequest, service.settings.max_body_bytes)
        self._native = JsonBody(NativeRequest, service.settings.max_body_bytes)
        self._languages: Cached | None = None

    async def translate(self, request: Request) -> Response:
        """`POST /translate`"""
        caller = await self._service.gate.admit(native_key(request))
        asked = await self._simple.read(request)
        (outcome,) = await self._service.translate(request, asked.wanted(timeout_s_of(request)), caller)
        if isinstance(outcome, DragomanError):
            raise outcome
        return json_answer(SimpleSuccess(outcome.text), server_timing([outcome]))

    async def batch_translate(self, request: Request) -> Response:
        """`POST /batch-translate`"""
        caller = await self._service.gate.admit(native_key(request))
        asked = await self._batch.read(request)
        checked = [self._checked_item(item) for item in asked.texts]
        texts = [item for item in checked if isinstance(item, str)]
        wanted = asked.wanted(texts, timeout_s_of(request))
        outcomes = await self._service.translate(request, wanted, caller) if texts else []
        done = iter(outcomes)
        results = [next(done) if isinstance(item, str) else item for item in checked]
        request_id = request_id_of(request.scope)
        return json_answer(BatchAnswer([simple_result(one, request_id) for one in results]), server_timing(outcomes))

    async def native_translate(self, request: Request) -> Response:
        """`POST /v1/translate`"""
        caller = await self._service.gate.admit(native_key(request))
        asked = await self._native.read(request)
        wanted = asked.wanted(timeout_s_of(request), await self._service.glossaries_of(asked.glossary_names, caller))
        if asked.stream:
            events = NativeEvents(request_id_of(request.scope))
            return EventStream(self._service.stream(wanted, caller), events, native_failure)
        outcomes = await self._service.translate(request, wanted, caller)
        items = native_items(wanted, outcomes, request_id_of(request.scope))
        return json_answer(NativeAnswer(items), server_timing(outcomes), _status_of(outcomes))

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
        readiness = self._service.translator.readiness
        return json_answer(readiness, status=200 if readiness.ready else 503)

    def _checked_item(self, item: object) -> str | InvalidRequest:
        """An item of a batch that could not be translated alone must not take the others down."""
        if not isinstance(item, str):
            return not_a_text(item)
        if len(item) > self._max_characters:
            message = f"The text has {len(item)} characters; at most {self._max_characters} are taken."
            return TooLarge(message, field="texts", limit=self._max_characters)
        return item


def timeout_s_of(request: Request) -> float | None:
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


def server_timing(outcomes: Sequence[Translation | DragomanError]) -> dict[str, str]:
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

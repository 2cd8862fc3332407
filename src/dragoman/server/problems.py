"""What goes wrong, as callers see it: the one table from errors to status codes, and RFC 9457 problem details."""

from __future__ import annotations

import logging
import math
import re
import traceback
from http import HTTPStatus
from typing import NamedTuple

from msgspec import Struct
from starlette.exceptions import HTTPException

from dragoman.errors import (
    BadOutput,
    ConfigurationError,
    ConversationFull,
    DeadlineExceeded,
    DocumentNotReady,
    DocumentTaken,
    DragomanError,
    EngineError,
    EngineRejected,
    EngineTimeout,
    EngineUnavailable,
    Forbidden,
    InputChanged,
    InvalidRequest,
    JobNotReady,
    LedgerError,
    MissingExtra,
    OutputTruncated,
    Overloaded,
    QuotaExceeded,
    Refused,
    ShuttingDown,
    StatusRejected,
    TooLarge,
    TooManyRequests,
    Unauthorized,
    Unfaithful,
    UnknownConversation,
    UnknownDocument,
    UnknownGlossary,
    UnknownJob,
    UnknownKey,
    UnknownLanguage,
    UnreadableTable,
    UnsupportedPair,
)

log = logging.getLogger(__name__)


class UnsupportedMedia(InvalidRequest):
    """The body is of a kind, or coded in a way, that this route does not read."""


class IdempotencyKeyReused(InvalidRequest):
    """The key of this request came with another one before."""


class Kind(NamedTuple):
    """What a class of errors is to HTTP."""

    status: int
    title: str


KINDS: dict[type[DragomanError], Kind] = {
    DragomanError: Kind(500, "Internal error"),
    InvalidRequest: Kind(400, "The request cannot be understood"),
    UnknownLanguage: Kind(422, "No such language"),
    UnsupportedPair: Kind(422, "The engine does not translate this pair"),
    UnknownGlossary: Kind(404, "No such glossary"),
    UnknownDocument: Kind(404, "No such document"),
    DocumentNotReady: Kind(409, "The document is not ready"),
    DocumentTaken: Kind(410, "The document was fetched"),
    UnknownKey: Kind(404, "No such key"),
    UnknownJob: Kind(404, "No such job"),
    UnknownConversation: Kind(404, "No such conversation"),
    ConversationFull: Kind(409, "The conversation is full"),
    JobNotReady: Kind(409, "The job is not ready for this"),
    InputChanged: Kind(409, "The job's input changed"),
    UnreadableTable: Kind(422, "The table cannot be read"),
    LedgerError: Kind(507, "The job's files cannot be written"),
    TooLarge: Kind(413, "The request is too large"),
    IdempotencyKeyReused: Kind(422, "The idempotency key was used before"),
    UnsupportedMedia: Kind(415, "The body is of an unsupported kind"),
    Refused: Kind(403, "Not allowed"),
    Unauthorized: Kind(401, "A valid key is needed"),
    Forbidden: Kind(403, "The key does not allow this"),
    QuotaExceeded: Kind(429, "The quota is used up"),
    TooManyRequests: Kind(429, "Too many requests"),
    Overloaded: Kind(503, "Too much work is waiting"),
    ShuttingDown: Kind(503, "The server is stopping"),
    DeadlineExceeded: Kind(504, "Time ran out"),
    EngineError: Kind(502, "The engine failed"),
    EngineUnavailable: Kind(502, "The engine cannot be reached"),
    EngineTimeout: Kind(504, "The engine did not answer in time"),
    EngineRejected: Kind(502, "The engine refused"),
    StatusRejected: Kind(502, "The engine refused"),
    BadOutput: Kind(502, "The engine's answer is no translation"),
    OutputTruncated: Kind(502, "The engine's answer was cut off"),
    Unfaithful: Kind(502, "The translation kept a fault"),
    ConfigurationError: Kind(500, "Internal error"),
    MissingExtra: Kind(501, "Not installed on this server"),
}
"""The one table from errors to status codes. A class that is not in it counts as its nearest parent."""


class Problem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Problem details (RFC 9457). `type` is a link to the documentation of this kind of problem.

    `field` names the part of the request at fault, `limit` is what it passed, `accepted` are values that would do.
    """

    type: str
    title: str
    status: int
    detail: str
    field: str | None = None
    limit: int | None = None
    accepted: tuple[str, ...] = ()
    engine: str | None = None


class Failure(NamedTuple):
    """A problem and the headers that go with it; each dialect writes it in its own shape."""

    problem: Problem
    headers: dict[str, str]


def type_of(error_class: type[DragomanError]) -> str:
    """The `type` of a class of errors, as `/docs#unknown-language`."""
    return "/docs#" + re.sub(r"(?<!^)(?=[A-Z])", "-", error_class.__name__).lower()


TYPES: dict[type[DragomanError], str] = {error_class: type_of(error_class) for error_class in KINDS}


def status_of(error: DragomanError) -> int:
    """The status code of an answer that is nothing but this error."""
    return KINDS[_known_class(error)].status


def problem_of(error: DragomanError, request_id: str) -> Problem:
    """An error that Dragoman raised on purpose, as a problem. What only concerns the operator is logged, not told."""
    known = _known_class(error)
    kind = KINDS[known]
    if kind.status == HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("Request %s failed: %s: %s", request_id, type(error).__name__, error.message)
        return internal_problem(request_id)
    return Problem(
        type=TYPES[known],
        title=kind.title,
        status=kind.status,
        detail=error.message,
        field=getattr(error, "field", None),
        limit=getattr(error, "limit", None),
        accepted=getattr(error, "accepted", ()),
        engine=getattr(error, "engine", None),
    )


def failure_of(error: Exception, request_id: str) -> Failure:
    """Any exception as what the caller is told. Unexpected ones are logged without their message: it may hold text."""
    if isinstance(error, DragomanError):
        return Failure(problem_of(error, request_id), _headers_of(error))
    if isinstance(error, HTTPException):
        return Failure(_http_problem(error), dict(error.headers or {}))
    frames = "".join(traceback.format_tb(error.__traceback__))
    log.error("Request %s failed. This is a bug: %s at\n%s", request_id, type(error).__name__, frames)
    return Failure(internal_problem(request_id), {})


def internal_problem(request_id: str) -> Problem:
    """What a caller is told of a mistake that is not theirs."""
    kind = KINDS[DragomanError]
    detail = f"The server failed. Its log says more under the request id {request_id}."
    return Problem(type=TYPES[DragomanError], title=kind.title, status=kind.status, detail=detail)


def _known_class(error: DragomanError) -> type[DragomanError]:
    """Its class, or for an engine's own class the nearest parent that the table holds."""
    return next(parent for parent in type(error).__mro__ if parent in KINDS)


def _headers_of(error: DragomanError) -> dict[str, str]:
    if isinstance(error, Overloaded | TooManyRequests):
        return {"Retry-After": str(max(1, math.ceil(error.retry_after_s)))}
    if isinstance(error, ShuttingDown):
        return {"Retry-After": "5", "Connection": "close"}
    if isinstance(error, Unauthorized):
        return {"WWW-Authenticate": "Bearer"}
    if isinstance(error, UnsupportedMedia):
        return {"Accept-Encoding": "identity"}
    return {}


def _http_problem(error: HTTPException) -> Problem:
    """What Starlette refuses: RFC 9457 has `about:blank` for a problem that the status says all of."""
    title = HTTPStatus(error.status_code).phrase
    allowed = tuple(sorted((error.headers or {}).get("Allow", "").replace(",", " ").split()))
    detail = {
        404: "Nothing is served at this path. GET /docs shows what is.",
        405: f"This path does not answer that method; it answers {', '.join(allowed)}.",
    }.get(error.status_code, error.detail)
    return Problem(type="about:blank", title=title, status=error.status_code, detail=detail, accepted=allowed)

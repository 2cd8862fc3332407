"""The OpenAPI 3.1 document, made from the table of routes and the types of `schemas`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from msgspec import Struct

from dragoman.server.endpoint import Endpoint
from dragoman.server.problems import KINDS, TYPES, Problem
from dragoman.server.schemas import FailedItem, SimpleFailure, SimpleSuccess, TranslatedItem

Json = dict[str, Any]

REFERENCE = "#/components/schemas/{name}"

TRANSLATE_FAILURES = (400, 413, 415, 422, 500, 502, 503, 504)
"""What a request to translate can come to; every one of them is in the table of `problems`."""

TIMEOUT_HEADER: Json = {
    "name": "X-Request-Timeout",
    "in": "header",
    "description": "seconds the translation may take",
    "schema": {"type": "number", "exclusiveMinimum": 0},
}
ANSWER_HEADERS: Json = {
    "X-Request-ID": {"description": "the id of the request: the caller's or a new one", "schema": {"type": "string"}}
}
STAGE_HEADERS: Json = {
    "Server-Timing": {"description": "stage times in milliseconds", "schema": {"type": "string"}},
    **ANSWER_HEADERS,
}
RETRY_HEADERS: Json = {
    "Retry-After": {"description": "seconds to wait before another try", "schema": {"type": "integer"}},
    **ANSWER_HEADERS,
}


class Operation(Struct, frozen=True, kw_only=True):
    """One method of one path: what runs it, and what the documentation says of it.

    `failure` is the type of its error bodies, `failures` are the statuses they come with. `request` is None where
    there is no body; then `example` is not used. `all_failed` are the statuses that come with the answer's own type,
    each of its items holding an error.
    """

    method: str
    path: str
    endpoint: Endpoint
    summary: str
    description: str
    answer: type[Struct]
    request: type[Struct] | None = None
    example: Json = {}
    failure: type[Struct] = Problem
    failures: Sequence[int] = ()
    all_failed: Sequence[int] = ()


def document(operations: Iterable[Operation], version: str) -> bytes:
    """The OpenAPI document of some routes, as JSON."""
    listed = list(operations)
    paths: Json = {}
    for operation in listed:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "Dragoman",
                "version": version,
                "summary": "A self-hosted translation server",
            },
            "servers": [{"url": "/"}],
            "paths": paths,
            "components": {"schemas": _schemas(listed)},
            "x-problem-types": [
                {"type": TYPES[error_class], "status": kind.status, "title": kind.title}
                for error_class, kind in KINDS.items()
            ],
        }
    )


def _operation(operation: Operation) -> Json:
    described: Json = {
        "operationId": f"{operation.method.lower()}{operation.path.replace('/', '_').replace('-', '_')}",
        "summary": operation.summary,
        "description": operation.description,
        "responses": _responses(operation),
    }
    if operation.request is not None:
        media = {"schema": _reference(operation.request), "example": operation.example}
        described["parameters"] = [TIMEOUT_HEADER]
        described["requestBody"] = {"required": True, "content": {"application/json": media}}
    return described


def _responses(operation: Operation) -> Json:
    headers = ANSWER_HEADERS if operation.request is None else STAGE_HEADERS
    responses = {"200": _response(200, headers, operation.answer)}
    for status in operation.failures:
        bodies = [operation.failure, *([operation.answer] if status in operation.all_failed else [])]
        responses[str(status)] = _response(status, RETRY_HEADERS if status == 503 else ANSWER_HEADERS, *bodies)
    return responses


def _response(status: int, headers: Json, *bodies: type[Struct]) -> Json:
    content = {_media_type(body): {"schema": _reference(body)} for body in bodies}
    return {"description": HTTPStatus(status).phrase, "headers": headers, "content": content}


def _media_type(body: type[Struct]) -> str:
    return "application/problem+json" if body is Problem else "application/json"


def _reference(type_: type[Struct]) -> Json:
    return {"$ref": REFERENCE.format(name=type_.__name__)}


def _schemas(operations: Sequence[Operation]) -> Json:
    """Every type that an operation names, and those that lists of several types hold."""
    types: list[type[Struct]] = [TranslatedItem, FailedItem, SimpleSuccess, SimpleFailure]
    for operation in operations:
        types += [operation.answer, operation.failure]
        types += [operation.request] if operation.request is not None else []
    _, schemas = msgspec.json.schema_components(types, ref_template=REFERENCE)
    return schemas

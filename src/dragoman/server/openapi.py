"""The OpenAPI 3.1 document, made from the table of routes and the types of `schemas`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from msgspec import Struct

from dragoman.server.endpoint import Endpoint
from dragoman.server.gate import Scope
from dragoman.server.problems import KINDS, TYPES, Problem
from dragoman.server.schemas import FailedItem, SimpleFailure, SimpleSuccess, TranslatedItem

Json = dict[str, Any]

EVENTS = "text/event-stream"
REFERENCE = "#/components/schemas/{name}"

TRANSLATE_FAILURES = (400, 404, 413, 415, 422, 429, 500, 502, 503, 504)
"""What a request to translate can come to; every one of them is in the table of `problems`."""

KEY_FAILURES = (401, 403)
"""What any request can come to where keys are asked for."""

SECURITY_SCHEMES: Json = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "an API key, where the server asks for keys"},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "the same"},
}
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
    each of its items holding an error. `answer` None is an answer without a body; with `array` it is a list of such.
    `also` are media types that bodies come in beside JSON, both ways; `request_type` is the media type of a body that
    is not JSON, and `form` the type of a body that may come as a form too. `parameters` are those that are not in the
    path, as OpenAPI describes them. `also_status` comes with the same answer. With `streams` it may also answer with
    server-sent events. `scope` is what a key needs for it, None where no key is asked for.
    """

    method: str
    path: str
    endpoint: Endpoint
    summary: str
    description: str
    answer: type[Struct] | None
    array: bool = False
    status: int = 200
    also: Sequence[str] = ()
    request: type[Struct] | None = None
    request_type: str = "application/json"
    form: type[Struct] | None = None
    parameters: Sequence[Json] = ()
    also_status: int | None = None
    example: Json = {}
    failure: type[Struct] = Problem
    failures: Sequence[int] = ()
    all_failed: Sequence[int] = ()
    scope: Scope | None = None
    streams: bool = False


def document(operations: Iterable[Operation], version: str) -> bytes:
    """The OpenAPI document of some routes, as JSON."""
    listed = list(operations)
    paths: Json = {}
    for operation in listed:
        paths.setdefault(_template(operation), {})[operation.method.lower()] = _operation(operation)
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
            "components": {"schemas": _schemas(listed), "securitySchemes": SECURITY_SCHEMES},
            "x-problem-types": [
                {"type": TYPES[error_class], "status": kind.status, "title": kind.title}
                for error_class, kind in KINDS.items()
            ],
        }
    )


def _operation(operation: Operation) -> Json:
    described: Json = {
        "operationId": operation.method.lower() + re.sub("[^a-z0-9]+", "_", _template(operation)).rstrip("_"),
        "summary": operation.summary,
        "description": operation.description,
        "responses": _responses(operation),
    }
    if operation.request is not None:
        media = {"schema": _reference(operation.request), "example": operation.example}
        content = {operation.request_type: media} | _texts(operation)
        if operation.form is not None:
            content["multipart/form-data"] = {"schema": _reference(operation.form)}
        described["requestBody"] = {"required": True, "content": content}
    if operation.scope is not None:
        described["security"] = [{name: [operation.scope]} for name in SECURITY_SCHEMES]
    described["parameters"] = [
        *({"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in _names(operation)),
        *([TIMEOUT_HEADER] if takes_time(operation) else []),
        *operation.parameters,
    ]
    return described


def takes_time(operation: Operation) -> bool:
    """Whether its time can run out, so that callers may say how much there is and are told where it went."""
    return HTTPStatus.GATEWAY_TIMEOUT in operation.failures


def _names(operation: Operation) -> list[str]:
    """The parameters in its path."""
    return re.findall(r"{(\w+)}", _template(operation))


def _template(operation: Operation) -> str:
    """Its path as OpenAPI writes it, which does not say that a parameter may hold slashes."""
    return operation.path.replace(":path}", "}")


def _texts(operation: Operation) -> Json:
    return {media_type: {"schema": {"type": "string"}} for media_type in operation.also}


def _responses(operation: Operation) -> Json:
    headers = STAGE_HEADERS if takes_time(operation) else ANSWER_HEADERS
    bodies = [] if operation.answer is None else [operation.answer]
    responses = {str(operation.status): _response(operation.status, headers, *bodies)}
    if operation.also_status is not None:
        responses[str(operation.also_status)] = _response(operation.also_status, headers, *bodies)
    if operation.array:
        media = responses[str(operation.status)]["content"]["application/json"]
        media["schema"] = {"type": "array", "items": media["schema"]}
    if operation.streams:
        responses[str(operation.status)]["content"][EVENTS] = {"schema": {"type": "string"}}
    if operation.method == "GET" and operation.also:
        responses[str(operation.status)]["content"] |= _texts(operation)
    for status in sorted({*operation.failures, *(KEY_FAILURES if operation.scope else ())}):
        failed = [operation.failure, *(bodies if status in operation.all_failed else [])]
        responses[str(status)] = _response(status, RETRY_HEADERS if status in (429, 503) else ANSWER_HEADERS, *failed)
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
        named = (operation.answer, operation.failure, operation.request, operation.form)
        types += [one for one in named if one is not None]
    _, schemas = msgspec.json.schema_components(types, ref_template=REFERENCE)
    return schemas

"""The end of every DeepL route: methods, the key, the trace id and the shape of errors.

What DeepL's own clients make of a status decides the table below. 403 is a wrong key to them, 401 nothing; 429, and all
from 500 up, they send again up to five times, so that whatever another try would not help is 400.
"""

from __future__ import annotations

from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from dragoman.errors import (
    BadOutput,
    DocumentNotReady,
    DocumentTaken,
    DragomanError,
    EngineRejected,
    InvalidRequest,
    OutputTruncated,
    Overloaded,
    QuotaExceeded,
    Unauthorized,
    Unfaithful,
    UnknownLanguage,
    UnsupportedPair,
)
from dragoman.server.endpoint import Endpoint, Handler, json_answer
from dragoman.server.gate import Caller
from dragoman.server.parameters import Parameters
from dragoman.server.problems import Failure, type_of
from dragoman.server.request_id import request_id_of
from dragoman.server.service import Service

_SCHEME = "deepl-auth-key "

_STATUSES: dict[type[DragomanError], int] = {
    Unauthorized: 403,
    QuotaExceeded: 456,
    Overloaded: 429,
    UnknownLanguage: 400,
    UnsupportedPair: 400,
    EngineRejected: 400,
    BadOutput: 400,
    OutputTruncated: 400,
    Unfaithful: 400,
    DocumentNotReady: 503,
    DocumentTaken: 503,
}
"""Where DeepL's status is not the native one."""

_STATUS_BY_TYPE = {type_of(error): status for error, status in _STATUSES.items()}


class DeepLEndpoint(Endpoint):
    """An endpoint whose every answer has `X-Trace-ID`: the id of the request."""

    def __init__(self, handler: Handler) -> None:
        super().__init__(handler, deepl_failure)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        trace = (b"x-trace-id", request_id_of(scope).encode())

        async def send_traced(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"].append(trace)
            await send(message)

        await super().__call__(scope, receive, send_traced)


def deepl_failure(failure: Failure) -> Response:
    """DeepL's own shape; its clients read nothing but `message`, which has to be a string."""
    problem, headers = failure
    status = _STATUS_BY_TYPE.get(problem.type, problem.status)
    return json_answer({"message": problem.detail}, headers, status)


def late_failure(failure: Failure) -> Response:
    """What went wrong after the answer had begun. With no translations at all, DeepL's client would answer a list of
    texts with an empty list and no error; an entry that is none breaks every client.
    """
    return json_answer({"message": failure.problem.detail, "translations": [None]})


def route(path: str, **handlers: Handler) -> Route:
    """A route with a handler for each method. Refuses other methods itself, so that they are answered with a trace."""

    async def handle(request: Request) -> Response:
        if request.method not in handlers:
            raise HTTPException(405, headers={"Allow": ", ".join(handlers)})
        return await handlers[request.method](request)

    return Route(path, DeepLEndpoint(handle))


def nothing_below(path: str) -> Route:
    """All other paths below `path` are not found, in DeepL's shape."""

    async def handle(request: Request) -> Response:
        raise HTTPException(404)

    return Route(f"{path}/{{rest:path}}", DeepLEndpoint(handle))


async def admitted(service: Service, request: Request, max_body_bytes: int | None = None) -> tuple[Parameters, Caller]:
    """A request's parameters and who sent it. Raises what reading and the gate do."""
    parameters = await Parameters.read(request, max_body_bytes or service.settings.max_body_bytes)
    return parameters, await service.gate.admit(_key_of(request, parameters))


def choice(parameters: Parameters, name: str, accepted: Mapping[str, object], default: str) -> str:
    """One of a few words, of which an empty one means absent. Raises InvalidRequest that lists them."""
    word = parameters.text(name) or default
    if word not in accepted:
        words = tuple(filter(None, accepted))
        raise InvalidRequest(f"'{name}' has to be one of: {', '.join(words)}.", field=name, accepted=words)
    return word


def _key_of(request: Request, parameters: Parameters) -> str | None:
    """From the header, else from `auth_key`, where old scripts put it."""
    header = request.headers.get("authorization", "")
    if header.lower().startswith(_SCHEME):
        return header[len(_SCHEME) :].strip()
    return parameters.text("auth_key")

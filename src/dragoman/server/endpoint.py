"""One route's end: it runs a handler and gives whatever goes wrong the shape of the route's dialect."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from dragoman.errors import ShuttingDown
from dragoman.server.disconnect import ClientLeft
from dragoman.server.problems import Failure, failure_of
from dragoman.server.request_id import request_id_of
from dragoman.server.schemas import SimpleFailure

Handler = Callable[[Request], Awaitable[Response]]
ErrorShape = Callable[[Failure], Response]

STOPPED = ShuttingDown("The server stopped before the answer was there; send the request again in a moment.")


class Endpoint:
    """An ASGI app around a handler. A caller who left is not answered."""

    def __init__(self, handler: Handler, shape: ErrorShape) -> None:
        self._handler = handler
        self.shape = shape

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            response = await self.answer(Request(scope, receive))
        except ClientLeft:
            return
        await response(scope, receive, send)

    async def answer(self, request: Request) -> Response:
        """What the handler answers, or what went wrong, in this endpoint's shape. Raises ClientLeft."""
        try:
            return await self._handler(request)
        except ClientLeft:
            raise
        except asyncio.CancelledError:  # only by uvicorn, of what still runs when the grace to stop is over
            return self.shape(failure_of(STOPPED, request_id_of(request.scope)))
        except Exception as error:
            return self.shape(failure_of(error, request_id_of(request.scope)))


def json_answer(body: object, headers: dict[str, str] | None = None, status: int = 200) -> Response:
    """An answer in JSON."""
    return Response(msgspec.json.encode(body), status, headers, "application/json")


def native_failure(failure: Failure) -> Response:
    """Dragoman's own shape: problem details, RFC 9457."""
    problem, headers = failure
    return Response(msgspec.json.encode(problem), problem.status, headers, "application/problem+json")


def simple_failure(failure: Failure) -> Response:
    """The shape of `/translate` and `/batch-translate`."""
    problem, headers = failure
    return json_answer(SimpleFailure(problem.detail), headers, problem.status)


async def framework_failure(request: Request, error: Exception) -> Response:
    """What Starlette refuses (404, 405), in the shape of the route it was meant for."""
    endpoint = request.scope.get("endpoint")
    shape = endpoint.shape if isinstance(endpoint, Endpoint) else native_failure
    return shape(failure_of(error, request_id_of(request.scope)))

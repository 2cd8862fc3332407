"""Gives each request an id and each answer the headers that all of them carry."""

from __future__ import annotations

import re
from random import getrandbits

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_SANE = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")
_KEY = "dragoman.request_id"


class RequestId:
    """ASGI middleware: the caller's `X-Request-ID` if it is sane, else a new one, comes back in the answer.

    Every answer also says `X-Content-Type-Options: nosniff`, so that no browser takes a translation for a page.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = scope[_KEY] = _sane(Headers(scope=scope).get("x-request-id")) or new_request_id()
        added = ((b"x-request-id", request_id.encode()), (b"x-content-type-options", b"nosniff"))

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"].extend(added)
            await send(message)

        await self._app(scope, receive, send_with_headers)


def new_request_id() -> str:
    """An id that nothing else has."""
    return f"{getrandbits(128):032x}"


def request_id_of(scope: Scope) -> str:
    """The id that the middleware gave to a request."""
    request_id: str = scope[_KEY]
    return request_id


def _sane(request_id: str | None) -> str | None:
    return request_id if request_id and _SANE.fullmatch(request_id) else None

"""Which web pages' scripts may use the server: those of the origins that are set, and on some routes those of all."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Scope, Send

EXPOSED = ("ETag", "Location", "Retry-After", "Server-Timing", "X-Request-ID")
"""What a script may read of an answer beside the body."""


class CORS:
    """ASGI middleware: `origins` may use every route, all origins those that `public` holds.

    Cookies are never let through: a key comes with the request that needs it, so no page can borrow another's.
    """

    def __init__(self, app: ASGIApp, origins: Sequence[str], public: Sequence[BaseRoute] = ()) -> None:
        self._app = app
        self._public = public
        self._origins = origins
        self._for_all = _allowing(app, ["*"])
        self._for_some = _allowing(app, origins) if origins else app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._chosen(scope)(scope, receive, send)

    def _chosen(self, scope: Scope) -> ASGIApp:
        if scope["type"] == "websocket":
            return self._app if self._may_connect(Headers(scope=scope)) else _refused
        if scope["type"] != "http" or "origin" not in Headers(scope=scope):
            return self._app
        is_public = any(route.matches(scope)[0] is not Match.NONE for route in self._public)
        return self._for_all if is_public else self._for_some

    def _may_connect(self, headers: Headers) -> bool:
        """Whether a WebSocket may be opened: browsers ask nobody before, so a page of another origin is told from here.

        Programs send no origin.
        """
        origin = headers.get("origin")
        if origin is None or "*" in self._origins or origin in self._origins:
            return True
        return urlsplit(origin).netloc == headers.get("host")


async def _refused(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "websocket.close", "code": 1008})  # before it is accepted: status 403


def _allowing(app: ASGIApp, origins: Sequence[str]) -> CORSMiddleware:
    return CORSMiddleware(app, origins, allow_methods=["*"], allow_headers=["*"], expose_headers=EXPOSED)

"""Tools for assistants at `/mcp`: the Model Context Protocol over streamable HTTP."""

from __future__ import annotations

import asyncio
from functools import cache
from importlib import import_module
from types import ModuleType
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dragoman.errors import Forbidden, MissingExtra
from dragoman.server.endpoint import Endpoint, native_failure
from dragoman.server.gate import native_key
from dragoman.server.mcp.tools import Tools
from dragoman.server.request_id import request_id_of
from dragoman.server.service import Service

LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})


def routes(service: Service) -> list[Route]:
    """The route; GET and DELETE are 405, for there are no sessions to listen to or to end."""

    async def exchange(request: Request) -> Response:
        _check_origin(request, service)
        caller = await service.gate.admit(native_key(request))
        protocol = await asyncio.to_thread(load_protocol)
        tools = Tools(service, caller, request_id_of(request.scope))
        answer: Response = protocol.Exchange(tools, service.settings.max_body_bytes)
        return answer

    return [Route("/mcp", Endpoint(exchange, native_failure), methods=["POST"])]


@cache
def load_protocol() -> ModuleType:
    """`dragoman.server.mcp.protocol`. Raises MissingExtra where the official package is not installed."""
    try:
        return import_module("dragoman.server.mcp.protocol")
    except ModuleNotFoundError as error:
        raise MissingExtra("The Model Context Protocol", extra="mcp") from error


def _check_origin(request: Request, service: Service) -> None:
    """A page of somebody else's, come to this server by a name of its own (DNS rebinding), is told by its origin.

    The protocol asks for this: https://modelcontextprotocol.io/specification/2025-06-18/basic/transports
    """
    origin = request.headers.get("origin")
    allowed = (service.settings.cors_origins or "").split()
    if origin is None or "*" in allowed or origin in allowed or urlsplit(origin).hostname in LOOPBACK_HOSTS:
        return
    raise Forbidden("Pages of this origin may not use /mcp; the server's setting cors_origins names those that may.")

"""Answers that are the same for everyone: bytes made once, with an entity tag."""

from __future__ import annotations

import hashlib

from starlette.requests import Request
from starlette.responses import Response


class Cached:
    """A handler that answers the same bytes each time, or 304 to a caller who has them (RFC 9110, section 13.1.2)."""

    def __init__(self, body: bytes, media_type: str, headers: dict[str, str] | None = None) -> None:
        self._body = body
        self._media_type = media_type
        self._tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        self._headers = {"ETag": self._tag, "Cache-Control": "no-cache", **(headers or {})}

    async def __call__(self, request: Request) -> Response:
        known = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
        if self._tag in known or known == ["*"]:
            return Response(None, 304, self._headers)
        return Response(self._body, 200, self._headers, self._media_type)

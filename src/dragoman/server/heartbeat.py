"""Slow answers: white space goes ahead of the JSON, so that no client gives up between two reads and asks again.

A client that waits for the next byte and not for the whole answer, as DeepL's does for 10 s, then asks once where it
would have asked six times. White space before a JSON value is a part of it (RFC 8259).
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from dragoman.server.disconnect import ClientLeft
from dragoman.server.endpoint import STOPPED, ErrorShape
from dragoman.server.problems import failure_of
from dragoman.server.request_id import request_id_of

FIRST_BLANK_S = 4.0
"""Below the shortest time that a known client waits, 5 s."""
EVERY_S = 2.0
BLANK = b" "


async def patient(
    work: Coroutine[Any, Any, Response],
    request: Request,
    shape: ErrorShape,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The answer of `work`, or after 4 s one that has begun: status 200, `headers`, and blanks until the JSON is there.

    For routes that answer in JSON. Everything that can be refused has to be refused before `work`, for once the answer
    has begun a failure can only be its body, in the route's `shape`. Before that, what `work` raises is raised. `work`
    looks itself whether the client is still there, as `Service.translate` does.
    """
    working = asyncio.create_task(work, name="slow answer")
    try:
        await asyncio.wait([working], timeout=FIRST_BLANK_S)
    except asyncio.CancelledError:
        await _end(working)
        raise
    return working.result() if working.done() else _Begun(working, shape, headers)


class _Begun(Response):
    """Blanks while the work goes on, then its body."""

    def __init__(self, working: asyncio.Task[Response], shape: ErrorShape, headers: Mapping[str, str] | None) -> None:
        # Without the second header nginx would gather the blanks and send them all at the end.
        super().__init__(None, 200, {**(headers or {}), "X-Accel-Buffering": "no"}, "application/json")
        del self.headers["content-length"]
        self._working = working
        self._shape = shape

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        try:
            while not self._working.done():
                await send({"type": "http.response.body", "body": BLANK, "more_body": True})
                await asyncio.wait([self._working], timeout=EVERY_S)
            answer = self._working.result()
        except ClientLeft:
            return
        except asyncio.CancelledError:  # as in Endpoint: the grace to stop is over
            await _end(self._working)
            answer = self._shape(failure_of(STOPPED, request_id_of(scope)))
        except Exception as error:
            answer = self._shape(failure_of(error, request_id_of(scope)))
        await send({"type": "http.response.body", "body": bytes(answer.body)})


async def _end(working: asyncio.Task[Response]) -> None:
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)

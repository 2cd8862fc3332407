"""An answer of server-sent events, written while the translation is made."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from dragoman.core.events import Done, Event
from dragoman.core.telling import Telling
from dragoman.server.disconnect import ClientLeft, until_client_leaves
from dragoman.server.endpoint import STOPPED, ErrorShape
from dragoman.server.problems import Failure, failure_of
from dragoman.server.request_id import request_id_of

MEDIA_TYPE = "text/event-stream"
ALIVE_S = 15.0
"""How long a stream is silent at most: proxies close a connection on which nothing comes for a minute."""
ALIVE = b": alive\n\n"


class Wording(Protocol):
    """How a dialect writes its stream."""

    def event(self, event: Event) -> bytes:
        """What is sent for an event; nothing where the dialect does not tell of it."""
        ...

    def failure(self, failure: Failure) -> bytes:
        """What is sent where the whole request fails after the stream began."""
        ...


class EventStream(Response):
    """What there is to tell of a request, in a dialect's wording. A client who leaves ends the work.

    The stream begins once the request is let in. What is refused before is answered in `shape`, with its own status.
    A slow reader is waited for here, where nothing piles up: `Telling` keeps what is to be told next.
    """

    def __init__(self, opened: AbstractAsyncContextManager[Telling], wording: Wording, shape: ErrorShape) -> None:
        # Without the second header nginx would gather the events and send them all at the end.
        super().__init__(None, 200, {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}, MEDIA_TYPE)
        del self.headers["content-length"]
        self._opened = opened
        self._wording = wording
        self._shape = shape
        self._has_begun = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await until_client_leaves(self._tell(send), receive)
        except ClientLeft:
            return
        except asyncio.CancelledError:  # as in Endpoint: the grace to stop is over
            await self._fail(STOPPED, scope, receive, send)
        except Exception as error:
            await self._fail(error, scope, receive, send)

    async def _tell(self, send: Send) -> None:
        async with self._opened as telling:
            events = await telling.news()
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            self._has_begun = True
            while not (is_last := bool(events) and isinstance(events[-1], Done)):
                await self._send(events, send)
                events = await telling.news(ALIVE_S)
            await self._send(events, send, more=not is_last)

    async def _send(self, events: list[Event], send: Send, *, more: bool = True) -> None:
        body = b"".join(map(self._wording.event, events)) if events else ALIVE
        await send({"type": "http.response.body", "body": body, "more_body": more})

    async def _fail(self, error: Exception, scope: Scope, receive: Receive, send: Send) -> None:
        failure = failure_of(error, request_id_of(scope))
        if self._has_begun:
            await send({"type": "http.response.body", "body": self._wording.failure(failure)})
        else:
            await self._shape(failure)(scope, receive, send)

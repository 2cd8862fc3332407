"""`WS /v1/translate/stream`: many streams on one connection.

A client sends `{"id": …, …}` with the body of `POST /v1/translate` beside an id of its own, and gets the events of that
stream as `{"id", "event", …}`; `{"id", "cancel": true}` ends it. A key comes in a header, as elsewhere, in a message
`{"key": …}`, or as the subprotocol `dragoman.key.KEY`: browsers can set no headers. Who leaves ends all of it.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

import msgspec
from msgspec import Struct
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from dragoman.core.events import Done
from dragoman.errors import InvalidRequest, TooManyRequests
from dragoman.server.body import JsonBody
from dragoman.server.gate import native_key
from dragoman.server.live.wire import ERROR, in_words
from dragoman.server.problems import failure_of
from dragoman.server.request_id import new_request_id
from dragoman.server.schemas import NativeRequest
from dragoman.server.service import Service

PATH = "/v1/translate/stream"
MOST_STREAMS = 64
"""On one connection; a client that wants more opens another."""

SUBPROTOCOL = "dragoman"
_KEY_PREFIX = f"{SUBPROTOCOL}.key."

Id = str | int


class Asked(NativeRequest, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A stream that is wanted: the body of `POST /v1/translate` and the client's own id for it."""

    id: Id


class _Message(Struct, frozen=True):
    """What tells the kinds of messages apart."""

    id: Id | None = None
    cancel: bool = False
    key: str | None = None


def translate_socket(service: Service) -> WebSocketRoute:
    """The route."""
    message = JsonBody(_Message, service.settings.max_body_bytes)
    asked = JsonBody(Asked, service.settings.max_body_bytes)

    async def serve(websocket: WebSocket) -> None:
        await websocket.accept(subprotocol=_chosen(websocket.scope["subprotocols"]))
        await _Connection(service, websocket, message, asked).run()

    return WebSocketRoute(PATH, serve)


def key_of(websocket: WebSocket) -> str | None:
    """The key that came with the connection: in a header, or as a subprotocol."""
    offered = (one.removeprefix(_KEY_PREFIX) for one in websocket.scope["subprotocols"] if one.startswith(_KEY_PREFIX))
    return native_key(websocket) or next(offered, None)


def _chosen(offered: list[str]) -> str | None:
    """The subprotocol that is spoken: a browser closes a connection on which none of those it offered is."""
    ours = (one for one in sorted(offered) if one == SUBPROTOCOL or one.startswith(_KEY_PREFIX))
    return next(ours, None)


class _Connection:
    """One client and its streams. The mutable state: its key, and a task for each stream by its id."""

    def __init__(
        self, service: Service, websocket: WebSocket, message: JsonBody[_Message], asked: JsonBody[Asked]
    ) -> None:
        self._service = service
        self._websocket = websocket
        self._message = message
        self._asked = asked
        self._key = key_of(websocket)
        self._streams: dict[Id, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Take messages until the client leaves."""
        try:
            while (received := await self._websocket.receive())["type"] == "websocket.receive":
                await self._take((received.get("text") or "").encode() or received.get("bytes") or b"")
        except WebSocketDisconnect:  # it left while it was told of a mistake
            pass
        finally:
            for stream in (streams := list(self._streams.values())):
                stream.cancel()
            await asyncio.gather(*streams, return_exceptions=True)

    async def _take(self, raw: bytes) -> None:
        stream_id = None
        try:
            message = self._message.decode(raw)
            stream_id = message.id
            if message.key is not None:
                await self._service.gate.admit(message.key)
                self._key = message.key
            elif message.cancel:
                self._cancel(message.id)
            else:
                self._open(self._asked.decode(raw))
        except Exception as error:
            await self._fail(stream_id, error, new_request_id())

    def _cancel(self, stream_id: Id | None) -> None:
        """End a stream; one that is over already is none."""
        stream = None if stream_id is None else self._streams.get(stream_id)
        if stream is not None:
            stream.cancel()

    def _open(self, asked: Asked) -> None:
        if asked.id in self._streams:
            raise InvalidRequest("This id is that of a stream under way; choose another.", field="id")
        if len(self._streams) >= MOST_STREAMS:
            raise TooManyRequests(
                f"{MOST_STREAMS} streams are under way on this connection. Wait for one to end, or open another.",
                retry_after_s=1.0,
            )
        stream = self._streams[asked.id] = asyncio.create_task(self._stream(asked), name="stream")
        stream.add_done_callback(lambda _: self._streams.pop(asked.id))

    async def _stream(self, asked: Asked) -> None:
        request_id = new_request_id()
        with suppress(WebSocketDisconnect):  # `run` learns of it as well
            try:
                await self._tell(asked, request_id)
            except WebSocketDisconnect:
                raise
            except Exception as error:
                await self._fail(asked.id, error, request_id)

    async def _tell(self, asked: Asked, request_id: str) -> None:
        caller = await self._service.gate.admit(self._key)
        wanted = asked.wanted(None, await self._service.glossaries_of(asked.glossary_names, caller))
        async with self._service.stream(wanted, caller) as telling:
            is_over = False
            while not is_over:
                for event in await telling.news():
                    await self._send(asked.id, *in_words(event, request_id))
                    is_over = isinstance(event, Done)

    async def _fail(self, stream_id: Id | None, error: Exception, request_id: str) -> None:
        problem, _ = failure_of(error, request_id)
        await self._send(stream_id, ERROR, msgspec.json.encode(problem))

    async def _send(self, stream_id: Id | None, name: str, data: bytes) -> None:
        """An event as one object: its JSON with the id and the name in front of its own fields."""
        head = msgspec.json.encode({"id": stream_id, "event": name})
        await self._websocket.send_text((head[:-1] + b"," + data[1:]).decode())

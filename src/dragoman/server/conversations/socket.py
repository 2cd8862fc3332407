"""`WS /v1/conversations/{id}`: one participant's connection."""

from __future__ import annotations

import asyncio

import msgspec
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from dragoman.errors import InvalidRequest
from dragoman.server.conversations.connection import LEFT, TOO_SLOW, Closing, Connection
from dragoman.server.conversations.events import ErrorEvent, Join, Leave, read_message
from dragoman.server.conversations.rooms import Rooms, Seat
from dragoman.server.problems import failure_of

JOIN_TIMEOUT_S = 10.0
"""How long a connection may be open before it says who comes."""
SEND_TIMEOUT_S = 30.0
CLOSE_TIMEOUT_S = 2.0
REFUSED = 4000
"""A `join` that was refused closes with this and the status that the problem would have over HTTP: 4401, 4404, ..."""

GONE = Closing(1000, "")
"""Of a client that closed the connection itself: there is nothing to send."""


class ConversationSocket:
    """The endpoint: lets somebody in, then passes on what they send and what they are to be told."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    async def serve(self, websocket: WebSocket) -> None:
        """Serve one connection from its first message to its end."""
        await websocket.accept()
        connection = Connection()
        try:
            seat = await self._let_in(websocket, connection)
        except WebSocketDisconnect:
            return
        except Exception as error:
            await _refuse(websocket, error)
            return
        try:
            closing = await self._talk(websocket, seat)
        finally:
            self._rooms.part(seat)
        await _close(websocket, closing)

    async def _let_in(self, websocket: WebSocket, connection: Connection) -> Seat:
        try:
            async with asyncio.timeout(JOIN_TIMEOUT_S):
                first = read_message(await _received(websocket))
        except TimeoutError:
            raise InvalidRequest(f"Nothing was sent for {JOIN_TIMEOUT_S:g} seconds; 'join' comes first.") from None
        if not isinstance(first, Join):
            raise InvalidRequest("The first message must be of type 'join'.", field="type")
        return await self._rooms.enter(websocket.path_params["id"], first, connection)

    async def _talk(self, websocket: WebSocket, seat: Seat) -> Closing:
        """Read and write until either ends or the connection is cut; how it is to be closed."""
        reading = asyncio.create_task(self._read(websocket, seat))
        writing = asyncio.create_task(self._write(websocket, seat))
        ends: list[asyncio.Future[Closing]] = [reading, writing, seat.connection.ended]
        try:
            done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            reading.cancel()
            writing.cancel()
            await asyncio.gather(reading, writing, return_exceptions=True)
        return next(iter(done)).result()

    async def _read(self, websocket: WebSocket, seat: Seat) -> Closing:
        try:
            while True:
                try:
                    said = read_message(await _received(websocket))
                except InvalidRequest as error:
                    self._rooms.refuse(seat, error)
                    continue
                self._rooms.hear(seat, said)
                if isinstance(said, Leave):
                    return LEFT
        except WebSocketDisconnect:
            return GONE

    async def _write(self, websocket: WebSocket, seat: Seat) -> Closing:
        try:
            while not isinstance(frame := await seat.connection.next(), Closing):
                async with asyncio.timeout(SEND_TIMEOUT_S):
                    await websocket.send_text(frame.data.decode())
                if frame.mark:
                    self._rooms.reached(seat, frame.mark)
        except WebSocketDisconnect:
            return GONE
        except TimeoutError:
            return TOO_SLOW
        return frame


async def _received(websocket: WebSocket) -> str:
    """The next message. Raises WebSocketDisconnect, and InvalidRequest for bytes."""
    message = await websocket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message["code"])
    text: str | None = message.get("text")
    if text is None:
        raise InvalidRequest("Send JSON as text, not as bytes.")
    return text


async def _refuse(websocket: WebSocket, error: Exception) -> None:
    problem = failure_of(error, f"conversation {websocket.path_params['id']}").problem
    try:
        await websocket.send_text(msgspec.json.encode(ErrorEvent(error=problem)).decode())
    except WebSocketDisconnect:
        return
    await _close(websocket, Closing(REFUSED + problem.status, problem.title))


async def _close(websocket: WebSocket, closing: Closing) -> None:
    """Close from our side, unless the client did. One that does not read need not be waited for."""
    if closing is GONE or websocket.application_state is WebSocketState.DISCONNECTED:
        return
    try:
        async with asyncio.timeout(CLOSE_TIMEOUT_S):
            await websocket.close(closing.code, closing.reason)
    except (TimeoutError, WebSocketDisconnect, RuntimeError):
        return

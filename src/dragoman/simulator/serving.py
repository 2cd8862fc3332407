"""What both protocols share: reading a request, sending an answer whole or piece by piece, noticing who left."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager
from typing import Generic, TypeVar

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from dragoman.engines.simulated import Generation, Said, SimulatedModel, Work
from dragoman.engines.simulated_profiles import Profile
from dragoman.errors import EngineError

T = TypeVar("T")

JSON = b"application/json"


class Served(Struct, frozen=True):
    """The one model of a server, by the name its protocol calls it."""

    profile: Profile
    model_name: str
    model: SimulatedModel
    max_queue: int | None

    def generation(self, work: Work) -> Generation:
        """Prepare an answer, or raise Refusal where the queue has a bound and is full."""
        if self.max_queue is not None and self.model.waiting >= self.max_queue:
            raise Refusal(503, "server busy, please try again.  maximum pending requests exceeded")
        return self.model.generation(work)


class Refusal(Exception):
    """The server says no: a status, and words that the protocol wraps in its own way."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class ClientLeft(Exception):
    """The client closed the connection before its answer was complete."""


class Endpoint(Generic[T]):
    """An ASGI app that decodes a JSON body to `body_type`, calls `handle`, and words errors as the protocol does."""

    def __init__(
        self,
        body_type: type[T],
        handle: Callable[[T, Receive, Send], Awaitable[None]],
        error_body: Callable[[int, str], object],
    ) -> None:
        self._decoder = msgspec.json.Decoder(body_type)
        self._handle = handle
        self._error_body = error_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._handle(self._decode(await _body(receive)), receive, send)
        except Refusal as refusal:
            await self._refuse(send, refusal.status, refusal.message)
        except EngineError as failure:
            await self._refuse(send, 500, failure.message)
        except ClientLeft:
            return

    def _decode(self, body: bytes) -> T:
        try:
            return self._decoder.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Refusal(400, f"the body is not understood: {error}") from error

    async def _refuse(self, send: Send, status: int, message: str) -> None:
        await send_whole(send, msgspec.json.encode(self._error_body(status, message)), status=status)


def json_endpoint(
    body_type: type[T], answer: Callable[[T], object], error_body: Callable[[int, str], object]
) -> Endpoint[T]:
    """An endpoint whose answer is there at once."""

    async def handle(request: T, receive: Receive, send: Send) -> None:
        await send_whole(send, msgspec.json.encode(answer(request)))

    return Endpoint(body_type, handle, error_body)


def json_page(answer: Callable[[], object]) -> Callable[[Request], Response]:
    """A GET route's function that answers with JSON."""
    return lambda _: Response(msgspec.json.encode(answer()), media_type="application/json")


async def send_whole(send: Send, body: bytes, *, status: int = 200, content_type: bytes = JSON) -> None:
    headers = [(b"content-type", content_type), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def send_answer(receive: Receive, send: Send, generation: Generation, answer: Callable[[], object]) -> None:
    """Wait for the answer and send it as one JSON body."""
    with _aborted_when_client_leaves(receive, generation):
        await generation.complete()
    await send_whole(send, msgspec.json.encode(answer()))


async def send_pieces(
    receive: Receive,
    send: Send,
    generation: Generation,
    content_type: bytes,
    chunk: Callable[[Said], bytes],
    last: Callable[[], bytes],
) -> None:
    """Send the answer as it comes. The head goes out with the first piece, so an early failure keeps its status."""
    started, piece = False, Said("", ())
    with _aborted_when_client_leaves(receive, generation):
        async with aclosing(generation.pieces()) as pieces:
            async for piece in pieces:
                if not started:
                    await _start_stream(send, content_type)
                    started = True
                if not generation.finished:
                    await send({"type": "http.response.body", "body": chunk(piece), "more_body": True})
    # The last piece travels with the closing words: one write less for each request.
    await send({"type": "http.response.body", "body": chunk(piece) + last()})


async def _start_stream(send: Send, content_type: bytes) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", content_type)]})


async def _body(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientLeft
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(body)


@contextmanager
def _aborted_when_client_leaves(receive: Receive, generation: Generation) -> Iterator[None]:
    watcher = asyncio.create_task(_abort_on_disconnect(receive, generation), name="client watcher")
    try:
        yield
    finally:
        watcher.cancel()


async def _abort_on_disconnect(receive: Receive, generation: Generation) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    generation.abort(ClientLeft())

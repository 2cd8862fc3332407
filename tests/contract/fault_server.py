"""A real server on loopback whose every byte is the test's own: for the faults that a good server never shows."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from msgspec import Struct


class Request(Struct):
    """What arrived: the request line's method and path, the headers with names in lower case, the body."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Connection:
    """One connection as the handler sees it. `number` counts connections from 1, `served` requests on this one."""

    def __init__(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.number = number
        self.served = 0
        self._reader = reader
        self._writer = writer

    async def request(self) -> Request:
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = head[0].split(" ")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in head[1:] if line)}
        body = await self._reader.readexactly(int(headers.get("content-length", "0")))
        self.served += 1
        return Request(method, path, headers, body)

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def closed_by_client(self) -> None:
        while await self._reader.read(1024):
            pass

    def reset(self) -> None:
        """End it with a TCP reset in place of an orderly close."""
        linger = struct.pack("ii", 1, 0)
        self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._writer.transport.abort()


Handler = Callable[[Connection, Request], Awaitable[None]]


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    """Call `handler` for each request until it raises Hangup; yields `host:port`."""
    open_connections: set[asyncio.Task[None]] = set()
    count = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        count += 1
        connection = Connection(count, reader, writer)
        task = asyncio.current_task()
        assert task is not None
        open_connections.add(task)
        try:
            while True:
                await handler(connection, await connection.request())
        except (asyncio.IncompleteReadError, ConnectionError, Hangup, asyncio.CancelledError):
            pass
        finally:
            open_connections.discard(task)
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()[:2]
    try:
        yield f"{host}:{port}"
    finally:
        server.close()
        for task in set(open_connections):
            task.cancel()
        await asyncio.gather(*open_connections, return_exceptions=True)
        await server.wait_closed()


class Hangup(Exception):
    """Raised by a handler to close its connection."""


def answer(body: bytes, status: int = 200, content_type: str = "application/json", extra: str = "") -> bytes:
    """A whole HTTP answer."""
    head = f"HTTP/1.1 {status} Whatever\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n{extra}\r\n"
    return head.encode() + body


def chunked(content_type: str = "application/x-ndjson") -> bytes:
    """The head of an answer that comes in chunks."""
    return f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()


def chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


LAST_CHUNK = b"0\r\n\r\n"


Reply = bytes | Callable[[Request], bytes]


class Script:
    """A handler that gives each path its reply, answers 404 on others, and keeps the requests it saw."""

    def __init__(self, replies: dict[str, Reply]) -> None:
        self.replies = replies
        self.requests: list[Request] = []

    async def __call__(self, connection: Connection, request: Request) -> None:
        self.requests.append(request)
        reply = self.replies.get(request.path, answer(b'{"error":"no such route"}', 404))
        await connection.send(reply if isinstance(reply, bytes) else reply(request))

    @property
    def paths(self) -> list[str]:
        return [request.path for request in self.requests]

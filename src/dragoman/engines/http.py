"""The one HTTP client Dragoman speaks to engines with: pooled, bounded, and with every failure a typed one.

Its addresses and headers come from the operator's configuration alone. It keeps no cookies, follows no redirects and
reads no proxy settings from the environment.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Protocol, TypeVar

import aiohttp
import msgspec
from msgspec import Struct
from yarl import URL

from dragoman.errors import (
    BadOutput,
    ConfigurationError,
    EngineError,
    EngineTimeout,
    EngineUnavailable,
    StatusRejected,
)

T = TypeVar("T")

MAX_ANSWER_BYTES = 8 * 1024 * 1024
MAX_LINE_BYTES = 256 * 1024
MAX_DETAIL_CHARACTERS = 200
PROBE_TIMEOUT_S = 10.0
# uvicorn (vLLM, SGLang), Node (LM Studio) and llama-server all close a connection that was idle for 5 seconds.
KEEP_ALIVE_S = 4.0

_TIMED_OUT = frozenset({408, 504})
_BUSY_OR_BROKEN = frozenset({429, *range(500, 600)} - _TIMED_OUT - {501, 505})


class Timeouts(Struct, frozen=True):
    """`read_s` is the longest silence in an answer; a caller's own deadline ends a request earlier by cancelling it."""

    connect_s: float = 5.0
    read_s: float = 120.0
    total_s: float = 600.0


class Framing(Protocol):
    """Cuts a stream of bytes into messages, however the network sliced it."""

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that these bytes complete."""
        ...

    def end(self) -> list[bytes]:
        """What is left when the stream is over."""
        ...


class Lines:
    """NDJSON: one message a line; empty lines carry nothing."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > MAX_LINE_BYTES:
            raise ValueError(f"a line of more than {MAX_LINE_BYTES} bytes")
        return [stripped for line in lines if (stripped := line.strip())]

    def end(self) -> list[bytes]:
        rest, self._rest = self._rest.strip(), b""
        return [rest] if rest else []


class Events:
    """Server-sent events (WHATWG HTML, section 9.2): the data of each event; names, ids and comments are dropped.

    An event ends with an empty line; one that the stream breaks off in is no event.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []

    def feed(self, data: bytes) -> list[bytes]:
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) + sum(map(len, self._data)) > MAX_LINE_BYTES:
            raise ValueError(f"an event of more than {MAX_LINE_BYTES} bytes")
        return [event for line in lines if (event := self._line(line.removesuffix(b"\r"))) is not None]

    def end(self) -> list[bytes]:
        return []

    def _line(self, line: bytes) -> bytes | None:
        if line.startswith(b"data:"):
            self._data.append(line[5:].removeprefix(b" "))
        if line or not self._data:
            return None
        event, self._data = b"\n".join(self._data), []
        return event


class UpstreamClient:
    """A connection pool to one engine. Make it inside a running event loop and `aclose` it.

    `base_url` is scheme and authority only, `limit` the most connections at once, `api_key` is sent as a bearer
    token and shown nowhere. Cancelling a call closes its connection at once: that is how an engine learns of it.
    All methods raise EngineUnavailable, EngineTimeout, EngineRejected (StatusRejected) or BadOutput.
    """

    def __init__(
        self, base_url: str, *, engine: str, limit: int, timeouts: Timeouts | None = None, api_key: str | None = None
    ) -> None:
        self._base_url = _checked(base_url)
        self._engine = engine
        self._timeouts = timeouts or Timeouts()
        self._api_key = api_key
        self._responses: set[aiohttp.ClientResponse] = set()
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=limit, keepalive_timeout=KEEP_ALIVE_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=_headers(api_key),
            auto_decompress=False,  # none is asked for, and a small answer cannot unpack into a huge one
            trust_env=False,
        )

    async def get_json(self, path: str, answer: type[T]) -> T:
        """GET a small JSON document. For probes: a server that takes longer than PROBE_TIMEOUT_S counts as slow."""
        timeout = aiohttp.ClientTimeout(total=PROBE_TIMEOUT_S, sock_connect=self._timeouts.connect_s)
        body = b""
        with self._errors():
            async with self._request("GET", path, None, timeout) as response:
                async for piece in response.content.iter_any():
                    body += piece
                    self._check_size(len(body))
        return self.decode(body, msgspec.json.Decoder(answer))

    async def stream(self, path: str, body: Struct, framing: Framing) -> AsyncGenerator[bytes, None]:
        """POST `body` as JSON and yield the answer's messages as they come. Wrap it in `contextlib.aclosing`."""
        timeout = aiohttp.ClientTimeout(
            total=self._timeouts.total_s, sock_connect=self._timeouts.connect_s, sock_read=self._timeouts.read_s
        )
        with self._errors():
            async with self._request("POST", path, msgspec.json.encode(body), timeout) as response:
                size = 0
                async for piece in response.content.iter_any():
                    size += len(piece)
                    self._check_size(size)
                    for message in self._cut(framing, piece):
                        yield message
        for message in framing.end():
            yield message

    def decode(self, data: bytes, decoder: msgspec.json.Decoder[T]) -> T:
        """Read JSON of the expected shape; BadOutput if it is something else."""
        try:
            return decoder.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BadOutput(
                f"{self._engine} answered with something unexpected ({error}); is it the kind of server its URL says?",
                engine=self._engine,
            ) from error

    async def aclose(self) -> None:
        """Close all connections; calls under way end with EngineUnavailable. Closing twice is fine."""
        for response in self._responses:  # aiohttp would let who reads one wait for ever
            response.content.set_exception(aiohttp.ServerDisconnectedError())
        await self._session.close()

    @asynccontextmanager
    async def _request(
        self, method: str, path: str, body: bytes | None, timeout: aiohttp.ClientTimeout
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        response = await self._send(method, path, body, timeout)
        self._responses.add(response)
        try:
            self._check_open()  # it may have been closed between the answer's head and now
            if response.status != 200:
                raise await self._refusal(response)
            if response.content_type == "text/html":
                raise BadOutput(
                    f"{self._engine} answered with a web page; is its URL that of an engine?", engine=self._engine
                )
            yield response
        finally:
            self._responses.discard(response)
            response.close()  # goes back to the pool instead if the answer was read to its end

    async def _send(
        self, method: str, path: str, body: bytes | None, timeout: aiohttp.ClientTimeout
    ) -> aiohttp.ClientResponse:
        # A server may close an idle connection in the moment we send on it. aiohttp tries once more for GET only, but
        # a translation changes nothing on the server either.
        try:
            return await self._send_once(method, path, body, timeout)
        except aiohttp.ClientConnectorError:
            raise
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            return await self._send_once(method, path, body, timeout)

    async def _send_once(
        self, method: str, path: str, body: bytes | None, timeout: aiohttp.ClientTimeout
    ) -> aiohttp.ClientResponse:
        self._check_open()
        return await self._session.request(
            method, self._base_url + path, data=body, timeout=timeout, allow_redirects=False
        )

    def _check_open(self) -> None:
        if self._session.closed:
            raise EngineUnavailable(f"{self._engine} was closed", engine=self._engine)

    def _check_size(self, size: int) -> None:
        if size > MAX_ANSWER_BYTES:
            raise BadOutput(f"{self._engine} answered with more than {MAX_ANSWER_BYTES} bytes", engine=self._engine)

    def _cut(self, framing: Framing, piece: bytes) -> list[bytes]:
        try:
            return framing.feed(piece)
        except ValueError as error:
            raise BadOutput(f"{self._engine} answered with {error}", engine=self._engine) from error

    async def _refusal(self, response: aiohttp.ClientResponse) -> EngineError:
        body = await response.content.read(64 * 1024)
        detail = _detail_of(body, self._api_key)
        message = f"{self._engine} answered {response.status}{f': {detail}' if detail else ''}"
        if response.status in _TIMED_OUT:
            return EngineTimeout(message, engine=self._engine)
        if response.status in _BUSY_OR_BROKEN:
            return EngineUnavailable(message, engine=self._engine)
        hint = _HINTS.get(response.status, "")
        return StatusRejected(message + hint, engine=self._engine, status=response.status)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (aiohttp.ClientError, OSError) as error:  # TimeoutError is an OSError
            raise _typed(error, self._engine) from error


_HINTS = dict.fromkeys(range(300, 400), "; redirects are not followed: put the final address into its URL") | {
    401: "; name the variable that holds its key with ?api_key_env=NAME",
    403: "; check the key that ?api_key_env=NAME names",
}


def shown(words: str) -> str:
    """A server's words made fit for a message: one short line of printable characters."""
    line = " ".join("".join(c if c.isprintable() else " " for c in words).split())
    return line if len(line) <= MAX_DETAIL_CHARACTERS else line[: MAX_DETAIL_CHARACTERS - 1] + "…"


def _headers(api_key: str | None) -> dict[str, str]:
    headers = {
        "Accept": "application/json, text/event-stream, application/x-ndjson",
        "Accept-Encoding": "identity",
        "Content-Type": "application/json",
        "User-Agent": "dragoman",
    }
    return headers | ({"Authorization": f"Bearer {api_key}"} if api_key else {})


def _checked(base_url: str) -> str:
    try:
        host = URL(base_url).host
    except ValueError as error:
        raise ConfigurationError(f"no engine can have the address {base_url!r}: {error}") from error
    if not host:
        raise ConfigurationError(f"the engine's address {base_url!r} names no host")
    return base_url.rstrip("/")


def _typed(error: aiohttp.ClientError | OSError, engine: str) -> EngineError:
    match error:
        case aiohttp.ConnectionTimeoutError():
            return EngineUnavailable(f"{engine} cannot be reached: no connection in time", engine=engine)
        case TimeoutError():
            return EngineTimeout(f"{engine} did not answer in time", engine=engine)
        case aiohttp.ClientConnectorDNSError():
            return EngineUnavailable(f"{engine} cannot be reached: its host name is not known", engine=engine)
        case aiohttp.ClientSSLError() | aiohttp.ClientConnectorCertificateError():
            return EngineUnavailable(f"{engine} cannot be reached: no trusted TLS connection", engine=engine)
        case aiohttp.ClientConnectorError():
            # Not the error's own words: they hold the address.
            reason = os.strerror(error.os_error.errno) if error.os_error.errno else "no connection"
            return EngineUnavailable(f"{engine} cannot be reached: {reason}; is it running?", engine=engine)
        case aiohttp.ClientResponseError():
            return BadOutput(f"{engine} answered with something that is not HTTP", engine=engine)
        case _:
            return EngineUnavailable(f"{engine} closed the connection before its answer was complete", engine=engine)


def _detail_of(body: bytes, api_key: str | None) -> str:
    """The words of a JSON error body, made fit for showing; empty for any other body."""
    try:
        words = _words_of(msgspec.json.decode(body))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    return shown(words.replace(api_key, "***") if api_key else words)


def _words_of(answer: Any) -> str:  # noqa: ANN401 - whatever a server chose to send
    """Ollama and most others: {"error": "…"}; OpenAI's kind: {"error": {"message": "…"}}; FastAPI: {"detail": "…"}."""
    while isinstance(answer, dict):
        answer = answer.get("error") or answer.get("message") or answer.get("detail")
    return answer if isinstance(answer, str) else ""

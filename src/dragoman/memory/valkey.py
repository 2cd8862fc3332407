"""The shared tier: a Valkey or Redis server that several Dragomans keep their finished segments in."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import msgspec

from dragoman.errors import ConfigurationError, MissingExtra
from dragoman.memory.base import Entry, Item, Statistics
from dragoman.memory.behind import WriteBehind
from dragoman.types import Pair

if TYPE_CHECKING:
    from valkey.asyncio import Valkey

log = logging.getLogger(__name__)

KEY_PREFIX = b"dragoman:1:"
"""The number is the version of what stands under the key."""

SCHEMES = ("valkey", "valkeys", "redis", "rediss", "unix")
MAX_CONNECTIONS = 8
MAX_WAITING = 20_000
GROUP = 500
TIMEOUT_S = 0.1
FIRST_BACK_OFF_S = 1.0
MAX_BACK_OFF_S = 30.0
DAY_S = 86_400

R = TypeVar("R")
_Stored = tuple[str, str, str, str, str | None, int]
_decoder = msgspec.msgpack.Decoder(_Stored)
_encoder = msgspec.msgpack.Encoder()


def open_valkey(url: str, *, max_age_days: float, timeout_s: float = TIMEOUT_S) -> ValkeyMemory:
    """The memory on the server at `url`, as `client_of` takes it and with the errors that it raises.

    An entry is kept `max_age_days` after it was made.
    """
    client, server = client_of(url, timeout_s)
    return ValkeyMemory(client, server, max_age_s=int(max_age_days * DAY_S), timeout_s=timeout_s)


def client_of(url: str, timeout_s: float) -> tuple[Valkey, str]:
    """A client of the server at `url`, and what of the URL may be shown.

    The URL reads valkey://[user:password@]host[:port][/db], redis:// alike, valkeys:// and rediss:// with TLS,
    unix://path. Nothing is sent yet, for a server that is down is no reason not to start. Raises ConfigurationError for
    an URL that names no server, and MissingExtra where the client is not installed.
    """
    try:
        from valkey.asyncio import Valkey
    except ImportError as error:
        raise MissingExtra("Sharing through Valkey", extra="valkey") from error
    try:
        server = _server_of(url)
        return Valkey.from_url(url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s), server
    except ValueError as error:
        accepted = ", ".join(f"{scheme}://" for scheme in SCHEMES)
        raise ConfigurationError(
            f"memory_url cannot be understood; it begins with one of {accepted} and reads like "
            "valkey://localhost:6379/0."
        ) from error


class ValkeyMemory:
    """A Memory on a server. Opened by `open_valkey`.

    A call that does not come back in `timeout_s` counts as a miss; then the server is left alone for a while, longer
    each time. Mutable state: `_calls` are those under way, `_retry_at` is when it may be asked again, `_failed_at` when
    it failed last and `_failures` how often in a row.
    """

    def __init__(self, client: Valkey, server: str, *, max_age_s: int, timeout_s: float) -> None:
        self._client = client
        self._server = server
        self._max_age_s = max_age_s
        self._timeout_s = timeout_s
        self._connections = asyncio.Semaphore(MAX_CONNECTIONS)
        self._behind = WriteBehind(self._write, limit=MAX_WAITING, name="memory-valkey")
        self._calls: set[asyncio.Task[Any]] = set()
        self._retry_at = self._failed_at = 0.0
        self._failures = 0
        self._closed = False
        self._hits = self._misses = self._dropped = 0

    async def get_many(self, keys: Sequence[bytes]) -> list[Entry | None]:
        entries = [self._behind.get(key) for key in keys]
        missing = [key for key, entry in zip(keys, entries, strict=True) if entry is None]
        if missing:
            found = await self._ask(partial(self._read, missing)) or {}
            entries = [entry or found.get(key) for key, entry in zip(keys, entries, strict=True)]
        misses = entries.count(None)
        self._misses += misses
        self._hits += len(entries) - misses
        return entries

    async def put_many(self, items: Sequence[Item]) -> None:
        """Return at once; the items are found from now on and are on the server soon after."""
        self._dropped += self._behind.add(items)

    def statistics(self) -> Mapping[str, Statistics]:
        return {"valkey": Statistics(hits=self._hits, misses=self._misses, dropped=self._dropped)}

    async def aclose(self) -> None:
        if self._closed:
            return
        await self._behind.aclose()
        self._closed = True
        if self._calls:
            await asyncio.wait(self._calls)
        await self._client.aclose()

    async def _read(self, keys: Sequence[bytes]) -> dict[bytes, Entry]:
        values = await self._client.mget([KEY_PREFIX + key for key in keys])
        decoded = ((key, _decoded(value)) for key, value in zip(keys, values, strict=True) if value is not None)
        return {key: entry for key, entry in decoded if entry is not None}

    async def _write(self, items: Mapping[bytes, Entry]) -> None:
        pairs = list(items.items())
        for start in range(0, len(pairs), GROUP):
            group = pairs[start : start + GROUP]
            kept = await self._ask(partial(self._set, group))
            self._dropped += len(group) - (kept or 0)

    async def _set(self, items: Sequence[Item]) -> int:
        """Set what can be kept, in one round trip; return how many that were."""
        timed = ((key, _encoded(entry), self._seconds_left(entry)) for key, entry in items)
        kept = [(key, value, seconds) for key, value, seconds in timed if value is not None and seconds > 0]
        async with self._client.pipeline(transaction=False) as pipeline:
            for key, value, seconds in kept:
                pipeline.set(KEY_PREFIX + key, value, ex=seconds)
            await pipeline.execute()
        return len(kept)

    def _seconds_left(self, entry: Entry) -> int:
        """What a person wrote does not age, so its time begins when it is put."""
        age_s = 0 if entry.model is None else int(time.time()) - entry.made_at
        return self._max_age_s - max(0, age_s)

    async def _ask(self, call: Callable[[], Awaitable[R]]) -> R | None:
        """The answer, or None if there is none in time or the server is being left alone."""
        if self._closed or time.monotonic() < self._retry_at:
            return None
        if self._failures:
            # One call tries whether the server is back; the others go on doing without it.
            self._retry_at = time.monotonic() + self._timeout_s * 2
        began = time.monotonic()
        task = self._started(call)
        try:
            # Not asyncio.timeout: the client can lose a cancellation (its reads nest a timeout of 0), and the caller
            # would wait on. Here nobody waits for the cancelled call, and the client's own timeouts end it.
            await asyncio.wait([task], timeout=self._timeout_s)
        finally:
            task.cancel()
        if not task.done():
            self._failed(began, f"no answer in {self._timeout_s:g} s")
        elif error := task.exception():
            self._failed(began, _reason(error))
        else:
            self._answered()
            return task.result()
        return None

    def _started(self, call: Callable[[], Awaitable[R]]) -> asyncio.Task[R]:
        async def with_a_connection() -> R:
            async with self._connections:
                return await call()

        task = asyncio.create_task(with_a_connection(), name="memory-valkey")
        self._calls.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._calls.discard(task)
        if not task.cancelled():
            task.exception()  # that of a call nobody waits for any more is of no interest

    def _failed(self, began: float, reason: str) -> None:
        # Calls that were under way together fail together, and that is one failure.
        if began < self._failed_at:
            return
        if not self._failures:
            log.warning("The shared memory at %s is left out: %s. Translations go on.", self._server, reason)
        back_off_s = min(FIRST_BACK_OFF_S * 2 ** min(self._failures, 10), MAX_BACK_OFF_S)
        self._failures += 1
        self._failed_at = time.monotonic()
        self._retry_at = self._failed_at + back_off_s

    def _answered(self) -> None:
        if self._failures:
            log.info("The shared memory at %s answers again.", self._server)
        self._failures = 0
        self._retry_at = 0.0


def _reason(error: BaseException) -> str:
    """Why a call failed. Raises what is neither the server's nor the network's fault."""
    from valkey.exceptions import ValkeyError

    if not isinstance(error, (OSError, ValkeyError)):
        raise error
    return str(error) or type(error).__name__


def _server_of(url: str) -> str:
    """What of the URL may be shown. Raises ValueError for what is no URL of a server."""
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES or not (parts.hostname or parts.path):
        raise ValueError(url)
    return parts.path if parts.scheme == "unix" else f"{parts.hostname}:{parts.port or 6379}"


def _encoded(entry: Entry) -> bytes | None:
    """The value of an entry, or None for a text with lone surrogates, which UTF-8 cannot hold."""
    pair = entry.pair
    try:
        return _encoder.encode((pair.source, pair.target, entry.text, entry.translation, entry.model, entry.made_at))
    except UnicodeEncodeError:
        return None


def _decoded(value: bytes) -> Entry | None:
    """The entry of a value, or None where somebody else wrote it: it will be written over."""
    try:
        source, target, text, translation, model, made_at = _decoder.decode(value)
    except msgspec.DecodeError:
        return None
    return Entry(text, Pair(source, target), translation, model, made_at)

"""The durable tier: a SQLite file that keeps what was translated over restarts. Nothing here blocks the event loop."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import ParamSpec, TypeVar

from dragoman.errors import ConfigurationError
from dragoman.memory import sqlite_file
from dragoman.memory.base import Entry, Item, Statistics
from dragoman.memory.behind import WriteBehind
from dragoman.memory.filter import FileKeys
from dragoman.memory.sqlite_file import Found

log = logging.getLogger(__name__)

FILE_NAME = "memory.sqlite3"
MAX_WAITING = 20_000
PAUSE_S = 30.0
TOUCH_AFTER_S = 3_600
TRIM_EVERY_S = 600.0
FOLLOW_EVERY_S = 0.5
DAY_S = 86_400

P = ParamSpec("P")
R = TypeVar("R")


async def open_sqlite(path: Path, *, max_bytes: int, max_age_days: float) -> SQLiteMemory:
    """Open the file at `path`, or begin one.

    `max_bytes` bounds the file (it may pass it by a few per cent), `max_age_days` how long a machine's translation is
    kept after it was made; a person's is kept for good. Raises ConfigurationError where the folder cannot be written.
    """

    def connect() -> tuple[sqlite3.Connection, sqlite3.Connection, int]:
        return sqlite_file.open_file(path), sqlite_file.open_file(path), path.stat().st_ino

    reading, writing, inode = await asyncio.to_thread(connect)
    return SQLiteMemory(path, inode, reading, writing, max_bytes=max_bytes, max_age_s=int(max_age_days * DAY_S))


class SQLiteMemory:
    """A Memory in one file, which several processes may share. Opened by `open_sqlite`.

    What another process wrote is found about a second later: until then it may count as a miss, and costs one
    translation more. What another process announced (`announce`) reaches the watchers in that time too.

    Reads and writes have a thread and a connection each. Mutable state: `_known` are the keys that the file may hold,
    `_watchers` who wants to know of announcements, `_touched` are the keys whose use is still to be written,
    `_resting_until` is when writing is tried again after it failed, `_failure` is what failed, `_unreadable` is True
    while other processes' writes cannot be followed, `_broken` from the moment the file proved damaged.
    """

    def __init__(
        self,
        path: Path,
        inode: int,
        reading: sqlite3.Connection,
        writing: sqlite3.Connection,
        *,
        max_bytes: int,
        max_age_s: int,
    ) -> None:
        self._path = path
        self._inode = inode
        self._reader = _Thread("memory-read", reading)
        self._writer = _Thread("memory-write", writing)
        self._max_bytes = max_bytes
        self._max_age_s = max_age_s
        self._behind = WriteBehind(self._write, limit=MAX_WAITING, name="memory-write")
        # On the connection that writes, whose own commits are no news.
        self._known = FileKeys(self._writer.run)
        self._watchers: list[Callable[[], Awaitable[None]]] = []
        self._overgrown = asyncio.Event()
        self._touched: set[bytes] = set()
        self._resting_until = 0.0
        self._failure: str | None = None
        self._unreadable = self._broken = self._closed = False
        self._hits = self._misses = self._dropped = self._entries = self._bytes = 0
        self._tasks = [
            asyncio.create_task(self._keep_bounds(), name="memory-trim"),
            asyncio.create_task(self._follow(), name="memory-follow"),
        ]

    async def get_many(self, keys: Sequence[bytes]) -> list[Entry | None]:
        entries = [self._behind.get(key) for key in keys]
        missing = [key for key, entry in zip(keys, entries, strict=True) if entry is None and self._known.may_hold(key)]
        if missing:
            found = await self._read(missing)
            entries = [
                found[key].entry if entry is None and key in found else entry
                for key, entry in zip(keys, entries, strict=True)
            ]
        misses = entries.count(None)
        self._misses += misses
        self._hits += len(entries) - misses
        return entries

    async def put_many(self, items: Sequence[Item]) -> None:
        """Return at once; the items are found from now on and are in the file soon after."""
        if self._resting:
            self._dropped += len(items)
        else:
            self._dropped += self._behind.add(items)

    async def store(self, items: Sequence[Item]) -> None:
        """Put the items and wait until they are in the file. Raises ConfigurationError where that fails."""
        for start in range(0, len(items), MAX_WAITING // 4):
            dropped = self._dropped
            await self.put_many(items[start : start + MAX_WAITING // 4])
            await self._behind.flush()
            if self._failure is not None or self._broken or self._closed:
                raise ConfigurationError(f"The memory at {self._path} cannot be written: {self._failure or 'closed'}.")
            if self._dropped > dropped:
                raise ConfigurationError(f"The memory at {self._path} did not keep every entry. Try again.")

    def may_hold(self, key: bytes) -> bool:
        """Whether the key may be found here, told at once. False is certain but for what another process wrote just
        now.
        """
        if self._unreadable or self._broken or self._closed:
            return False
        return self._behind.get(key) is not None or self._known.may_hold(key)

    def watch(self, rewritten: Callable[[], Awaitable[None]]) -> None:
        """Call `rewritten` after each announcement that this file's entries were replaced or deleted."""
        self._watchers.append(rewritten)

    async def announce(self) -> None:
        """Have every process that uses the file forget what it holds of it in RAM, within about a second.

        For whoever replaced entries by others: a person's translation then wins over what is remembered of an engine.
        Raises ConfigurationError where the file cannot be written.
        """
        try:
            await self._writer.run(sqlite_file.raise_generation)
        except sqlite3.Error as error:
            raise ConfigurationError(f"The memory at {self._path} cannot be written: {error}.") from error

    def statistics(self) -> Mapping[str, Statistics]:
        held = Statistics(
            hits=self._hits,
            misses=self._misses,
            dropped=self._dropped,
            entries=self._entries,
            bytes=self._bytes,
        )
        return {"sqlite": held}

    async def aclose(self) -> None:
        if self._closed:
            return
        self._closed = True
        await self._behind.aclose()
        await self._write({})
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)
        await self._reader.aclose()
        await self._writer.aclose()

    @property
    def _resting(self) -> bool:
        return self._broken or time.monotonic() < self._resting_until

    async def _read(self, keys: Sequence[bytes]) -> Mapping[bytes, Found]:
        if self._broken or self._closed:
            return {}
        try:
            found = await self._reader.run(sqlite_file.read, keys)
        except sqlite3.Error as error:
            await self._failed("read", error)
            return {}
        now = int(time.time())
        stale = [key for key, (_, last_used) in found.items() if now - last_used > TOUCH_AFTER_S]
        if len(self._touched) < MAX_WAITING:
            self._touched.update(stale)
        return found

    async def _write(self, items: Mapping[bytes, Entry]) -> None:
        touched, self._touched = self._touched, set()
        try:
            unfit, self._entries, self._bytes = await self._writer.run(
                sqlite_file.write, items, touched, int(time.time())
            )
        except sqlite3.Error as error:
            self._dropped += len(items)
            await self._failed("written", error)
        else:
            # Until here they were found because they were on their way.
            self._known.add(items)
            self._dropped += unfit
            self._recovered()
            if self._bytes > self._max_bytes:
                self._overgrown.set()

    async def _keep_bounds(self) -> None:
        while True:
            if not self._resting:
                await self._trim()
            try:
                async with asyncio.timeout(TRIM_EVERY_S):
                    await self._overgrown.wait()
            except TimeoutError:
                await self._write({})
            self._overgrown.clear()

    async def _follow(self) -> None:
        while not self._broken:
            try:
                await self._known.follow(self._rewritten)
            except sqlite3.Error as error:
                self._unreadable = True
                await self._failed("read", error)
            else:
                self._unreadable = False
            await asyncio.sleep(FOLLOW_EVERY_S)

    async def _rewritten(self) -> None:
        for rewritten in self._watchers:
            await rewritten()

    async def _trim(self) -> None:
        try:
            # Commits queue for the same thread, so each waits for one small step at most.
            while await self._writer.run(
                partial(sqlite_file.trim, max_bytes=self._max_bytes, made_before=int(time.time()) - self._max_age_s)
            ):
                pass
            self._entries, self._bytes = await self._writer.run(sqlite_file.totals)
        except sqlite3.Error as error:
            await self._failed("trimmed", error)

    async def _failed(self, verb: str, error: sqlite3.Error) -> None:
        if sqlite_file.is_damage(error):
            await self._abandon()
            return
        self._resting_until = time.monotonic() + PAUSE_S
        if self._failure is None:
            log.error(
                "The memory at %s cannot be %s: %s. Translations go on; nothing new is kept until this is mended.",
                self._path,
                verb,
                error,
            )
        self._failure = str(error)

    def _recovered(self) -> None:
        if self._failure is not None:
            log.info("The memory at %s can be written again.", self._path)
            self._failure = None

    async def _abandon(self) -> None:
        """Do without the damaged file; the next start begins a new one."""
        if self._broken:
            return
        self._broken = True
        await asyncio.to_thread(self._move_aside)

    def _move_aside(self) -> None:
        # Another process may have moved it already, and begun the new one.
        if self._path.exists() and self._path.stat().st_ino == self._inode:
            sqlite_file.move_aside(self._path)


class _Thread:
    """One thread and the connection that only it uses."""

    def __init__(self, name: str, connection: sqlite3.Connection) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._connection = connection

    async def run(self, work: Callable[..., R], *args: object) -> R:
        return await asyncio.get_running_loop().run_in_executor(self._executor, work, self._connection, *args)

    async def aclose(self) -> None:
        await self.run(sqlite3.Connection.close)
        self._executor.shutdown()

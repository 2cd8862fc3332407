"""Keeps what happens in conversations, and only then tells it: nobody knows of what a crash could take back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from dragoman.errors import ConfigurationError
from dragoman.server.conversations.rooms_file import Entry, RoomsFile
from dragoman.server.conversations.state import Message, State

log = logging.getLogger(__name__)
R = TypeVar("R")

Telling = Callable[[], None]
"""What is done once the change that it tells of is kept."""


class Outbox:
    """One queue for all conversations, which keeps their order; what waits together is written together.

    Where the file cannot be written the log says so, and everything goes on in memory. Mutable state: `_entries` and
    `_tellings`, what waits; `_file`, opened when it is first needed; `_failure`, what kept it from being written the
    last time.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: RoomsFile | None = None
        self._failure: str | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="conversations")
        self._entries: list[Entry] = []
        self._tellings: list[Telling] = []
        self._sending: asyncio.Task[None] | None = None

    async def load(self) -> list[tuple[State, list[Message]]]:
        """What an earlier process kept."""
        if not await asyncio.to_thread(self._path.exists):
            return []
        try:
            return await self._run(RoomsFile.load)
        except ConfigurationError as error:
            self._failed(error)
            return []

    async def close(self) -> None:
        """Write and tell what waits, and close the file."""
        while self._sending is not None:
            await asyncio.wait([self._sending])
        if self._file is not None:
            await self._run(RoomsFile.close)
        self._thread.shutdown()

    def post(self, entry: Entry | None, tellings: Sequence[Telling]) -> None:
        """Keep a change, if there is one, and then do the tellings."""
        if entry is not None:
            self._entries.append(entry)
        self._tellings.extend(tellings)
        if self._sending is None:
            self._sending = asyncio.create_task(self._send(), name="conversations")

    async def _send(self) -> None:
        try:
            while self._entries or self._tellings:
                entries, self._entries = self._entries, []
                tellings, self._tellings = self._tellings, []
                if entries:
                    await self._keep(entries)
                for tell in tellings:
                    tell()
        finally:
            self._sending = None

    async def _keep(self, entries: Sequence[Entry]) -> None:
        try:
            await self._run(lambda file: file.keep(entries))
        except ConfigurationError as error:
            self._failed(error)
            return
        if self._failure is not None:
            log.info("Conversations are kept at %s again.", self._path)
        self._failure = None

    def _failed(self, error: ConfigurationError) -> None:
        if error.message != self._failure:
            log.error("Conversations are in memory only, and end with this process: %s", error.message)
        self._failure = error.message

    async def _run(self, work: Callable[[RoomsFile], R]) -> R:
        def in_thread() -> R:
            if self._file is None:
                self._file = RoomsFile(self._path)
            return work(self._file)

        return await asyncio.get_running_loop().run_in_executor(self._thread, in_thread)

"""The keys and what was used with them, as a server works with them: a look-up or a count touches no disk."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from dragoman.errors import ConfigurationError
from dragoman.memory.key_file import KeyFile, KeyInfo, KeyLimits, KnownKey, LimitName, Scope, id_in
from dragoman.memory.usage import Counts, Meter, windows_of

log = logging.getLogger(__name__)

R = TypeVar("R")

KEEP_EVERY_S = 0.5
"""How often counts are written and other processes' changes are read: so much is lost in a crash, and so late is known
what another process made, limited, revoked or used."""


class Keyring:
    """The keys of a `KeyFile`, which has a thread of its own. An async context manager that writes all counts at its
    end.

    Without `must_open`, a file that cannot be used is told of in the log and counts stay in RAM; with it, entering
    raises ConfigurationError. Mutable state: `_known`, the keys as they were last read; `_failure`, what kept the
    counts from being written the last time.
    """

    def __init__(self, path: Path, *, must_open: bool = True) -> None:
        self.meter = Meter()
        self._path = path
        self._must_open = must_open
        self._known: Mapping[str, KnownKey] = {}
        self._file: KeyFile | None = None
        self._failure: str | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="keys")
        self._stopping = asyncio.Event()

    async def __aenter__(self) -> Self:
        if self._must_open:
            await self._keep()
        self._keeping = asyncio.create_task(self._keep_on(), name="keys")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # Not cancelled: nobody would know then whether the counts on their way had arrived.
        self._stopping.set()
        await self._keeping
        await self._keep_or_tell()
        if self._file is not None:
            await self._run(KeyFile.close)
        self._thread.shutdown()

    def find(self, key: str) -> KeyInfo | None:
        """The key that lets a caller in, None if this one does not."""
        known = self._known.get(id_in(key))
        return known.info if known is not None and known.fits(key) else None

    def info(self, key_id: str) -> KeyInfo | None:
        """What there is to say of a key that is in use."""
        known = self._known.get(key_id)
        return None if known is None else known.info

    def __len__(self) -> int:
        return len(self._known)

    async def list_all(self) -> list[KeyInfo]:
        """Every key, the revoked ones too."""
        return await self._run(KeyFile.list_all)

    async def add(self, name: str, scopes: Collection[Scope], limits: KeyLimits) -> tuple[str, KeyInfo]:
        """A new key and what there is to say of it; here it opens doors at once, in other processes a moment later."""
        return await self._change(lambda file: file.add(name, scopes, limits))

    async def limit(self, named: str, changes: Mapping[LimitName, int | None]) -> KeyInfo:
        """Change some limits of a key."""
        return await self._change(lambda file: file.limit(named, changes))

    async def revoke(self, named: str) -> KeyInfo:
        """Let nobody in with a key any more."""
        return await self._change(lambda file: file.revoke(named))

    async def _change(self, work: Callable[[KeyFile], R]) -> R:
        result, self._known = await self._run(lambda file: (work(file), file.known_keys()))
        return result

    async def _keep_on(self) -> None:
        while not self._stopping.is_set():
            try:
                await self._keep_or_tell()
            except Exception:  # a revoked key would go on opening doors if this ended unnoticed
                log.critical("Keys and counts could not be kept in step with their file. This is a bug.", exc_info=True)
            with suppress(TimeoutError):
                async with asyncio.timeout(KEEP_EVERY_S):
                    await self._stopping.wait()

    async def _keep_or_tell(self) -> None:
        try:
            await self._keep()
        except ConfigurationError as error:
            if error.message != self._failure:
                log.error("What callers use is counted in memory only for now: %s", error.message)
            self._failure = error.message
            return
        if self._failure is not None:
            log.info("What callers use is written to %s again.", self._path)
        self._failure = None

    async def _keep(self) -> None:
        counts: Counts = self.meter.leave()
        try:
            held = await self._run(lambda file: file.keep(counts, windows_of(time.time())))
        except Exception:
            self.meter.came_back()
            raise
        self.meter.arrived(None if held is None else held.used)
        if held is not None:
            self._known = held.keys

    async def _run(self, work: Callable[[KeyFile], R]) -> R:
        def in_thread() -> R:
            if self._file is None:
                self._file = KeyFile(self._path)
            return work(self._file)

        return await asyncio.get_running_loop().run_in_executor(self._thread, in_thread)

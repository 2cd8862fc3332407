"""The stored glossaries as a server uses them: nothing here blocks the event loop, and what was loaded is kept."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from dragoman.memory.glossary_file import NOBODY, GlossaryFile, GlossaryInfo, no_such_pair
from dragoman.types import Glossary, Pair, Term

MAX_LOADED = 64

R = TypeVar("R")


class Glossaries:
    """A `GlossaryFile` in a thread of its own, opened when it is first needed; an async context manager that closes it.

    Each method raises what the file's does. Mutable state: `_file`, and `_loaded`, the glossaries last asked for, each
    with the version it was loaded at, so that a change is seen whichever process made it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: GlossaryFile | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="glossaries")
        self._loaded: OrderedDict[str, tuple[int, Glossary]] = OrderedDict()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._file is not None:
            await self._run(GlossaryFile.close)
        self._thread.shutdown()

    async def create(self, name: str, terms: Mapping[Pair, Sequence[Term]], owner: str = NOBODY) -> GlossaryInfo:
        """Keep a new glossary."""
        return await self._run(lambda file: file.create(name, terms, owner))

    async def list_all(self, owner: str = NOBODY) -> list[GlossaryInfo]:
        """Every glossary that an owner may read, by name."""
        return await self._run(lambda file: file.list_all(owner))

    async def info(self, named: str, owner: str = NOBODY) -> GlossaryInfo:
        """What there is to say of a glossary, found by its id or its name, without its terms."""
        return await self._run(lambda file: file.info(named, owner))

    async def load(self, named: str, owner: str = NOBODY) -> Glossary:
        """A glossary, found by its id or its name: the same object for as long as nobody changed it."""
        return await self._run(lambda file: self._load(file, named, owner))

    async def terms(self, named: str, pair: Pair, owner: str = NOBODY) -> tuple[Term, ...]:
        """The terms of one pair. Raises UnknownGlossary where the glossary has none for it."""
        glossary = await self.load(named, owner)
        if pair not in glossary.terms:
            raise no_such_pair(await self.info(named, owner), pair)
        return glossary.terms[pair]

    async def update(
        self,
        named: str,
        *,
        name: str | None = None,
        replaced: Mapping[Pair, Sequence[Term]] | None = None,
        added: Mapping[Pair, Sequence[Term]] | None = None,
        owner: str = NOBODY,
    ) -> GlossaryInfo:
        """Rename, replace dictionaries whole, add terms to others: all of it or nothing."""
        return await self._run(lambda file: file.update(named, name=name, replaced=replaced, added=added, owner=owner))

    async def delete_pair(self, named: str, pair: Pair, owner: str = NOBODY) -> None:
        """Take one dictionary out of a glossary."""
        await self._run(lambda file: file.delete_pair(named, pair, owner))

    async def delete(self, named: str, owner: str = NOBODY) -> None:
        """Delete a glossary."""
        await self._run(lambda file: file.delete(named, owner))

    def _load(self, file: GlossaryFile, named: str, owner: str) -> Glossary:
        info = file.info(named, owner)
        version, glossary = self._loaded.get(info.id, (None, None))
        if glossary is None or version != info.version:
            glossary = Glossary(info.name, file.terms(info.id, owner))
        self._loaded[info.id] = info.version, glossary
        self._loaded.move_to_end(info.id)
        if len(self._loaded) > MAX_LOADED:
            self._loaded.popitem(last=False)
        return glossary

    async def _run(self, work: Callable[[GlossaryFile], R]) -> R:
        def in_thread() -> R:
            if self._file is None:
                self._file = GlossaryFile(self._path)
            return work(self._file)

        return await asyncio.get_running_loop().run_in_executor(self._thread, in_thread)

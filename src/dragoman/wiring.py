"""From settings to a running translator, as async context managers; the only place that knows its parts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from types import TracebackType
from typing import Any, Self

import msgspec
from msgspec import Struct

from dragoman import models
from dragoman.core.plan import Limits
from dragoman.core.pool import Pool
from dragoman.core.scheduler import Scheduling
from dragoman.core.shared_limit import WHOLE, EqualShares, Shares, open_leases
from dragoman.core.translator import Translator
from dragoman.engines import ollama
from dragoman.engines.registry import open_engine
from dragoman.loop import loop_factory
from dragoman.memory.hot import HotMemory
from dragoman.memory.sqlite import open_sqlite
from dragoman.memory.tiers import TieredMemory
from dragoman.memory.valkey import open_valkey
from dragoman.settings import Settings, data_path
from dragoman.types import Translation


class EngineChoice(Struct, frozen=True):
    """The engine to use, as one URL or several of replicas, and why it and no other."""

    urls: tuple[str, ...]
    why: str


async def choose_engine(settings: Settings) -> EngineChoice:
    """The engine that was named, else a local Ollama's TranslateGemma, else a pulled model, else the bundled one."""
    if settings.engine is not None:
        return EngineChoice(tuple(settings.engine.split()), "it was named")
    address = ollama.local_address()
    tag = await ollama.find_translategemma(address)
    if tag is not None:
        return EngineChoice((f"ollama://{address}/{tag}",), "no engine was named and a local Ollama has it")
    pulled = models.pulled(data_path(settings))
    if pulled:
        return EngineChoice((f"llamacpp://{pulled[0]}",), "no engine was named and this model was pulled")
    return EngineChoice(
        ("llamacpp://bundled",),
        "no engine was named, no local Ollama has a translategemma tag and no model was pulled. It is a 270M "
        "evaluation model: for good translations run `dragoman models pull translategemma-4b`, or name an engine",
    )


@asynccontextmanager
async def open_translator(
    settings: Settings, *, engines: Sequence[str] = (), part: EqualShares = WHOLE
) -> AsyncIterator[Translator]:
    """A translator over the engines named, or else those of the settings. It may be starting still: await `ready()`.

    `part` is this process's of the engines' slots, where they are not shared through Valkey.
    """
    urls = engines or (await choose_engine(settings)).urls
    async with AsyncExitStack() as stack:
        memory = await _open_memory(settings)
        if memory is not None:
            stack.push_async_callback(memory.aclose)
        shares: Shares = part
        if settings.memory_url is not None:
            leases = open_leases(settings.memory_url, part.workers, lambda: len(translator.scheduler.lanes))
            stack.push_async_callback(leases.aclose)
            shares = leases
        pool = await stack.enter_async_context(Pool(shares))
        translator = Translator(
            pool,
            memory,
            Limits(
                max_texts=settings.max_texts,
                max_characters=settings.max_characters,
                timeout_s=settings.timeout_s,
                max_timeout_s=settings.max_timeout_s,
            ),
            Scheduling(
                segments=settings.max_waiting_segments,
                tokens=settings.max_waiting_tokens,
                bulk_fill=settings.bulk_fill,
                hedge=settings.hedge,
            ),
            grace_s=settings.shutdown_grace_s,
        )
        for number, url in enumerate(urls):
            pool.add(_replica_name(url, number, urls), await open_engine(url, data_path(settings)))
        yield await stack.enter_async_context(translator)


async def _open_memory(settings: Settings) -> TieredMemory | None:
    """The tiers that the settings ask for; None if they ask for none at all."""
    if not settings.memory_bytes:
        return None
    shared = durable = None
    if settings.memory_url is not None:
        shared = open_valkey(settings.memory_url, max_age_days=settings.memory_max_age_days)
    if settings.memory_disk_bytes:
        durable = await open_sqlite(
            data_path(settings) / "memory.sqlite3",
            max_bytes=settings.memory_disk_bytes,
            max_age_days=settings.memory_max_age_days,
        )
    return TieredMemory(HotMemory(max_bytes=settings.memory_bytes), shared, durable)


def _replica_name(url: str, number: int, urls: Sequence[str]) -> str:
    """The URL without its options, and a number where several would be called the same."""
    short = url.partition("?")[0]
    return short if sum(other.partition("?")[0] == short for other in urls) == 1 else f"{short}#{number + 1}"


class SyncTranslator:
    """The translator for scripts without an event loop: a context manager around the asynchronous one.

    >>> with SyncTranslator("ollama://localhost:11434/translategemma:12b") as translator:
    ...     translator.translate_text("Good morning", source="en", target="de").text
    """

    def __init__(self, engine: str | None = None, **settings: Any) -> None:  # noqa: ANN401 - any field of Settings
        self._settings = msgspec.convert({"engine": engine, **settings}, Settings)
        self._runner = asyncio.Runner(loop_factory=loop_factory())

    def __enter__(self) -> Self:
        self._runner.__enter__()
        try:
            self._context = open_translator(self._settings)
            self._translator = self._runner.run(self._context.__aenter__())
            self._runner.run(self._translator.ready())
        except BaseException:
            self._runner.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self._runner.run(self._context.__aexit__(kind, error, traceback))
        finally:
            self._runner.close()

    def translate_text(self, text: str, *, target: str, source: str | None = None) -> Translation:
        """Translate one text into one language. Raises what went wrong."""
        return self._runner.run(self._translator.translate_text(text, target=target, source=source))

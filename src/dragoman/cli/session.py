"""A translator for the length of one command."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from dragoman.core.translator import Translator
from dragoman.errors import EngineUnavailable
from dragoman.settings import Settings
from dragoman.wiring import open_translator

LOOK_AGAIN_S = 0.02


@asynccontextmanager
async def open_ready(settings: Settings, *, engines: Sequence[str] = ()) -> AsyncIterator[Translator]:
    """A translator whose engine answered. A server waits for an engine that is down; a command says so and ends.

    Raises EngineUnavailable or ConfigurationError.
    """
    # What goes wrong is said once, as the command's own error.
    logging.getLogger("dragoman").setLevel(logging.CRITICAL)
    async with open_translator(settings, engines=engines) as translator:
        await _first_answer(translator)
        yield translator


async def _first_answer(translator: Translator) -> None:
    unasked = translator.readiness
    ready = asyncio.create_task(translator.ready())
    try:
        while not ready.done():
            await asyncio.wait([ready], timeout=LOOK_AGAIN_S)
            found = translator.readiness
            if not ready.done() and found != unasked and not found.ready:  # else `ready` is about to be done
                raise EngineUnavailable(found.reason, engine=translator.info.name)
        await ready
    finally:
        ready.cancel()

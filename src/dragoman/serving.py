"""From a translator to an HTTP server around it, as async context managers; the only place that knows all its parts."""

from __future__ import annotations

import asyncio
import gc
import logging
import math
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from types import FrameType

import uvicorn
from starlette.applications import Starlette

from dragoman.core.guard import MemoryGuard, limits_of
from dragoman.core.shared_limit import WHOLE, EqualShares
from dragoman.core.translator import Translator
from dragoman.errors import ConfigurationError
from dragoman.languages import all_languages
from dragoman.listening import BACKLOG, address_of, listen
from dragoman.memory.glossaries import Glossaries
from dragoman.memory.glossary_file import FILE_NAME
from dragoman.memory.key_file import FILE_NAME as KEYS_FILE_NAME
from dragoman.server.app import create_app
from dragoman.server.conversations.rooms import Rooms
from dragoman.server.documents import Documents
from dragoman.server.gate import Gate, KeyGate, OpenGate, check_exposure, check_proxies
from dragoman.server.jobs.jobs import Jobs
from dragoman.server.keys import Keyring
from dragoman.server.metrics import Metrics
from dragoman.server.service import Service
from dragoman.server.status.history import History
from dragoman.settings import Settings, data_path
from dragoman.telemetry import LoopLag
from dragoman.text.detect import detect
from dragoman.wiring import EngineChoice, choose_engine, open_translator

log = logging.getLogger(__name__)


@asynccontextmanager
async def open_gate(settings: Settings) -> AsyncIterator[Gate]:
    """Who may come in, by the settings; while it is open, what callers use is written down.

    Raises ConfigurationError where keys are asked for and their file cannot be read.
    """
    async with Keyring(data_path(settings) / KEYS_FILE_NAME, must_open=settings.keys) as keyring:
        if settings.keys and not len(keyring):
            log.warning("There are no API keys yet, so nobody can come in. Make one with `dragoman keys add NAME`.")
        yield KeyGate(keyring) if settings.keys else OpenGate(keyring.meter)


@asynccontextmanager
async def open_service(translator: Translator, settings: Settings) -> AsyncIterator[Service]:
    """A translator behind its gate, with its glossaries, documents, conversations and jobs: what `create_app`
    serves.
    """
    async with (
        open_gate(settings) as gate,
        Glossaries(data_path(settings) / FILE_NAME) as glossaries,
        Documents(translator, gate, settings) if settings.documents_disk_bytes else nullcontext() as documents,
        Rooms(translator, gate, glossaries, settings) as conversations,
        Jobs(translator, gate, glossaries, settings) if settings.jobs_disk_bytes else nullcontext() as jobs,
    ):
        yield Service(translator, settings, gate, glossaries, documents, conversations, jobs)


@asynccontextmanager
async def open_metrics(translator: Translator, settings: Settings) -> AsyncIterator[Metrics]:
    """The metrics of a server, and while they are open the watchers over its process that they tell of."""
    limits = limits_of(settings.rss_soft_limit_bytes, settings.rss_hard_limit_bytes)
    async with (
        MemoryGuard(translator.scheduler, translator.memory, limits) as guard,
        LoopLag() as lag,
        History(translator) as history,
    ):
        yield Metrics(translator, guard, lag, history)


async def serve(settings: Settings, announce: Callable[[str], None] = print) -> None:
    """Serve HTTP until the process is told to stop. Raises ConfigurationError for what keeps it from starting."""
    choice = await choose_engine(settings)
    with listen_as_set(settings) as listener:
        await serve_on(listener, choice, settings, announce)


def listen_as_set(settings: Settings) -> socket.socket:
    """Listen where the settings say. Raises ConfigurationError, also where strangers could come in unasked."""
    check_proxies(settings)
    listener = listen(settings.host, settings.port)
    try:
        check_exposure(listener.getsockname()[0], settings)
    except ConfigurationError:
        listener.close()
        raise
    return listener


async def serve_on(
    listener: socket.socket,
    choice: EngineChoice,
    settings: Settings,
    announce: Callable[[str], None],
    part: EqualShares = WHOLE,
) -> None:
    """Serve HTTP on a socket that listens already, as one of several processes or the only one."""
    async with (
        open_translator(settings, engines=choice.urls, part=part) as translator,
        open_metrics(translator, settings) as metrics,
        open_service(translator, settings) as service,
    ):
        announce(f"Starting {', '.join(choice.urls)}\n  because {choice.why}.")
        await asyncio.to_thread(_load_language_data)
        server = _Server(settings, create_app(service, metrics), service.stop)
        _keep_for_good()
        serving = asyncio.create_task(server.serve(sockets=[listener]), name="serve HTTP")
        try:
            await _announce_when_ready(translator, listener, serving, announce)
            await serving
        finally:
            server.should_exit = True
            await asyncio.gather(serving, return_exceptions=True)


def _keep_for_good() -> None:
    """Spare the garbage collector what stays to the end, modules and language data: each look at it all would hold the
    event loop for tens of milliseconds.
    """
    gc.collect()
    gc.freeze()


class _Server(uvicorn.Server):
    """Tells by `stopping` that it takes no more requests, before it waits for those that run."""

    def __init__(self, settings: Settings, app: Starlette, stopping: Callable[[], None]) -> None:
        self._stopping = stopping
        super().__init__(
            uvicorn.Config(
                app,
                http="httptools",
                ws="websockets-sansio",
                ws_max_size=settings.max_body_bytes,
                ws_per_message_deflate=False,  # events are small, and each connection would keep a window of its own
                lifespan="off",
                log_config=None,
                access_log=False,  # it would name client addresses, and costs a tenth of a request
                server_header=False,
                proxy_headers=settings.trusted_proxies is not None,
                forwarded_allow_ips=(settings.trusted_proxies or "").split(),
                timeout_graceful_shutdown=math.ceil(settings.shutdown_grace_s),  # whole seconds only
                backlog=BACKLOG,
            )
        )

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._stopping()
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Not noted as caught, SIGTERM is not raised again: it would end the process before anything is closed."""
        if sig == signal.SIGTERM:
            self.should_exit = True
        else:
            super().handle_exit(sig, frame)


def _load_language_data() -> None:
    """What the first requests would otherwise wait half a second for each."""
    detect("Which language is this?")
    all_languages()


async def _announce_when_ready(
    translator: Translator, listener: socket.socket, serving: asyncio.Task[None], announce: Callable[[str], None]
) -> None:
    """Wait for the engine's first answer, but no longer than the server lives."""
    address = address_of(listener)
    announce(f"Listening on {address}; waiting for the engine ...")
    ready = asyncio.create_task(translator.ready())
    await asyncio.wait([ready, serving], return_when=asyncio.FIRST_COMPLETED)
    if not ready.done():
        ready.cancel()
        return
    await ready
    info = translator.info
    announce(
        f"Ready: {info.model} on {info.name}, {info.slots} slots. Try\n"
        f"  curl {address}/translate -H 'content-type: application/json' \\\n"
        f"""    -d '{{"text": "Good morning, how are you?", "source_lang": "en", "target_lang": "de"}}'\n"""
        f"The API is described at {address}/docs"
    )

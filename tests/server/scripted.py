"""A translator that does what the test says, and a client that speaks ASGI to an app."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import msgspec
import uvicorn
from msgspec import Struct
from starlette.applications import Starlette
from starlette.types import Message

from dragoman.core.plan import Item, Plan
from dragoman.core.telling import Telling
from dragoman.core.translator import Translator
from dragoman.errors import DragomanError
from dragoman.memory.glossaries import Glossaries
from dragoman.server.app import create_app
from dragoman.server.gate import Gate, OpenGate
from dragoman.server.service import Service
from dragoman.settings import Settings
from dragoman.types import Detected, EngineInfo, Pair, Readiness, Timings, Tokens, TranslateRequest, Translation


class ScriptedTranslator:
    """Answers `[target] text`, or the outcome scripted for a text; raises `refusal`; hangs while `held`."""

    info = EngineInfo(name="scripted", model="scripted-1", slots=1, max_segment_tokens=512)

    def __init__(self) -> None:
        self.outcomes: dict[str, DragomanError] = {}
        self.refusal: Exception | None = None
        self.held = False
        self.started = asyncio.Event()
        self.cancelled = asyncio.Event()
        self.requests: list[TranslateRequest] = []
        self.readiness = Readiness(True)

    def check(self, request: TranslateRequest) -> None:
        """Nothing is too large for a script."""

    async def translate(
        self, request: TranslateRequest, telling: Telling | None = None
    ) -> list[Translation | DragomanError]:
        """Where it is streamed, each text comes at once and whole."""
        self.requests.append(request)
        self.started.set()
        if self.refusal is not None:
            raise self.refusal
        if self.held:
            await self._hang()
        results = [self._outcome(text, target, request) for text in request.texts for target in request.targets]
        if telling is not None:
            telling.planned(Plan([_whole(result) for result in results], []), len(request.targets))
            telling.finished([], results)
        return results

    stream = Translator.stream

    async def _hang(self) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise

    def _outcome(self, text: str, target: str, request: TranslateRequest) -> Translation | DragomanError:
        if text in self.outcomes:
            return self.outcomes[text]
        return Translation(
            text=f"[{target}] {text}",
            source=request.source or "en",
            target=target,
            detected=Detected("en", 0.9) if request.source is None else None,
            engine="scripted",
            model="scripted-1",
            tokens=Tokens(prompt=20, output=5),
            timings=Timings(prepare_ms=0.1, queue_ms=0.2, engine_ms=3.0, total_ms=float(len(text))),
        )


def service_over(
    translator: ScriptedTranslator,
    gate: Gate | None = None,
    glossaries: Glossaries | None = None,
    **settings: Any,  # noqa: ANN401 - any field of Settings
) -> Service:
    """Without `glossaries` there is nowhere to keep them."""
    kept = glossaries or Glossaries(Path(os.devnull) / "glossaries.sqlite3")
    return Service(cast("Translator", translator), Settings(**settings), gate or OpenGate(), kept)


def app_over(translator: ScriptedTranslator, **settings: Any) -> Starlette:  # noqa: ANN401 - any field of Settings
    return create_app(service_over(translator, **settings))


def _whole(result: Translation | DragomanError) -> Item:
    if isinstance(result, DragomanError):
        return Item(Pair("en", "de"))
    return Item(Pair(result.source, result.target), result.detected, (result.text,))


class Answer(Struct):
    """A finished response."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:  # noqa: ANN401 - whatever the body holds
        return msgspec.json.decode(self.body)


async def call(
    app: Starlette,
    method: str,
    path: str,
    body: object = None,
    *,
    pieces: Sequence[bytes] | None = None,
    headers: Mapping[str, str | None] | None = None,
) -> Answer:
    """One request; `path` may have a query. `body` goes as JSON unless it is bytes; `pieces` are sent one message
    each, a header of None is left out.
    """
    sent = pieces if pieces is not None else [body if isinstance(body, bytes) else msgspec.json.encode(body)]
    waiting = list(sent)
    received: list[Message] = []

    async def receive() -> Message:
        if not waiting:
            await asyncio.Event().wait()
        piece = waiting.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(waiting)}

    async def send(message: Message) -> None:
        received.append(message)

    await app(_scope(method, path, {"content-type": "application/json", **(headers or {})}), receive, send)
    answer_headers = {name.decode(): value.decode() for name, value in received[0]["headers"]}
    return Answer(received[0]["status"], answer_headers, b"".join(one.get("body", b"") for one in received[1:]))


def _scope(method: str, target: str, headers: Mapping[str, str | None]) -> dict[str, Any]:
    path, _, query = target.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items() if value is not None],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8080),
    }


@asynccontextmanager
async def served(app: Starlette) -> AsyncIterator[tuple[str, int]]:
    """The app behind uvicorn on a free loopback port."""
    server = uvicorn.Server(
        uvicorn.Config(
            app, lifespan="off", log_config=None, access_log=False, ws="websockets-sansio", timeout_graceful_shutdown=1
        )
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield listener.getsockname()
        finally:
            server.should_exit = True
            await serving

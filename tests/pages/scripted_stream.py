"""A server whose streamed translations do what the test says; all else of it is the real one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any, TypeAlias

import msgspec
from msgspec import Struct
from starlette.types import ASGIApp, Message, Receive, Scope, Send

Event: TypeAlias = tuple[str, dict[str, Any]]


class Sentence(Struct, frozen=True):
    """A sentence of the source, its translation, and what is said of it; `before` stands before both."""

    source: str
    text: str
    before: str = ""
    findings: tuple[tuple[str, str], ...] = ()
    confidence: float | None = None
    remembered: bool = False


class Refusal(Struct, frozen=True):
    """An answer that is a problem and no stream."""

    status: int
    detail: str
    headers: tuple[tuple[str, str], ...] = ()


class Hold:
    """The stream stands still here until the test lets it go on."""

    def __init__(self) -> None:
        self._released: Future[None] = Future()

    def release(self) -> None:
        self._released.set_result(None)

    async def passed(self) -> None:
        await asyncio.wrap_future(self._released)


class Break(Struct, frozen=True):
    """The connection ends before the answer does."""


Step: TypeAlias = Event | Hold | Break
Script: TypeAlias = Sequence[Step] | Refusal


def told(
    sentences: Sequence[Sentence], target: str, source: str = "en", *, detected: bool = True, after: str = ""
) -> list[Event]:
    """The events of a translation that goes well."""
    started: dict[str, Any] = {"item": 0, "text": 0, "target": target, "source": source, "segments": len(sentences)}
    if detected:
        started["detected"] = {"language": source, "confidence": 0.98}
    events: list[Event] = [("item.started", started)]
    for number, sentence in enumerate(sentences):
        events.extend(_sentence(number, sentence))
    text = "".join(sentence.before + sentence.text for sentence in sentences) + after
    translation = {"text": text, "source": source, "target": target, "findings": []}
    events.append(("item.done", {"item": 0, "translation": translation, "after": after}))
    events.append(("done", {"translations": 1, "failed": 0}))
    return events


def _sentence(number: int, sentence: Sentence) -> list[Event]:
    place = {"item": 0, "segment": number}
    half = len(sentence.text) // 2
    done = place | {
        "text": sentence.text,
        "findings": [{"kind": kind, "message": message} for kind, message in sentence.findings],
        "remembered": sentence.remembered,
    }
    if sentence.confidence is not None:
        done["confidence"] = sentence.confidence
    return [
        ("segment.started", place | {"source": sentence.source, "before": sentence.before}),
        ("segment.delta", place | {"text": sentence.text[:half]}),
        ("segment.delta", place | {"text": sentence.text[half:]}),
        ("segment.done", done),
    ]


class ScriptedStream:
    """Answers each streamed `POST /v1/translate` by the next of `scripts`, and hands on everything else."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.scripts: list[Script] = []
        self.asked: list[dict[str, Any]] = []
        self.left = threading.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != "/v1/translate" or not self.scripts:
            return await self._app(scope, receive, send)
        body = await _body(receive)
        self.asked.append(msgspec.json.decode(body))
        if not self.asked[-1].get("stream"):
            return await self._app(scope, _again(body, receive), send)
        script = self.scripts.pop(0)
        if isinstance(script, Refusal):
            return await _refuse(script, send)
        return await self._play(script, receive, send)

    async def _play(self, script: Sequence[Step], receive: Receive, send: Send) -> None:
        playing = asyncio.create_task(_play(script, send))
        leaving = asyncio.create_task(_left(receive))
        await asyncio.wait({playing, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not playing.done():
            self.left.set()
        for task in (playing, leaving):
            task.cancel()
        await asyncio.gather(playing, leaving, return_exceptions=True)


async def _play(script: Sequence[Step], send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
    for step in script:
        if isinstance(step, Break):
            break
        if isinstance(step, Hold):
            await step.passed()
        else:
            name, data = step
            event = b"event: %s\ndata: %s\n\n" % (name.encode(), msgspec.json.encode(data))
            await send({"type": "http.response.body", "body": event, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _refuse(refusal: Refusal, send: Send) -> None:
    problem = {"title": "Refused", "status": refusal.status, "detail": refusal.detail}
    headers = [(b"content-type", b"application/problem+json")]
    headers += [(name.encode(), value.encode()) for name, value in refusal.headers]
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": msgspec.json.encode(problem)})


async def _body(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += bytes(message.get("body", b""))
        if not message.get("more_body"):
            return body


def _again(body: bytes, receive: Receive) -> Receive:
    parts: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def received() -> Message:
        return parts.pop() if parts else await receive()

    return received


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass

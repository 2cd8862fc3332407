"""A whole Dragoman on a real socket, as somebody with jobs uses it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from dragoman.core.telling import Telling
from dragoman.core.translator import Translator
from dragoman.errors import DragomanError
from dragoman.server.app import create_app
from dragoman.server.service import Service
from dragoman.serving import open_service
from dragoman.settings import Settings
from dragoman.types import TranslateRequest, Translation
from dragoman.wiring import open_translator
from tests.server.scripted import served

INSTANT = "simulated://instant"
SLOW = "simulated://instant?stall_rate=1&stall_s=3600"
WAIT_S = 30.0
GERMAN = (("columns", "title"), ("source", "en"), ("target", "de"))


def shop(rows: int, *, of: str = "chair") -> bytes:
    """A table in CSV, each title another one."""
    return b"".join([b"sku,title\r\n", *(f"{row:05},A red wooden {of} {row}\r\n".encode() for row in range(rows))])


class JobServer:
    """A running server, and one client of it."""

    def __init__(self, service: Service, client: aiohttp.ClientSession) -> None:
        self.service = service
        self.client = client

    async def post(
        self,
        data: bytes,
        *fields: tuple[str, str],
        filename: str = "products.csv",
        headers: dict[str, str] | None = None,
    ) -> tuple[int, dict[str, Any]]:
        """Upload a table; what is not in `fields` is asked for in German."""
        form = aiohttp.FormData()
        for name, value in (*(one for one in GERMAN if one[0] not in dict(fields)), *fields):
            form.add_field(name, value)
        form.add_field("file", data, filename=filename)
        return await self.ask("POST", "", data=form, headers=headers)

    async def begun(self, data: bytes, *fields: tuple[str, str], **more: Any) -> str:  # noqa: ANN401
        """The id of a job that was taken in."""
        status, answer = await self.post(data, *fields, **more)
        assert status == 202, answer
        return str(answer["id"])

    async def ask(self, method: str, path: str, **more: Any) -> tuple[int, Any]:  # noqa: ANN401 - aiohttp's own
        async with self.client.request(method, f"/v1/jobs{path}", **more) as answer:
            body = await answer.read()
            return answer.status, msgspec.json.decode(body) if body else None

    async def show(self, job_id: str) -> dict[str, Any]:
        status, job = await self.ask("GET", f"/{job_id}")
        assert status == 200, job
        return dict(job)

    async def follow(self, job_id: str, until: Sequence[str] = ("end",)) -> list[tuple[str, dict[str, Any]]]:
        """The events of a job until one of these names or states comes."""
        told: list[tuple[str, dict[str, Any]]] = []
        async with asyncio.timeout(WAIT_S), self.client.get(f"/v1/jobs/{job_id}/events") as answer:
            assert answer.content_type == "text/event-stream"
            async for line in answer.content:
                if line.startswith(b"event: "):
                    name = line[7:].strip().decode()
                elif line.startswith(b"data: "):
                    told.append((name, msgspec.json.decode(line[6:])))
                    if name in until or told[-1][1].get("state") in until:
                        break
        return told

    async def over(self, job_id: str) -> dict[str, Any]:
        """A job as it is when it is over."""
        name, job = (await self.follow(job_id))[-1]
        assert name == "end"
        return job

    async def result(self, job_id: str, query: str = "") -> tuple[aiohttp.ClientResponse, bytes]:
        async with self.client.get(f"/v1/jobs/{job_id}/result{query}") as answer:
            return answer, await answer.read()


@asynccontextmanager
async def job_server(
    data: Path,
    engine: str = INSTANT,
    key: str | None = None,
    **changed: Any,  # noqa: ANN401 - any setting
) -> AsyncIterator[JobServer]:
    settings = msgspec.convert(
        {"data_dir": str(data), "memory_bytes": 0, "shutdown_grace_s": 5, **changed},
        Settings,
    )
    async with open_translator(settings, engines=[engine]) as translator, open_service(translator, settings) as service:
        await translator.ready()
        async with served(create_app(service)) as address:
            headers = {"X-API-Key": key} if key else {}
            async with aiohttp.ClientSession("http://{}:{}".format(*address), headers=headers) as client:
                yield JobServer(service, client)
            service.stop()


def count_texts(monkeypatch: pytest.MonkeyPatch, *, tell: int | None = None) -> tuple[Counter[str], asyncio.Event]:
    """How often each text was handed to the translator, and an event for when so many were."""
    sent: Counter[str] = Counter()
    enough = asyncio.Event()
    translate = Translator.translate

    async def counted(
        self: Translator, request: TranslateRequest, telling: Telling | None = None
    ) -> list[Translation | DragomanError]:
        sent.update(request.texts)
        if tell is not None and sent.total() >= tell:
            enough.set()
        return await translate(self, request, telling)

    monkeypatch.setattr(Translator, "translate", counted)
    return sent, enough

"""Streams over HTTP and WebSocket, on a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from msgspec import structs

from dragoman.core.translator import Translator
from dragoman.errors import Overloaded, QuotaExceeded
from dragoman.server.app import create_app
from dragoman.server.live import socket, stream
from dragoman.serving import open_service
from dragoman.settings import Settings
from dragoman.wiring import open_translator
from tests.server.dialects.dialect_app import Doorkeeper
from tests.server.scripted import ScriptedTranslator, app_over, call, served, service_over
from tests.streamed import Events, Reading

PATH = "/v1/translate"
SOCKET = "/v1/translate/stream"
LONG = " ".join(f"This is sentence number {number} of a text that goes on for long." for number in range(40))
BODY = {"text": "Good morning, {name}. See you.", "source": "en", "target": ["de", "ja"]}


@asynccontextmanager
async def server(
    folder: Path,
    engine: str,
    **changed: Any,  # noqa: ANN401 - any setting
) -> AsyncIterator[tuple[aiohttp.ClientSession, Translator]]:
    settings = structs.replace(Settings(engine=engine, data_dir=str(folder)), **changed)
    async with (
        open_translator(settings) as translator,
        open_service(translator, settings) as service,
        served(create_app(service)) as (host, port),
        aiohttp.ClientSession(f"http://{host}:{port}") as client,
    ):
        await translator.ready()
        yield client, translator


async def events_in(answer: aiohttp.ClientResponse) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    name = ""
    async for line in answer.content:
        field, _, value = line.decode().rstrip("\n").partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            yield name, msgspec.json.decode(value)


class TestEvents:
    async def test_a_stream_comes_to_the_plain_answer(self, tmp_path: Path) -> None:
        async with server(tmp_path, "simulated://ollama-1?speed=50", memory_bytes=0) as (client, _):
            reading = Reading()
            async with client.post(PATH, json={**BODY, "stream": True}) as answer:
                async for name, data in events_in(answer):
                    reading.read(name, data)
            async with client.post(PATH, json=BODY) as plain:
                items = (await plain.json())["translations"]

        assert (answer.status, answer.content_type) == (200, "text/event-stream")
        assert answer.headers["X-Request-ID"]
        assert reading.end is not None
        assert [reading.items[number]["text"] for number in range(2)] == [item["text"] for item in items]
        assert [reading.started[number]["text"] for number in range(2)] == [0, 0]

    async def test_the_first_words_of_a_long_text_come_after_one_sentences_time(self, tmp_path: Path) -> None:
        clock = asyncio.get_running_loop().time
        async with server(tmp_path, "simulated://ollama-1?speed=20", memory_bytes=0) as (client, _):
            began = clock()
            async with client.post(PATH, json={"text": LONG, "source": "en", "target": "de", "stream": True}) as answer:
                times = [(name, clock() - began) async for name, _ in events_in(answer)]

        first_s = next(at for name, at in times if name == "segment.delta")
        assert first_s < times[-1][1] / 10

    async def test_who_leaves_frees_the_engine(self, tmp_path: Path) -> None:
        async with server(tmp_path, "simulated://slow-cpu", memory_bytes=0) as (client, translator):
            async with client.post(PATH, json={"text": LONG, "source": "en", "target": "de", "stream": True}) as answer:
                await anext(events_in(answer))
                assert translator.scheduler.calls
                answer.close()
            async with asyncio.timeout(5):
                await translator.scheduler.drained()

    async def test_what_is_refused_has_its_own_status(self) -> None:
        translator = ScriptedTranslator()
        translator.refusal = Overloaded("Too much.", retry_after_s=3)

        answer = await call(app_over(translator), "POST", PATH, {**BODY, "stream": True})

        assert (answer.status, answer.headers["retry-after"]) == (503, "3")
        assert answer.json["detail"] == "Too much."

    async def test_an_unknown_field_is_refused_as_ever(self) -> None:
        answer = await call(app_over(ScriptedTranslator()), "POST", PATH, {**BODY, "stream": True, "streams": 1})

        assert (answer.status, answer.json["field"]) == (400, "streams")

    async def test_while_nothing_happens_a_comment_keeps_the_connection(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(stream, "ALIVE_S", 0.02)
        async with (
            server(tmp_path, "simulated://slow-cpu", memory_bytes=0) as (client, _),
            client.post(PATH, json={**BODY, "stream": True}) as answer,
        ):
            async for line in answer.content:
                if line.startswith(b":"):
                    break
            answer.close()

        assert line == b": alive\n"

    async def test_a_server_that_stops_says_so_in_the_stream(self, tmp_path: Path) -> None:
        async with aiohttp.ClientSession() as client:
            async with server(tmp_path, "simulated://slow-cpu", memory_bytes=0) as (own, _):
                url = own._build_url(PATH)
                answer = await client.post(url, json={**BODY, "stream": True})
                events = events_in(answer)
                first, _ = await anext(events)
            told = [(name, data) async for name, data in events]

        assert first == "item.started"
        assert (told[-1][0], told[-1][1]["status"]) == ("error", 503)

    async def test_a_page_of_an_allowed_origin_may_read_it(self) -> None:
        app = app_over(ScriptedTranslator(), cors_origins="https://shop.example")

        answer = await call(app, "POST", PATH, {**BODY, "stream": True}, headers={"Origin": "https://shop.example"})

        assert answer.headers["access-control-allow-origin"] == "https://shop.example"


async def told(connection: aiohttp.ClientWebSocketResponse, *ids: object) -> dict[object, Events]:
    """Everything until each of these streams has ended."""
    found: dict[object, Events] = {stream_id: [] for stream_id in ids}
    waiting = set(ids)
    async with asyncio.timeout(10):
        while waiting:
            data = await connection.receive_json()
            stream_id, name = data.pop("id"), data.pop("event")
            found[stream_id].append((name, data))
            if name in ("done", "error"):
                waiting.discard(stream_id)
    return found


class TestSocket:
    async def test_many_streams_share_a_connection(self, tmp_path: Path) -> None:
        async with (
            server(tmp_path, "simulated://ollama-1?speed=50", memory_bytes=0) as (client, _),
            client.ws_connect(SOCKET) as connection,
        ):
            await connection.send_json({"id": 1, **BODY})
            await connection.send_json({"id": "two", "text": "Where is it?", "target": "fr"})
            found = await told(connection, 1, "two")

        for events in found.values():
            reading = Reading()
            for name, data in events:
                reading.read(name, data)
            assert reading.end is not None

    async def test_a_stream_is_cancelled_in_the_engine_too(self, tmp_path: Path) -> None:
        async with (
            server(tmp_path, "simulated://slow-cpu", memory_bytes=0) as (client, translator),
            client.ws_connect(SOCKET) as connection,
        ):
            await connection.send_json({"id": 1, **BODY})
            await connection.receive_json()
            await connection.send_json({"id": 1, "cancel": True})
            async with asyncio.timeout(5):
                await translator.scheduler.drained()

    async def test_who_leaves_ends_all_streams(self, tmp_path: Path) -> None:
        async with server(tmp_path, "simulated://slow-cpu", memory_bytes=0) as (client, translator):
            async with client.ws_connect(SOCKET) as connection:
                for number in range(3):
                    await connection.send_json({"id": number, **BODY})
                    await connection.receive_json()
            async with asyncio.timeout(5):
                await translator.scheduler.drained()

    @pytest.mark.parametrize(
        ("sent", "stream_id", "status", "field"),
        [
            ("nonsense", None, 400, None),
            ('{"text": "Hi", "target": "de"}', None, 400, "id"),
            ('{"id": 7, "text": "Hi", "target": "xx-nowhere"}', 7, 422, "target"),
            ('{"id": 7, "text": "Hi"}', 7, 400, "target"),
            ('{"id": 7, "text": "Hi", "target": "de", "glossary": "none"}', 7, 404, "glossary"),
        ],
    )
    async def test_a_mistake_is_told_and_leaves_the_connection_open(
        self, tmp_path: Path, sent: str, stream_id: object, status: int, field: str | None
    ) -> None:
        async with (
            server(tmp_path, "simulated://instant") as (client, _),
            client.ws_connect(SOCKET) as connection,
        ):
            await connection.send_str(sent)
            (error,) = (await told(connection, stream_id))[stream_id]
            await connection.send_json({"id": "good", **BODY})
            good = await told(connection, "good")

        assert (error[0], error[1]["status"], error[1].get("field")) == ("error", status, field)
        assert good["good"][-1][0] == "done"

    async def test_an_id_that_is_taken_and_one_stream_too_many_are_refused(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(socket, "MOST_STREAMS", 1)
        async with (
            server(tmp_path, "simulated://slow-cpu", memory_bytes=0) as (client, _),
            client.ws_connect(SOCKET) as connection,
        ):
            await connection.send_json({"id": 1, **BODY})
            await connection.send_json({"id": 1, **BODY})
            again = (await told(connection, 1))[1][-1]
            await connection.send_json({"id": 2, **BODY})
            many = await until_error(connection, 2)

        assert (again[1]["status"], again[1]["field"]) == (400, "id")
        assert many["status"] == 429

    @pytest.mark.parametrize(
        ("origin", "allowed"),
        [(None, True), ("http://{host}", True), ("https://shop.example", True), ("https://evil.example", False)],
    )
    async def test_a_page_of_another_origin_is_let_in_only_where_that_is_set(
        self, tmp_path: Path, origin: str | None, allowed: bool
    ) -> None:
        async with server(tmp_path, "simulated://instant", cors_origins="https://shop.example") as (client, _):
            host = client._build_url("/").authority
            headers = {} if origin is None else {"Origin": origin.format(host=host)}
            try:
                async with client.ws_connect(SOCKET, headers=headers):
                    status = 101
            except aiohttp.WSServerHandshakeError as refused:
                status = refused.status

        assert status == (101 if allowed else 403)


class TestKeys:
    @pytest.mark.parametrize(
        ("headers", "protocols", "first"),
        [
            ({"Authorization": "Bearer k"}, (), None),
            ({"X-API-Key": "k"}, (), None),
            ({}, ("dragoman", "dragoman.key.k"), None),
            ({}, ("dragoman.key.k",), None),
            ({}, (), {"key": "k"}),
        ],
    )
    async def test_a_key_comes_in_a_header_a_subprotocol_or_the_first_message(
        self, headers: dict[str, str], protocols: tuple[str, ...], first: object
    ) -> None:
        gate = Doorkeeper()
        gate.key = "k"
        async with (
            locked(gate) as client,
            client.ws_connect(SOCKET, headers=headers, protocols=protocols) as connection,
        ):
            if first:
                await connection.send_json(first)
            await connection.send_json({"id": 1, **BODY})
            events = (await told(connection, 1))[1]

        assert events[-1][0] == "done"
        assert connection.protocol == (protocols[0] if protocols else None)
        assert gate.charged == [2 * len(str(BODY["text"]))]

    async def test_without_a_key_every_stream_is_refused(self) -> None:
        gate = Doorkeeper()
        gate.key = "k"
        async with locked(gate) as client, client.ws_connect(SOCKET) as connection:
            await connection.send_json({"key": "wrong"})
            wrong = await until_error(connection, None)
            await connection.send_json({"id": 1, **BODY})
            none = await until_error(connection, 1)

        assert (wrong["status"], none["status"], gate.charged) == (401, 401, [])

    async def test_a_stream_of_events_is_charged_as_a_plain_request_is(self) -> None:
        gate = Doorkeeper()
        app = create_app(service_over(ScriptedTranslator(), gate))
        plain = await call(app, "POST", PATH, BODY)
        streamed = await call(app, "POST", PATH, {**BODY, "stream": True})
        gate.refusal = QuotaExceeded("No.")
        refused = await call(app, "POST", PATH, {**BODY, "stream": True})

        assert (plain.status, streamed.status, refused.status) == (200, 200, 429)
        assert gate.charged == [2 * len(str(BODY["text"]))] * 2


@asynccontextmanager
async def locked(gate: Doorkeeper) -> AsyncIterator[aiohttp.ClientSession]:
    async with (
        served(create_app(service_over(ScriptedTranslator(), gate))) as (host, port),
        aiohttp.ClientSession(f"http://{host}:{port}") as client,
    ):
        yield client


async def until_error(connection: aiohttp.ClientWebSocketResponse, stream_id: object) -> dict[str, Any]:
    async with asyncio.timeout(10):
        while True:
            data: dict[str, Any] = await connection.receive_json()
            if (data["id"], data["event"]) == (stream_id, "error"):
                return data

"""`/mcp` without a client of its own: who is let in, what is told of errors, and who left."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import aiohttp
import pytest
from mcp import Client
from starlette.applications import Starlette

from dragoman.errors import DragomanError, EngineTimeout
from dragoman.server.mcp import routes
from dragoman.server.mcp.tools import TOOLS, schema_of
from tests.server.dialects.dialect_app import Doorkeeper, Speaker, app_with, service_over
from tests.server.scripted import call, served

HEADERS = {"accept": "application/json, text/event-stream"}


@pytest.fixture
def translator() -> Speaker:
    return Speaker()


@pytest.fixture
def app(translator: Speaker) -> Starlette:
    return app_with(service_over(translator, Doorkeeper()), routes.routes)


def tool_call(tool: str, **arguments: object) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}


HELLO = tool_call("translate", text="Hello", source="en", target="de")


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_an_assistant_that_leaves_ends_the_work(app: Starlette, translator: Speaker, mode: str) -> None:
    translator.held = True

    async with served(app) as address:
        async with Client("http://{}:{}/mcp".format(*address), mode=mode) as client:
            calling = asyncio.create_task(client.call_tool("translate", {"text": "Hello", "target": "de"}))
            await translator.started.wait()
            calling.cancel()
        async with asyncio.timeout(5):
            await translator.cancelled.wait()


async def test_a_connection_that_breaks_ends_the_work(app: Starlette, translator: Speaker) -> None:
    translator.held = True

    async with served(app) as address, aiohttp.ClientSession("http://{}:{}".format(*address)) as client:
        asking = asyncio.create_task(client.post("/mcp", json=HELLO, headers=HEADERS))
        await translator.started.wait()
        asking.cancel()
        async with asyncio.timeout(5):
            await translator.cancelled.wait()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (EngineTimeout("It took too long; try a shorter text.", engine="e"), "It took too long; try a shorter text."),
        (RuntimeError("secret"), "The server failed. Its log says more under the request id"),
    ],
)
async def test_what_fails_is_told_but_no_secrets(
    app: Starlette, translator: Speaker, error: DragomanError, words: str
) -> None:
    translator.refusal = error

    async with served(app) as address, Client("http://{}:{}/mcp".format(*address)) as client:
        result = await client.call_tool("translate", {"text": "Hello", "target": "de"})

    (content,) = result.content
    assert result.is_error
    assert content.type == "text"
    assert content.text.startswith(words)


@pytest.mark.parametrize(
    "body",
    [
        b'{"text": "a secret',
        {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": "a secret"},
        tool_call("translate", text=["a secret", 7], target="de"),
        tool_call("a secret"),
    ],
)
async def test_what_cannot_be_read_is_not_written_to_the_log(
    app: Starlette, caplog: pytest.LogCaptureFixture, body: object
) -> None:
    await call(app, "POST", "/mcp", body, headers=HEADERS)

    assert "secret" not in caplog.text


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_there_are_no_sessions(app: Starlette, method: str) -> None:
    answer = await call(app, method, "/mcp", b"")

    assert (answer.status, answer.json["title"]) == (405, "Method Not Allowed")


async def test_a_body_larger_than_the_limit_is_413(translator: Speaker) -> None:
    app = app_with(service_over(translator, Doorkeeper(), max_body_bytes=50), routes.routes)

    answer = await call(app, "POST", "/mcp", HELLO, headers=HEADERS)

    assert (answer.status, translator.requests) == (413, [])


async def test_without_the_package_it_says_what_to_install(app: Starlette, monkeypatch: pytest.MonkeyPatch) -> None:
    routes.load_protocol.cache_clear()
    monkeypatch.setitem(sys.modules, "mcp", None)
    monkeypatch.delitem(sys.modules, "dragoman.server.mcp.protocol", raising=False)

    answer = await call(app, "POST", "/mcp", HELLO)

    assert answer.status == 501
    assert "pip install 'dragoman[mcp]'" in answer.json["detail"]


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_the_schemas_of_a_tool_are_objects_that_stand_alone(tool: Any) -> None:  # noqa: ANN401 - pytest's
    for schema in (schema_of(tool.arguments), schema_of(tool.answer)):
        assert schema["type"] == "object"
        assert references(schema) <= {f"#/$defs/{name}" for name in schema.get("$defs", {})}


def references(schema: object) -> set[str]:
    if isinstance(schema, dict):
        own = {schema["$ref"]} if "$ref" in schema else set()
        return own.union(*map(references, schema.values()))
    return set().union(*map(references, schema)) if isinstance(schema, list) else set()

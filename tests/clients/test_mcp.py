"""The official `mcp` package's own client: over HTTP to a running server, and over pipes to the installed command."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client

from tests.clients.serving import ListedGate, running_server

DRAGOMAN = Path(sys.executable).with_name("dragoman")
TOOLS = ["translate", "detect", "languages", "glossaries", "glossary_terms", "add_glossary_terms"]


@asynccontextmanager
async def over_stdio(folder: Path) -> AsyncIterator[Client]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("DRAGOMAN_")}
    command = StdioServerParameters(
        command=str(DRAGOMAN),
        args=["mcp", "--engine", "simulated://instant", "--data-dir", str(folder)],
        env=environ,
        cwd=folder,
    )
    async with Client(stdio_client(command)) as client:
        yield client


async def answer_of(client: Client, tool: str, **arguments: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    return result.structured_content


async def refusal_of(client: Client, tool: str, **arguments: Any) -> str:  # noqa: ANN401 - whatever JSON holds
    result = await client.call_tool(tool, arguments)
    assert result.is_error
    (content,) = result.content
    assert content.type == "text"
    return content.text


async def offers_all_tools(client: Client) -> None:
    """What an assistant does with the tools, from finding a language to using a glossary of its own."""
    listed = await client.list_tools()
    assert [tool.name for tool in listed.tools] == TOOLS

    one = await answer_of(client, "translate", text="Good morning, {name}!", target="de")
    assert one["translations"][0]["source"] == "en"
    assert "{name}" in one["translations"][0]["text"]
    many = await answer_of(client, "translate", text=["Good morning.", "Good night."], source="en", target="pt-BR")
    assert [item["target"] for item in many["translations"]] == ["pt-BR", "pt-BR"]

    detected = await answer_of(client, "detect", text=["Where is the station?", "123"])
    assert [item["name"] for item in detected["detected"]] == ["English", None]
    found = await answer_of(client, "languages", search="welsh")
    assert found["languages"] == [{"code": "cy", "name": "Welsh", "native_name": "Cymraeg"}]
    assert {"de", "en"} <= {item["code"][:2] for item in (await answer_of(client, "languages"))["languages"]}

    pair = {"glossary": "bicycles", "source": "en", "target": "de"}
    await answer_of(client, "add_glossary_terms", **pair, entries={"hub": "Nabe"})
    added = await answer_of(client, "add_glossary_terms", **pair, entries={"spoke": "Speiche"})
    assert added == {"entries": {"spoke": "Speiche"}, "total": 1}
    assert await answer_of(client, "glossary_terms", **pair, search="HU") == {"entries": {"hub": "Nabe"}, "total": 1}
    (glossary,) = (await answer_of(client, "glossaries"))["glossaries"]
    assert (glossary["name"], glossary["dictionaries"][0]["entry_count"]) == ("bicycles", 2)
    bound = await answer_of(
        client, "translate", text="The hub is broken.", source="en", target="de", glossary="bicycles", keep=["broken"]
    )
    assert "Nabe" in bound["translations"][0]["text"]
    assert "broken" in bound["translations"][0]["text"]


async def test_an_assistant_that_starts_the_command_has_all_tools(tmp_path: Path) -> None:
    async with over_stdio(tmp_path) as client:
        await offers_all_tools(client)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_server_has_all_tools_for_new_clients_and_old(tmp_path: Path, mode: str) -> None:
    with running_server(tmp_path) as url:
        async with Client(f"{url}/mcp", mode=mode) as client:
            await offers_all_tools(client)


async def test_mistakes_are_told_in_words_that_help(server_url: str) -> None:
    async with Client(f"{server_url}/mcp") as client:
        assert "'target' is missing" in await refusal_of(client, "translate", text="Hello")
        assert "Did you mean" in await refusal_of(client, "translate", text="Hello", target="germn")
        assert "known are: text" in await refusal_of(client, "detect", txt="Hello")
        assert "no glossary" in (await refusal_of(client, "translate", text="Hello", target="de", glossary="x")).lower()
        with pytest.raises(MCPError, match="no such tool"):
            await client.call_tool("transmogrify", {})


async def test_a_server_with_keys_takes_them_as_bearer_and_charges_them(tmp_path: Path) -> None:
    with running_server(tmp_path, gate=ListedGate({"good": 5})) as url:
        async with (
            httpx2.AsyncClient(headers={"Authorization": "Bearer good"}) as http,
            Client(streamable_http_client(f"{url}/mcp", http_client=http)) as client,
        ):
            await answer_of(client, "translate", text="Hello", source="en", target="de")
            refused = await refusal_of(client, "translate", text="Hello", source="en", target="de")
        async with httpx2.AsyncClient() as http:
            bare = await http.post(f"{url}/mcp", json={})

    assert "used up" in refused
    assert (bare.status_code, bare.headers["www-authenticate"]) == (401, "Bearer")


@pytest.mark.parametrize(
    ("origin", "is_let_in"),
    [("http://localhost:6274", True), ("https://friend.example", True), ("http://evil.example:8080", False)],
)
async def test_pages_of_other_origins_may_not_use_it(tmp_path: Path, origin: str, is_let_in: bool) -> None:
    with running_server(tmp_path, cors_origins="https://friend.example") as url:
        async with httpx2.AsyncClient() as http:
            answer = await http.post(f"{url}/mcp", json={}, headers={"Origin": origin})

    assert (answer.status_code != 403) == is_let_in

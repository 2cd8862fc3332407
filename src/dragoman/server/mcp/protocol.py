"""The Model Context Protocol, spoken by its official package. Importing this takes two seconds and 40 MB, so it is
left to the first use.

https://modelcontextprotocol.io/specification
"""

from __future__ import annotations

import logging
from importlib.metadata import version
from typing import Any

import mcp.types
import msgspec
from mcp import MCPError
from mcp.server import Server, ServerRequestContext
from mcp.server.stdio import stdio_server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from dragoman.server.mcp.tools import TOOLS, Tool, Tools, schema_of
from dragoman.server.problems import failure_of

INSTRUCTIONS = (
    "Translates on this machine or network, with a model made for it. Translate whole texts rather than single words, "
    "and several texts in one call. Names the user wants untouched belong in 'keep', agreed terms in a glossary."
)
logging.getLogger("mcp").setLevel(logging.WARNING)  # below that it tells of every request

_TOOLS_BY_NAME = {tool.name: tool for tool in TOOLS}


async def speak(tools: Tools) -> None:
    """Answer on standard output what comes on standard input, until that ends."""
    server = _server(tools)
    async with stdio_server() as (requests, answers):
        await server.run(requests, answers, server.create_initialization_options())


class Exchange(Response):
    """The answer to one HTTP request. Nothing outlives it: any process of several can answer the next."""

    def __init__(self, tools: Tools, max_body_bytes: int) -> None:
        super().__init__()
        self._tools = tools
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        manager = StreamableHTTPSessionManager(
            _server(self._tools), stateless=True, max_request_body_size=self._max_body_bytes
        )
        async with manager.run():
            await manager.handle_request(scope, receive, send)


def _server(tools: Tools) -> Server[Any]:
    async def list_tools(
        context: ServerRequestContext[Any], asked: mcp.types.PaginatedRequestParams | None
    ) -> mcp.types.ListToolsResult:
        return mcp.types.ListToolsResult(tools=_LISTED)

    async def call_tool(
        context: ServerRequestContext[Any], asked: mcp.types.CallToolRequestParams
    ) -> mcp.types.CallToolResult:
        return await _called(tools, asked.name, asked.arguments or {})

    return Server(
        "dragoman",
        title="Dragoman",
        version=version("dragoman"),
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


async def _called(tools: Tools, name: str, arguments: dict[str, Any]) -> mcp.types.CallToolResult:
    """A tool's answer, or what went wrong in words that the assistant can act on."""
    tool = _TOOLS_BY_NAME.get(name)
    if tool is None:
        raise MCPError(mcp.types.INVALID_PARAMS, f"There is no such tool; there are {', '.join(_TOOLS_BY_NAME)}.")
    try:
        answer = await tools.call(tool, arguments)
    except Exception as error:
        return _result(failure_of(error, tools.request_id).problem.detail, is_error=True)
    return _result(msgspec.json.encode(answer).decode(), structured=msgspec.to_builtins(answer))


def _result(words: str, *, structured: object = None, is_error: bool = False) -> mcp.types.CallToolResult:
    content = mcp.types.TextContent(type="text", text=words)
    return mcp.types.CallToolResult(content=[content], structured_content=structured, is_error=is_error)


def _listed(tool: Tool) -> mcp.types.Tool:
    return mcp.types.Tool(
        name=tool.name,
        title=tool.title,
        description=tool.description,
        input_schema=schema_of(tool.arguments),
        output_schema=schema_of(tool.answer),
        annotations=mcp.types.ToolAnnotations(
            read_only_hint=not tool.writes, destructive_hint=False, idempotent_hint=True, open_world_hint=False
        ),
    )


_LISTED = [_listed(tool) for tool in TOOLS]

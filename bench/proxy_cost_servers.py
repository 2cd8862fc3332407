"""The two servers that `bench.proxy_cost` compares with: an engine that takes 50 ms, and the barest of proxies."""

from __future__ import annotations

import asyncio
import re
import sys

import aiohttp
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

ENGINE_S = 0.05
ORDER = re.compile(rb"Order (\d+)")
ANSWER = (
    b'data: {"choices":[{"text":"Bestellung %b: Der Kunde hat letzten Montag eine blaue","finish_reason":null}]}\n\n'
    b'data: {"choices":[{"text":" Jacke bestellt.","finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":90,"completion_tokens":12}}\n\n'
    b"data: [DONE]\n\n"
)


def upstream() -> Starlette:
    """An OpenAI-style engine: every completion is the same stream but for the order's number, after 50 ms."""

    async def complete(request: Request) -> Response:
        number = ORDER.search(await request.body())
        await asyncio.sleep(ENGINE_S)
        return Response(ANSWER % (number[1] if number else b""), media_type="text/event-stream")

    async def models(_: Request) -> Response:
        return JSONResponse({"data": [{"id": "translategemma-27b-it"}]})

    return Starlette(routes=[Route("/v1/completions", complete, methods=["POST"]), Route("/v1/models", models)])


def bare(upstream_port: int) -> Starlette:
    """Forwards every body to the engine and its answer back, and does nothing else."""
    url = f"http://127.0.0.1:{upstream_port}/v1/completions"
    sessions: list[aiohttp.ClientSession] = []

    async def forward(request: Request) -> Response:
        if not sessions:
            sessions.append(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
        answer = await sessions[0].post(url, data=await request.body())
        return StreamingResponse(answer.content.iter_any(), answer.status)

    async def ready(_: Request) -> Response:
        return Response()

    return Starlette(routes=[Route("/v1/translate", forward, methods=["POST"]), Route("/ready", ready)])


if __name__ == "__main__":
    app = upstream() if sys.argv[1] == "upstream" else bare(int(sys.argv[3]))
    uvicorn.run(app, port=int(sys.argv[2]), http="httptools", loop="uvloop", access_log=False, log_level="warning")

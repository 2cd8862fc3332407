"""The two servers that `bench.article` compares Dragoman with, as one writes them without giving load a thought.

- *sync*: a pool of worker threads, each of which serves one request at a time, translates the texts of a batch one
  after the other, opens a connection for every call to the engine and closes that to the client after every answer.
- *async*: one event loop, one client session with its default settings, and `gather` over the texts of a batch.

Both ask the engine with the same prompts as Dragoman, and for whole answers.
"""

from __future__ import annotations

import asyncio
import json
import sys
import urllib.request
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from socket import socket
from typing import Any

import aiohttp
from aiohttp import web

from dragoman.prompts.styles import style_for
from dragoman.types import Pair, Segment

WORKER_THREADS = 4
"""What waitress starts with, the server of Flask's own deployment guide that LibreTranslate runs on."""


def completion(model: str, text: str, body: dict[str, str]) -> dict[str, Any]:
    """The request to the engine for one text, in the languages that the caller's body names."""
    prompt = style_for(model).render(Segment(text, Pair(body["source_lang"], body["target_lang"])))
    return {"model": model, "prompt": prompt.raw, "max_tokens": prompt.max_tokens, "temperature": 0}


def success(answer: dict[str, Any]) -> dict[str, str]:
    return {"status": "success", "translation": answer["choices"][0]["text"].strip()}


class SyncHandler(BaseHTTPRequestHandler):
    """HTTP/1.0: a connection ends with its answer, as with gunicorn's synchronous workers."""

    engine_url: str
    model: str

    def do_GET(self) -> None:
        self._answer({"status": "ok"})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path == "/translate":
            self._answer(self._translate(body["text"], body))
        else:
            self._answer({"results": [self._translate(text, body) for text in body["texts"]]})

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: a line for each request is not what is measured."""

    def _translate(self, text: str, body: dict[str, str]) -> dict[str, str]:
        request = urllib.request.Request(
            f"{self.engine_url}/v1/completions",
            json.dumps(completion(self.model, text, body)).encode(),
            {"content-type": "application/json"},
        )
        with urllib.request.urlopen(request) as response:
            return success(json.load(response))

    def _answer(self, answer: object) -> None:
        data = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class SyncServer(HTTPServer):
    """Hands each connection to one of the worker threads; the others wait in the pool's queue."""

    request_queue_size = 2048

    def __init__(self, port: int, handler: type[SyncHandler]) -> None:
        super().__init__(("127.0.0.1", port), handler)
        self._pool = ThreadPoolExecutor(WORKER_THREADS)

    def process_request(self, request: socket | tuple[bytes, socket], client_address: Any) -> None:  # noqa: ANN401 - as in the base
        self._pool.submit(self._serve, request, client_address)

    def _serve(self, request: socket | tuple[bytes, socket], client_address: Any) -> None:  # noqa: ANN401 - as in the base
        try:
            self.finish_request(request, client_address)
        except OSError:
            pass  # the client has left
        finally:
            self.shutdown_request(request)


class AsyncServer:
    """The handlers over one client session."""

    def __init__(self, engine_url: str, model: str) -> None:
        self._engine_url = engine_url
        self._model = model

    def app(self) -> web.Application:
        app = web.Application()
        app.cleanup_ctx.append(self._session)
        routes = [web.post("/translate", self.translate), web.post("/batch-translate", self.batch_translate)]
        app.add_routes([*routes, web.get("/health", self.health)])
        return app

    async def health(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def translate(self, request: web.Request) -> web.Response:
        body = await request.json()
        return web.json_response(await self._translate(body["text"], body))

    async def batch_translate(self, request: web.Request) -> web.Response:
        body = await request.json()
        results = await asyncio.gather(*(self._translate(text, body) for text in body["texts"]))
        return web.json_response({"results": results})

    async def _session(self, _: web.Application) -> AsyncIterator[None]:
        async with aiohttp.ClientSession() as self._client:
            yield

    async def _translate(self, text: str, body: dict[str, str]) -> dict[str, str]:
        request = completion(self._model, text, body)
        async with self._client.post(f"{self._engine_url}/v1/completions", json=request) as response:
            return success(await response.json())


def main(kind: str, port: int, engine_url: str, model: str) -> None:
    """Serve until the process is ended."""
    if kind == "sync":
        handler = type("Handler", (SyncHandler,), {"engine_url": engine_url, "model": model})
        SyncServer(port, handler).serve_forever()
    else:
        web.run_app(AsyncServer(engine_url, model).app(), host="127.0.0.1", port=port, print=None, shutdown_timeout=1)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4])

"""Slow answers: blanks before the JSON, for clients who wait for the next byte and no longer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dragoman.errors import EngineUnavailable
from dragoman.server import heartbeat
from dragoman.server.disconnect import until_client_leaves
from dragoman.server.endpoint import Endpoint, json_answer, simple_failure
from dragoman.server.heartbeat import patient
from dragoman.server.request_id import RequestId
from dragoman.serving import open_service
from dragoman.settings import Settings
from dragoman.types import TranslateRequest
from dragoman.wiring import open_translator
from tests.server.scripted import served

FIRST_BLANK_S, EVERY_S = 0.1, 0.05
IMPATIENT = aiohttp.ClientTimeout(sock_read=0.6)
"""For one read: longer than from blank to blank, shorter than the slow work here."""
SLOW_S = 1.2

Work = Callable[[], Awaitable[object]]


@pytest.fixture(autouse=True)
def quicker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "FIRST_BLANK_S", FIRST_BLANK_S)
    monkeypatch.setattr(heartbeat, "EVERY_S", EVERY_S)


def app_of(work: Work) -> Starlette:
    """An app whose one route does some work."""

    async def handler(request: Request) -> Response:
        async def answer() -> Response:
            return json_answer({"done": await until_client_leaves(work(), request.receive)}, {"X-Late": "1"})

        return await patient(answer(), request, simple_failure, {"X-Early": "1"})

    return Starlette(
        routes=[Route("/", Endpoint(handler, simple_failure), methods=["GET"])], middleware=[Middleware(RequestId)]
    )


@asynccontextmanager
async def asking(work: Work) -> AsyncIterator[aiohttp.ClientSession]:
    """An impatient client of a server with that app."""
    async with (
        served(app_of(work)) as address,
        aiohttp.ClientSession("http://{}:{}".format(*address), timeout=IMPATIENT) as client,
    ):
        yield client


async def slowly() -> str:
    await asyncio.sleep(SLOW_S)
    return "yes"


async def test_a_quick_answer_is_left_as_it_is() -> None:
    async with asking(lambda: asyncio.sleep(0, "yes")) as client, client.get("/") as answer:
        assert await answer.read() == b'{"done":"yes"}'
        assert answer.headers["Content-Length"] == "14"
        assert "X-Early" not in answer.headers


async def test_a_quick_failure_has_its_status() -> None:
    async def fails() -> None:
        raise EngineUnavailable("It is gone.", engine="gpu1")

    async with asking(fails) as client, client.get("/") as answer:
        assert (answer.status, await answer.json()) == (502, {"status": "error", "message": "It is gone."})


async def test_a_slow_answer_reaches_an_impatient_client_in_one_request() -> None:
    async with asking(slowly) as client, client.get("/") as answer:
        body = await answer.read()

        assert (answer.status, await answer.json()) == (200, {"done": "yes"})
        assert body.lstrip() == b'{"done":"yes"}'
        assert 5 <= len(body) - len(body.lstrip()) <= SLOW_S / EVERY_S
        assert (answer.content_type, answer.headers["X-Early"]) == ("application/json", "1")
        assert answer.headers["X-Accel-Buffering"] == "no"
        assert len(answer.headers["X-Request-ID"]) == 32


async def test_the_same_client_would_not_have_waited_without_blanks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "FIRST_BLANK_S", 10.0)

    async with asking(slowly) as client:
        with pytest.raises(aiohttp.SocketTimeoutError):
            await client.get("/")


@pytest.mark.parametrize(
    ("error", "message"),
    [(EngineUnavailable("It is gone.", engine="gpu1"), "It is gone."), (ValueError("secret"), "The server failed.")],
)
async def test_a_late_failure_is_told_in_the_body_in_the_shape_of_the_route(error: Exception, message: str) -> None:
    async def fails() -> None:
        await asyncio.sleep(FIRST_BLANK_S + EVERY_S)
        raise error

    async with asking(fails) as client, client.get("/") as answer:
        body = await answer.json()

    assert (answer.status, body["status"]) == (200, "error")
    assert body["message"].startswith(message)


@pytest.mark.parametrize("leaves_after_s", [FIRST_BLANK_S / 2, FIRST_BLANK_S + EVERY_S])
async def test_work_ends_when_the_client_leaves(leaves_after_s: float) -> None:
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with asking(work) as client:
        asked = asyncio.create_task(client.get("/"))
        await asyncio.sleep(leaves_after_s)
        asked.cancel()
        await asyncio.wait([asked])
        if not asked.cancelled():
            asked.result().close()

        async with asyncio.timeout(1):
            await ended.wait()


async def test_a_server_that_stops_says_so_in_the_body() -> None:
    async with aiohttp.ClientSession(timeout=IMPATIENT) as client:
        async with served(app_of(asyncio.Event().wait)) as address:
            answer = await client.get("http://{}:{}/".format(*address))
            reading = asyncio.create_task(answer.json())
            await asyncio.sleep(0)
        # Here the server has stopped, after its grace of a second.
        body = await reading

    assert body["status"] == "error"
    assert "stopped" in body["message"]


async def test_a_slow_engine_is_waited_for(tmp_path: object) -> None:
    settings = Settings(data_dir=str(tmp_path))
    async with (
        open_translator(settings, engines=["simulated://slow-cpu?speed=4"]) as translator,
        open_service(translator, settings) as service,
    ):
        await translator.ready()

        async def work() -> str:
            (outcome,) = await service.translator.translate(
                TranslateRequest(texts=("It takes a while to say all of this.",), targets=("de",), source="en")
            )
            return type(outcome).__name__

        async with asking(work) as client, client.get("/") as answer:
            body = await answer.read()

    assert body.startswith(b" ")
    assert body.lstrip() == b'{"done":"Translation"}'

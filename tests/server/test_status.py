"""The operator's routes, over a real socket: `/v1/status`, and replicas that are drained and put to work again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from urllib.parse import quote

import aiohttp
import msgspec
import pytest
from yarl import URL

from dragoman.core.translator import Translator
from dragoman.errors import EngineUnavailable
from dragoman.memory.key_file import KeyLimits
from dragoman.server.app import create_app
from dragoman.server.gate import KeyGate
from dragoman.server.metrics import Metrics
from dragoman.server.service import Service
from dragoman.server.status.history import History
from dragoman.server.status.status import ReplicaStatus, Status
from dragoman.serving import open_metrics, open_service
from dragoman.settings import Settings
from dragoman.types import Readiness
from dragoman.wiring import open_translator
from tests.held_engine import HeldEngine
from tests.server.scripted import served

INSTANT = "simulated://instant"
HELD = "openai+http://gpu-2:8000/v1#2"


class Clock:
    """Unix time as the test wants it."""

    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def settings(tmp_path: Path) -> Settings:
    return Settings(engine=INSTANT, data_dir=str(tmp_path), rss_soft_limit_bytes=0)


@pytest.fixture
async def translator(settings: Settings) -> AsyncIterator[Translator]:
    async with open_translator(settings) as translator:
        await translator.ready()
        yield translator


@pytest.fixture
async def clock() -> Clock:
    return Clock()


@pytest.fixture
async def metrics(translator: Translator, settings: Settings, clock: Clock) -> AsyncIterator[Metrics]:
    async with open_metrics(translator, settings) as metrics:
        metrics.history = History(translator, clock)
        yield metrics


@pytest.fixture
async def service(translator: Translator, settings: Settings) -> AsyncIterator[Service]:
    async with open_service(translator, settings) as service:
        yield service


@pytest.fixture
async def client(service: Service, metrics: Metrics) -> AsyncIterator[aiohttp.ClientSession]:
    async with (
        served(create_app(service, metrics)) as (host, port),
        aiohttp.ClientSession(f"http://{host}:{port}") as client,
    ):
        yield client


async def status_of(client: aiohttp.ClientSession) -> Status:
    async with client.get("/v1/status") as answer:
        assert (answer.status, answer.headers["cache-control"]) == (200, "no-store")
        return msgspec.json.decode(await answer.read(), type=Status)


async def translate(client: aiohttp.ClientSession, text: str, target: str = "de") -> int:
    async with client.post("/v1/translate", json={"text": text, "source": "en", "target": target}) as answer:
        await answer.read()
        return answer.status


async def set_drain(client: aiohttp.ClientSession, method: str, name: str) -> tuple[int, bytes]:
    """`POST` drains, `DELETE` gives work again. A name is sent as clients should: all of it encoded."""
    url = f"/v1/replicas/{quote(name, safe='')}/drain"
    async with client.request(method, URL(url, encoded=True)) as answer:
        return answer.status, await answer.read()


class TestStatus:
    async def test_it_tells_what_serves_and_what_it_did(self, client: aiohttp.ClientSession) -> None:
        assert await translate(client, "Good morning.\nGood night.") == 200
        assert await translate(client, "Good morning.\nGood day.") == 200
        status = await status_of(client)

        assert (status.engine.model, status.readiness) == ("instant", Readiness(True))
        assert [(one.name, one.state, one.calls) for one in status.replicas] == [(INSTANT, "ready", 3)]
        assert {(one.outcome, one.count) for one in status.segments} == {("translated", 3), ("remembered", 1)}
        assert status.hit_rate == 0.25
        assert status.memory is not None
        assert status.memory["hot"].entries == 3
        assert {lane: held.waiting for lane, held in status.lanes.items()} == {"interactive": 0, "bulk": 0}
        assert (status.process.processes, status.process.rss_soft_limit_bytes) == (1, 0)

    async def test_the_last_hour_counts_requests_that_translate_and_no_others(
        self, client: aiohttp.ClientSession, metrics: Metrics, clock: Clock
    ) -> None:
        await translate(client, "Good morning.")
        await translate(client, "Good morning.", target="nowhere")
        async with client.post("/translate", json={"q": "Hi there", "source": "en", "target": "de"}) as answer:
            assert answer.status == 200
        for path in ("/health", "/", "/metrics", "/v1/status"):
            async with client.get(path) as answer:
                assert answer.status == 200
        clock.now += 10
        metrics.history.look()
        series = (await status_of(client)).series

        assert (series.at, series.every_s) == ([1_000_010], 10)
        assert (series.requests_per_s, series.refused_per_s) == ([0.3], [0.1])
        assert series.segments_per_s == [0.2]
        assert 0 < (series.p50_ms[0] or 0) <= (series.p99_ms[0] or 0) < 5000

    async def test_a_replica_that_cannot_be_reached_says_why(
        self, client: aiohttp.ClientSession, translator: Translator
    ) -> None:
        engine = HeldEngine()
        engine.probe_errors = [EngineUnavailable("The engine is not there.", engine="held")] * 9
        translator.pool.add(HELD, engine)
        await asyncio.sleep(0)
        _, replica = (await status_of(client)).replicas

        assert (replica.name, replica.state, replica.reason) == (HELD, "unreachable", "The engine is not there.")

    async def test_one_that_failed_often_rests(self, client: aiohttp.ClientSession, translator: Translator) -> None:
        replica = translator.pool[INSTANT]
        for _ in range(5):
            replica.breaker.failed(asyncio.get_running_loop().time())

        assert [one.state for one in (await status_of(client)).replicas] == ["resting"]

    async def test_no_text_is_in_it(self, client: aiohttp.ClientSession) -> None:
        await translate(client, "A confidential sentence.")

        async with client.get("/v1/status") as answer:
            assert "onfidential" not in await answer.text()


class TestDraining:
    async def test_a_replica_finishes_what_it_has_and_then_is_drained(
        self, client: aiohttp.ClientSession, translator: Translator
    ) -> None:
        engine = HeldEngine(held=True)
        translator.pool.add(HELD, engine)
        await set_drain(client, "POST", INSTANT)
        waiting = asyncio.create_task(translate(client, "Hold on."))
        await until(lambda: translator.pool[HELD].flying > 0)

        status, body = await set_drain(client, "POST", HELD)
        draining = msgspec.json.decode(body, type=ReplicaStatus)
        engine.release.set()
        assert await waiting == 200
        drained = (await status_of(client)).replicas[1]

        assert (status, draining.name, draining.state, draining.flying) == (200, HELD, "draining", 1)
        assert (drained.state, drained.flying) == ("drained", 0)

    async def test_it_gets_work_again_when_it_is_told_so(
        self, client: aiohttp.ClientSession, translator: Translator
    ) -> None:
        await set_drain(client, "POST", INSTANT)
        waiting = asyncio.create_task(translate(client, "Is anybody there?"))
        await until(lambda: len(translator.scheduler.lanes) > 0)
        status, body = await set_drain(client, "DELETE", INSTANT)

        assert (status, msgspec.json.decode(body, type=ReplicaStatus).state) == (200, "ready")
        assert await waiting == 200

    @pytest.mark.parametrize("method", ["POST", "DELETE"])
    async def test_a_name_that_nobody_has_is_refused_with_those_there_are(
        self, client: aiohttp.ClientSession, method: str
    ) -> None:
        status, body = await set_drain(client, method, "simulated://elsewhere")

        assert (status, msgspec.json.decode(body)["accepted"]) == (400, [INSTANT])

    @pytest.mark.parametrize("method", ["POST", "DELETE"])
    async def test_one_process_of_several_does_not_drain_for_itself(
        self, service: Service, client: aiohttp.ClientSession, method: str
    ) -> None:
        service.settings = msgspec.structs.replace(service.settings, workers=4)
        status, body = await set_drain(client, method, INSTANT)

        assert status == 403
        assert "Stop the replica itself" in msgspec.json.decode(body)["detail"]
        assert (await status_of(client)).process.processes == 4
        assert (await status_of(client)).replicas[0].state == "ready"


class TestAccess:
    @pytest.mark.parametrize(
        ("method", "path"),
        [("GET", "/v1/status"), ("POST", "/v1/replicas/any/drain"), ("DELETE", "/v1/replicas/any/drain")],
    )
    async def test_where_keys_are_asked_for_only_the_operator_comes_in(
        self, translator: Translator, metrics: Metrics, settings: Settings, method: str, path: str
    ) -> None:
        keyed = msgspec.structs.replace(settings, keys=True)
        async with (
            open_service(translator, keyed) as service,
            served(create_app(service, metrics)) as (host, port),
            aiohttp.ClientSession(f"http://{host}:{port}") as client,
        ):
            assert isinstance(service.gate, KeyGate)
            shop, _ = await service.gate.keyring.add("shop", ["translate"], KeyLimits())
            operator, _ = await service.gate.keyring.add("operator", ["admin"], KeyLimits())
            statuses = [await status_with(client, method, path, key) for key in ("", shop, operator)]
            page = await status_with(client, "GET", "/status", "")

        assert statuses == [401, 403, 200 if method == "GET" else 400]
        assert page == 200

    async def test_without_metrics_there_is_no_status(self, service: Service) -> None:
        async with (
            served(create_app(service)) as (host, port),
            aiohttp.ClientSession(f"http://{host}:{port}") as client,
        ):
            assert [await status_with(client, "GET", path, "") for path in ("/v1/status", "/status")] == [404, 404]


class TestDocumentation:
    async def test_the_routes_are_documented_without_the_routers_own_signs(self, client: aiohttp.ClientSession) -> None:
        async with client.get("/openapi.json") as answer:
            document = await answer.json()
        drain = document["paths"]["/v1/replicas/{name}/drain"]

        assert drain["post"]["operationId"] == "post_v1_replicas_name_drain"
        assert [parameter["name"] for parameter in drain["delete"]["parameters"]] == ["name"]
        assert "Series" in document["components"]["schemas"]

    async def test_the_page_may_load_from_its_own_server_only(self, client: aiohttp.ClientSession) -> None:
        async with client.get("/status") as answer:
            assert "default-src 'none'" in answer.headers["content-security-policy"]
            page = await answer.text()

        assert "http:" not in page
        assert "https:" not in page


async def until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not happened():  # noqa: ASYNC110 - a request tells nobody when it begins to wait
            await asyncio.sleep(0)


async def status_with(client: aiohttp.ClientSession, method: str, path: str, key: str) -> int:
    async with client.request(method, path, headers={"X-API-Key": key}) as answer:
        return answer.status

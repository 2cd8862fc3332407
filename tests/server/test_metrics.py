"""What `/metrics` tells: read back with the official parser, from a real server over the simulated engine."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from dragoman.core.pool import Pool
from dragoman.core.scheduler import Scheduler, Scheduling
from dragoman.core.translator import Translator
from dragoman.errors import DragomanError, EngineRejected
from dragoman.server.app import create_app
from dragoman.serving import open_metrics, open_service
from dragoman.settings import Settings
from dragoman.telemetry import Histogram, LoopLag, Tally
from dragoman.types import Pair, Segment
from dragoman.wiring import open_translator
from tests.held_engine import HeldEngine
from tests.server.scripted import served

Samples = Mapping[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture
async def settings(tmp_path: Path) -> Settings:
    return Settings(engine="simulated://instant", data_dir=str(tmp_path), rss_soft_limit_bytes=0)


@pytest.fixture
async def translator(settings: Settings) -> AsyncIterator[Translator]:
    async with open_translator(settings) as translator:
        await translator.ready()
        yield translator


@pytest.fixture
async def client(translator: Translator, settings: Settings) -> AsyncIterator[aiohttp.ClientSession]:
    async with (
        open_metrics(translator, settings) as metrics,
        open_service(translator, settings) as service,
        served(create_app(service, metrics)) as (host, port),
        aiohttp.ClientSession(f"http://{host}:{port}") as client,
    ):
        yield client


async def post(client: aiohttp.ClientSession, text: str, **more: object) -> int:
    body = {"text": text, "source": "en", "target": "de", **more}
    async with client.post("/v1/translate", json=body) as answer:
        await answer.read()
        return answer.status


async def scrape(client: aiohttp.ClientSession) -> Samples:
    async with client.get("/metrics") as answer:
        assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        families = text_string_to_metric_families(await answer.text())
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float | None:
    return samples.get((f"dragoman_{name}", frozenset(labels.items())))


class TestRequests:
    async def test_they_are_counted_and_timed_by_route_and_class_of_status(self, client: aiohttp.ClientSession) -> None:
        await post(client, "Good morning.")
        await post(client, "Good morning.", target="nowhere")
        samples = await scrape(client)

        good = {"route": "/v1/translate", "status": "2xx"}
        assert value(samples, "request_seconds_count", **good) == 1
        assert value(samples, "request_seconds_bucket", le="+Inf", **good) == 1
        assert 0 < (value(samples, "request_seconds_sum", **good) or 0) < 5
        assert value(samples, "request_seconds_count", route="/v1/translate", status="4xx") == 1

    async def test_a_path_that_somebody_made_up_is_no_label(self, client: aiohttp.ClientSession) -> None:
        for path in ("/secret-1", "/secret-2"):
            async with client.get(path) as answer:
                assert answer.status == 404
        samples = await scrape(client)

        assert value(samples, "request_seconds_count", route="none", status="4xx") == 2
        assert "secret" not in str(samples)

    async def test_no_text_and_no_address_is_in_any_label(self, client: aiohttp.ClientSession) -> None:
        await post(client, "A confidential sentence.")
        labels = {label for _, labels in await scrape(client) for label in labels}

        assert {name for name, _ in labels} == {
            "route", "status", "le", "outcome", "error", "lane", "replica", "kind", "tier", "limit",
        }  # fmt: skip
        assert not any("confidential" in words or "127.0.0.1" in words for _, words in labels)


class TestWork:
    async def test_segments_are_told_apart_by_how_they_were_answered(self, client: aiohttp.ClientSession) -> None:
        await post(client, "Good morning.\nGood night.")
        await post(client, "Good morning.\nGood day.")
        samples = await scrape(client)

        assert value(samples, "segments_total", outcome="translated", error="") == 3
        assert value(samples, "segments_total", outcome="remembered", error="") == 1
        assert value(samples, "translations_total", outcome="translated", error="") == 2
        assert (value(samples, "memory_hits_total", tier="hot") or 0) >= 1
        assert value(samples, "memory_entries", tier="hot") == 3
        assert (value(samples, "memory_bytes", tier="hot") or 0) > 500

    async def test_a_replica_tells_its_room_its_health_and_its_tokens(
        self, client: aiohttp.ClientSession, translator: Translator
    ) -> None:
        await post(client, "Good morning.")
        samples, replica = await scrape(client), "simulated://instant"

        assert value(samples, "replica_limit", replica=replica) == translator.info.slots
        assert value(samples, "replica_flying", replica=replica) == 0
        assert value(samples, "replica_ready", replica=replica) == 1
        assert value(samples, "replica_breaker_open", replica=replica) == 0
        assert value(samples, "engine_call_seconds_count", replica=replica) == 1
        for kind in ("prompt", "output"):
            assert (value(samples, "tokens_total", replica=replica, kind=kind) or 0) > 0

    async def test_empty_lanes_are_there_from_the_start(self, client: aiohttp.ClientSession) -> None:
        samples = await scrape(client)

        for lane in ("interactive", "bulk"):
            assert value(samples, "waiting_segments", lane=lane) == 0
            assert value(samples, "waiting_tokens", lane=lane) == 0

    async def test_every_segment_asked_for_is_counted_once(self) -> None:
        engine = HeldEngine(held=True, failures=[EngineRejected("no", engine="held"), None, None])
        async with Pool() as pool:
            scheduler = Scheduler(pool, Scheduling(segments=2, tokens=10_000))
            pool.add("replica", engine)

            failing = start(scheduler, "fails")
            flying = start(scheduler, "a", "b")
            joining = start(scheduler, "a", "a", "b")
            late = start(scheduler, "late", allowed_s=0.01)
            await asyncio.gather(failing, late)
            leaving = start(scheduler, "leaves")
            await asyncio.sleep(0)
            refused = start(scheduler, "c", "d", "e")
            await asyncio.wait([refused])
            leaving.cancel()
            await asyncio.wait([leaving])
            engine.release.set()
            await asyncio.gather(flying, joining, start(scheduler, "a"))

        assert str(refused.exception()).startswith("1 segments are waiting already")
        assert scheduler.segments.counts == {
            ("translated", ""): 2,
            ("joined", ""): 4,
            ("failed", "EngineRejected"): 1,
            ("failed", "DeadlineExceeded"): 1,
            ("refused", "Overloaded"): 3,
            ("left", ""): 1,
        }


class TestProcess:
    async def test_it_tells_its_size_its_limits_and_its_lag(self, client: aiohttp.ClientSession) -> None:
        samples = await scrape(client)

        assert 1e6 < (value(samples, "rss_bytes") or 0) < (value(samples, "rss_limit_bytes", limit="hard") or 0)
        assert value(samples, "rss_limit_bytes", limit="soft") == 0
        assert value(samples, "rss_pressure") == 0
        assert 0 <= (value(samples, "loop_lag_seconds") or 0) <= (value(samples, "loop_lag_max_seconds") or 0)

    async def test_past_the_hard_limit_a_request_gets_503_and_the_reason(
        self, translator: Translator, settings: Settings
    ) -> None:
        tiny = Settings(rss_soft_limit_bytes=0, rss_hard_limit_bytes=1)
        async with (
            open_metrics(translator, tiny) as metrics,
            open_service(translator, settings) as service,
            served(create_app(service, metrics)) as (host, port),
            aiohttp.ClientSession(f"http://{host}:{port}") as client,
        ):
            samples = await scrape(client)
            body = {"text": "Good morning.", "source": "en", "target": "de"}
            async with client.post("/v1/translate", json=body) as answer:
                problem = await answer.json(content_type="application/problem+json")

        assert value(samples, "rss_pressure") == 2
        assert (answer.status, "short of memory" in problem["detail"]) == (503, True)
        assert int(answer.headers["Retry-After"]) >= 1

    async def test_a_blocking_call_shows_as_lag(self) -> None:
        async with LoopLag() as lag:
            await asyncio.sleep(0)
            time.sleep(LoopLag.EVERY_S + 0.05)  # noqa: ASYNC251 - the point of the test
            await asyncio.sleep(0.01)

            assert lag.longest_s == lag.latest_s >= 0.05


class TestCounting:
    def test_a_value_falls_under_the_first_bound_that_is_not_below_it(self) -> None:
        histogram = Histogram((1.0, 2.0))
        for observed in (0.5, 1.0, 1.5, 3.0):
            histogram.observe(observed)

        assert (histogram.counts, histogram.total) == ([2, 1, 1], 6.0)

    def test_errors_are_told_apart_by_their_class(self) -> None:
        tally = Tally()
        tally.count_each("translated", ["text", EngineRejected("no", engine="held"), DragomanError(), "text"])

        assert tally.counts == {
            ("translated", ""): 2,
            ("failed", "EngineRejected"): 1,
            ("failed", "DragomanError"): 1,
        }


def start(scheduler: Scheduler, *texts: str, allowed_s: float = 30) -> asyncio.Task[object]:
    segments = [Segment(text, Pair("en", "de")) for text in texts]
    return asyncio.create_task(scheduler.fly(segments, asyncio.get_running_loop().time() + allowed_s))

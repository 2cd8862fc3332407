"""From the socket to an engine and back: the real translator over the simulated engine."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from msgspec import structs

from dragoman.core.translator import Translator
from dragoman.server.app import create_app
from dragoman.serving import open_service
from dragoman.settings import Settings
from dragoman.wiring import open_translator
from tests.server.scripted import served

SETTINGS = Settings()


@pytest.fixture
async def translator(tmp_path: Path) -> AsyncIterator[Translator]:
    settings = structs.replace(SETTINGS, engine="simulated://instant", data_dir=str(tmp_path))
    async with open_translator(settings) as translator:
        await translator.ready()
        yield translator


@pytest.fixture
async def client(translator: Translator, tmp_path: Path) -> AsyncIterator[aiohttp.ClientSession]:
    async with (
        open_service(translator, structs.replace(SETTINGS, data_dir=str(tmp_path))) as service,
        served(create_app(service)) as (host, port),
        aiohttp.ClientSession(f"http://{host}:{port}") as client,
    ):
        yield client


async def test_every_way_to_ask_is_answered(client: aiohttp.ClientSession) -> None:
    native = {"text": ["Good morning.", "Where is it?"], "source": "en", "target": ["de", "pt-br"]}
    async with client.post("/v1/translate", json=native) as answer:
        items = (await answer.json())["translations"]
    async with client.post("/translate", json={"text": "Good morning.", "target_lang": "DE"}) as answer:
        simple = await answer.json()
    async with client.post("/batch-translate", json={"texts": ["Good morning.", 3], "target_lang": "de"}) as answer:
        batch = await answer.json()
    async with client.get("/ready") as answer:
        ready = answer.status

    assert [item["target"] for item in items] == ["de", "pt-BR", "de", "pt-BR"]
    assert simple == {"status": "success", "translation": items[0]["text"]}
    assert [result["status"] for result in batch["results"]] == ["success", "error"]
    assert ready == 200


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"text": "Hi", "target": "xx-nowhere", "source": "en"}, 422, "target"),
        ({"text": "Hi", "target": "de", "source": "klingon"}, 422, "source"),
        ({"text": ["a"] * 1_001, "target": "de", "source": "en"}, 413, "text"),
        ({"text": "a" * 200_001, "target": "de", "source": "en"}, 413, "text"),
        ({"text": "Hi", "target": "de", "source": "en", "timeout": 601}, 400, "timeout"),
    ],
)
async def test_what_cannot_be_done_names_the_field(
    client: aiohttp.ClientSession, body: dict[str, object], status: int, field: str
) -> None:
    async with client.post("/v1/translate", json=body) as answer:
        problem = await answer.json(content_type="application/problem+json")

    assert (answer.status, problem["status"], problem["field"]) == (status, status, field)

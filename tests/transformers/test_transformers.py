"""The transformers engine keeps the engine contract, with a model, a thread and a hub that are real and small."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import torch
from aiohttp import web

from dragoman.engines.base import Engine, Hear
from dragoman.engines.transformers import TransformersEngine, open_engine
from dragoman.engines.url import EngineURL
from dragoman.errors import ConfigurationError, EngineRejected, EngineUnavailable, MissingExtra, OutputTruncated
from dragoman.types import Output
from tests.contract.engine_contract import EngineContract, segments

OPTIONS = "device=cpu&threads=1"


@asynccontextmanager
async def opened(folder: Path, options: str = "max_batch=4") -> AsyncIterator[TransformersEngine]:
    engine = await open_engine(EngineURL.parse(f"transformers://{folder}?{OPTIONS}&{options}"), Path())
    try:
        yield engine
    finally:
        await engine.aclose()


@pytest.fixture
async def endless(models: Path) -> AsyncIterator[TransformersEngine]:
    """An engine whose answers take 64 tokens or more."""
    async with opened(models / "translategemma-endless-it") as engine:
        await engine.probe()
        yield engine


class TestTransformers(EngineContract):
    @pytest.fixture
    async def engine(self, models: Path) -> AsyncIterator[Engine]:
        async with opened(models / "translategemma-tiny-it") as engine:
            yield engine


async def test_opening_tells_the_batches_it_wants_before_anything_is_loaded(models: Path) -> None:
    async with opened(models / "translategemma-tiny-it", "max_batch=3&max_batch_tokens=300") as engine:
        info = engine.info

    assert (info.model, info.style) == ("translategemma-tiny-it", "translategemma")
    assert (info.slots, info.max_batch, info.max_batch_tokens) == (3, 3, 300)
    assert "stream" in info.can


async def test_slots_alone_set_the_batch_too_and_both_can_be_given(models: Path) -> None:
    async with (
        opened(models / "gemma-text", "slots=6") as one,
        opened(models / "gemma-text", "slots=6&max_batch=2") as two,
    ):
        assert (one.info.slots, one.info.max_batch) == (6, 6)
        assert (two.info.slots, two.info.max_batch) == (6, 2)


async def test_a_model_without_a_chat_template_is_shown_examples_once_the_probe_has_seen_that(models: Path) -> None:
    async with opened(models / "gemma-bare") as engine:
        before = engine.info.style
        after = (await engine.probe()).style

    assert (before, after) == ("instruct", "exemplar")


async def test_a_style_that_was_named_stays(models: Path) -> None:
    async with opened(models / "gemma-bare", "style=translategemma") as engine:
        assert (await engine.probe()).style == "translategemma"


async def test_the_model_is_loaded_off_the_loop_and_only_once(models: Path) -> None:
    async with opened(models / "translategemma-tiny-it") as engine:
        probes = asyncio.gather(*(engine.probe() for _ in range(3)))
        turns = 0
        while not probes.done():
            await asyncio.sleep(0.001)
            turns += 1
        model = engine._model
        await engine.translate(segments("Good morning."))

        assert turns > 5
        assert engine._model is model


async def test_a_probe_that_was_cancelled_while_the_model_loads_leaves_the_next_one_to_learn_of_it(
    models: Path,
) -> None:
    async with opened(models / "gemma-bare") as engine:
        first = asyncio.create_task(engine.probe())
        await asyncio.sleep(0.01)
        first.cancel()

        assert (await engine.probe()).style == "exemplar"
        assert first.cancelled()


async def test_an_empty_segment_and_one_that_is_too_long_fail_alone(models: Path) -> None:
    async with opened(models / "translategemma-tiny-it") as engine:
        (expected,) = await engine.translate(segments("Good morning."))
        good, empty, too_long, last = await engine.translate(
            segments("Good morning.", " ", "word " * 900, "Good morning.")
        )

    assert isinstance(expected, Output)
    assert good == last == expected
    assert isinstance(empty, EngineRejected)
    assert isinstance(too_long, EngineRejected)
    assert "shorter pieces" in too_long.message


async def test_an_answer_that_does_not_end_is_truncated_at_its_own_cap(endless: TransformersEngine) -> None:
    short, long = await endless.translate(segments("Hi.", "A somewhat longer text."))

    assert isinstance(short, OutputTruncated)
    assert isinstance(long, OutputTruncated)
    assert (len(short.partial), len(long.partial)) == (64, 78)


async def test_each_text_of_a_batch_is_heard_token_by_token(endless: TransformersEngine) -> None:
    heard: dict[int, list[str]] = {1: [], 2: []}

    _, short, long = await endless.translate(
        segments(" ", "Hi.", "A somewhat longer text."), lambda number, text: heard[number].append(text)
    )

    assert isinstance(short, OutputTruncated)
    assert isinstance(long, OutputTruncated)
    assert all(len(texts) > 32 for texts in heard.values())
    assert all(short.partial.startswith(text) for text in heard[1])
    assert all(long.partial.startswith(text) for text in heard[2])


class Passes:
    """Watches the passes of a loaded model: how many segments each had, and that the first has begun."""

    def __init__(self, engine: TransformersEngine) -> None:
        self.rows: list[int] = []
        self.begun = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        assert engine._model is not None
        engine._model._net.register_forward_pre_hook(self._record, with_kwargs=True)

    def _record(self, _net: object, _args: object, inputs: dict[str, torch.Tensor]) -> None:
        self.rows.append(len(inputs["input_ids"]))
        self._loop.call_soon_threadsafe(self.begun.set)


async def ended(engine: TransformersEngine) -> None:
    """Wait until the engine's thread has nothing to do any more."""
    await engine._thread.run(lambda: None)


async def test_a_batch_is_one_pass_of_the_model(endless: TransformersEngine) -> None:
    passes = Passes(endless)

    await endless.translate(segments("One.", "Two.", "Three."))

    assert set(passes.rows) == {3}


@pytest.mark.parametrize("hear", [None, lambda number, text: None])
async def test_a_cancelled_call_stops_the_model_at_the_next_token(
    endless: TransformersEngine, hear: Hear | None
) -> None:
    (segment,) = segments("x" * 400)
    passes = Passes(endless)

    call = asyncio.ensure_future(endless.translate([segment], hear))
    await passes.begun.wait()
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    seen = len(passes.rows)
    await ended(endless)

    assert call.cancelled()
    assert len(passes.rows) <= seen + 2


async def test_a_call_that_was_cancelled_while_it_waited_is_never_begun(endless: TransformersEngine) -> None:
    passes = Passes(endless)
    running = asyncio.create_task(endless.translate(segments("x" * 400)))
    await passes.begun.wait()
    waiting = asyncio.create_task(endless.translate(segments("One.", "Two.")))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    running.cancel()
    seen = len(passes.rows)
    await ended(endless)

    assert len(passes.rows) <= seen + 2


async def test_closing_ends_calls_under_way_and_waiting_and_the_thread(models: Path) -> None:
    async with opened(models / "translategemma-endless-it") as engine:
        await engine.probe()
        passes = Passes(engine)
        calls = [asyncio.create_task(engine.translate(segments("x" * 400))) for _ in range(3)]
        await passes.begun.wait()
        thread = engine._thread._thread

        await engine.aclose()

        assert all(isinstance(outcome, EngineUnavailable) for (outcome,) in await asyncio.gather(*calls))
        assert not thread.is_alive()
        with pytest.raises(EngineUnavailable):
            await engine.probe()


async def test_closing_while_the_model_is_loading_lets_the_probe_say_so(models: Path) -> None:
    async with opened(models / "translategemma-tiny-it") as engine:
        probe = asyncio.create_task(engine.probe())
        await asyncio.sleep(0)

    with pytest.raises(EngineUnavailable, match="closed"):
        await probe


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("transformers:///no/such/folder", "no model folder"),
        ("transformers://google", "OWNER/REPOSITORY"),
        ("transformers://google/translategemma-4b-it/resolve", "OWNER/REPOSITORY"),
        ("transformers://gpu1:8000/translategemma-4b-it", "OWNER/REPOSITORY"),
        ("transformers://google/translategemma-4b-it?device=tpu", "one of auto, cpu, cuda"),
        ("transformers://google/translategemma-4b-it?dtype=int3", "one of auto, bfloat16, float32"),
        ("transformers://google/translategemma-4b-it?max_batch=0", "at least 1"),
        ("transformers://google/translategemma-4b-it?batch=4", "max_batch_tokens"),
        ("transformers://google/translategemma-4b-it?style=poem", "style="),
    ],
)
async def test_a_wrong_url_says_what_is_right(url: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        await open_engine(EngineURL.parse(url), Path())


@pytest.mark.parametrize("missing", ["torch", "transformers"])
async def test_without_the_extra_its_name_is_told(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    monkeypatch.setitem(sys.modules, missing, None)

    with pytest.raises(MissingExtra, match=r"dragoman\[transformers\]"):
        await open_engine(EngineURL.parse("transformers://google/translategemma-4b-it"), Path())


@pytest.mark.parametrize(
    ("file", "content"),
    [("config.json", "{}"), ("config.json", "not json"), ("tokenizer.json", "{}"), ("model.safetensors", "cut off")],
)
async def test_a_damaged_folder_is_named_with_the_reason(models: Path, tmp_path: Path, file: str, content: str) -> None:
    folder = tmp_path / "damaged"
    folder.mkdir()
    for original in (models / "gemma-text").iterdir():
        (folder / original.name).write_bytes(original.read_bytes())
    (folder / file).write_text(content)

    async with opened(folder) as engine:
        with pytest.raises(ConfigurationError, match=f"{folder} cannot be loaded as"):
            await engine.probe()
        (outcome,) = await engine.translate(segments("Good morning."))

    assert isinstance(outcome, EngineUnavailable)


async def test_a_load_that_failed_is_tried_again_by_the_next_probe(models: Path, tmp_path: Path) -> None:
    folder = tmp_path / "late"
    folder.mkdir()
    (folder / "config.json").write_text("{}")

    async with opened(folder) as engine:
        with pytest.raises(ConfigurationError):
            await engine.probe()
        for original in (models / "gemma-text").iterdir():
            (folder / original.name).write_bytes(original.read_bytes())

        assert (await engine.probe()).model == "late"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
async def test_a_gpu_that_is_not_there_is_told(models: Path) -> None:
    engine = await open_engine(EngineURL.parse(f"transformers://{models / 'gemma-text'}?device=cuda"), Path())

    with pytest.raises(ConfigurationError, match="device=cpu"):
        await engine.probe()
    await engine.aclose()


REFUSALS = {
    "gated": (403, {"X-Error-Code": "GatedRepo"}),
    "missing": (404, {"X-Error-Code": "RepoNotFound"}),
    "secret": (401, {}),
}
# A process of its own: the hub's library reads its address once, when it is imported.
PROBE_EACH = """
import asyncio, json, sys
from pathlib import Path
from dragoman.engines.transformers import open_engine
from dragoman.engines.url import EngineURL
from dragoman.errors import ConfigurationError

async def probe(name):
    engine = await open_engine(EngineURL.parse(f"transformers://acme/{name}"), Path())
    try:
        await engine.probe()
    except ConfigurationError as error:
        return error.message
    finally:
        await engine.aclose()

async def main():
    return {name: await probe(name) for name in sys.argv[1:]}

print(json.dumps(asyncio.run(main())))
"""


@asynccontextmanager
async def refusing_hub() -> AsyncIterator[str]:
    async def refuse(request: web.Request) -> web.Response:
        status, headers = next(answer for name, answer in REFUSALS.items() if f"acme/{name}" in request.path)
        return web.Response(status=status, headers=headers)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", refuse)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0]
    yield f"http://{host}:{port}"
    await runner.cleanup()


async def test_what_the_hub_refuses_is_told_with_what_to_do(tmp_path: Path) -> None:
    async with refusing_hub() as hub:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            PROBE_EACH,
            *REFUSALS,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "HF_ENDPOINT": hub, "HF_HOME": str(tmp_path)},
        )
        printed, _ = await process.communicate()

    messages = json.loads(printed)
    assert messages["gated"].startswith("acme/gated is given only to who accepted its licence: accept it at")
    assert messages["missing"] == "there is no repository acme/missing, or it is private and HF_TOKEN does not open it"
    assert (
        messages["secret"]
        == f"{hub} refused the token; set HF_TOKEN to one that may read {hub}/acme/secret, or unset it"
    )

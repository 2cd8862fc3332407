"""The translator as its users see it: ready when the engine is, true to its deadline, tidy when it ends."""

from __future__ import annotations

import asyncio

import pytest

from dragoman.core.plan import Limits
from dragoman.core.translator import Translator
from dragoman.errors import ConfigurationError, DeadlineExceeded, EngineRejected, EngineUnavailable, ShuttingDown
from dragoman.types import TranslateRequest, Translation
from tests.held_engine import HeldEngine

LIMITS = Limits(max_texts=100, max_characters=100_000, timeout_s=10, max_timeout_s=60)


def translator_on(engine: HeldEngine, *, grace_s: float = 1.0) -> Translator:
    return Translator(engine, LIMITS, max_waiting=1000, grace_s=grace_s)


async def test_a_text_goes_through_and_comes_back_joined() -> None:
    async with translator_on(HeldEngine()) as translator:
        translation = await translator.translate_text("Good morning.\n\nHow are you?", source="en", target="de")

    assert translation.text == "[de] Good morning.\n\n[de] How are you?"
    assert translation.timings.total_ms >= translation.timings.engine_ms


async def test_a_long_text_is_prepared_off_the_loop_to_the_same_end() -> None:
    text = "A sentence of some length stands here. " * 500
    async with translator_on(HeldEngine()) as translator:
        translation = await translator.translate_text(text, source="en", target="de")

    assert translation.text == text.replace("A sentence", "[de] A sentence")


async def test_it_is_ready_once_the_engine_has_answered_a_probe() -> None:
    engine = HeldEngine()
    engine.probe_errors = [EngineUnavailable("still loading", engine="held")]
    async with translator_on(engine) as translator:
        assert not translator.readiness.ready
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert translator.readiness.reason == "still loading"

        await asyncio.wait_for(translator.ready(), 5)

        assert translator.readiness.ready


async def test_a_configuration_error_is_told_to_who_waits_for_it() -> None:
    engine = HeldEngine()
    engine.probe_errors = [ConfigurationError("no such model")]
    async with translator_on(engine) as translator:
        with pytest.raises(ConfigurationError, match="no such model"):
            await translator.ready()

        assert translator.readiness.reason == "no such model"


async def test_the_callers_time_is_kept() -> None:
    async with translator_on(HeldEngine(held=True)) as translator:
        (result,) = await translator.translate(
            TranslateRequest(texts=("Hello.",), targets=("de",), source="en", timeout_s=0.02)
        )

    assert isinstance(result, DeadlineExceeded)


async def test_one_failed_text_leaves_the_others_alone() -> None:
    engine = HeldEngine(failures=[EngineRejected("no", engine="held")])
    async with translator_on(engine) as translator:
        first, second = await translator.translate(
            TranslateRequest(texts=("One.", "Two."), targets=("de",), source="en")
        )

    assert isinstance(first, EngineRejected)
    assert isinstance(second, Translation)


async def test_the_short_form_raises_what_went_wrong() -> None:
    engine = HeldEngine(failures=[EngineRejected("no", engine="held")])
    async with translator_on(engine) as translator:
        with pytest.raises(EngineRejected):
            await translator.translate_text("One.", source="en", target="de")


async def test_leaving_lets_running_requests_finish_and_takes_no_new_ones() -> None:
    engine = HeldEngine(held=True)
    translator = translator_on(engine)
    await translator.__aenter__()
    running = asyncio.create_task(translator.translate_text("Hello.", source="en", target="de"))
    await asyncio.sleep(0.01)

    leaving = asyncio.create_task(translator.__aexit__(None, None, None))
    await asyncio.sleep(0.01)
    with pytest.raises(ShuttingDown):
        await translator.translate_text("Bye.", source="en", target="de")
    assert not engine.closed
    engine.release.set()

    assert (await running).text == "[de] Hello."
    await asyncio.wait_for(leaving, 1)
    assert engine.closed


async def test_leaving_does_not_wait_longer_than_the_grace() -> None:
    engine = HeldEngine(held=True)
    async with translator_on(engine, grace_s=0.02) as translator:
        running = asyncio.create_task(translator.translate_text("Hello.", source="en", target="de"))
        await asyncio.sleep(0.01)

    assert engine.closed
    await running

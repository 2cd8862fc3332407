"""The translator as its users see it: ready when the engine is, true to its deadline, tidy when it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from dragoman.core.plan import Limits
from dragoman.core.pool import Pool
from dragoman.core.scheduler import Scheduling
from dragoman.core.translator import Translator
from dragoman.errors import ConfigurationError, DeadlineExceeded, EngineRejected, EngineUnavailable, ShuttingDown
from dragoman.memory.base import Entry
from dragoman.memory.hot import HotMemory
from dragoman.memory.keys import key_of_human
from dragoman.memory.tiers import TieredMemory
from dragoman.types import Pair, Segment, TranslateRequest, Translation
from tests.held_engine import HeldEngine

LIMITS = Limits(max_texts=100, max_characters=100_000, timeout_s=10, max_timeout_s=60)


QUEUE = Scheduling(segments=1000, tokens=100_000)


@asynccontextmanager
async def translator_on(
    engine: HeldEngine, *, grace_s: float = 1.0, remembering: bool = False
) -> AsyncIterator[Translator]:
    memory = TieredMemory(HotMemory(1_000_000)) if remembering else None
    async with Pool() as pool, Translator(pool, memory, LIMITS, QUEUE, grace_s=grace_s) as translator:
        pool.add("held", engine)
        yield translator


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
    async with Pool() as pool:
        translator = await Translator(pool, None, LIMITS, QUEUE, grace_s=1.0).__aenter__()
        pool.add("held", engine)
        running = asyncio.create_task(translator.translate_text("Hello.", source="en", target="de"))
        await asyncio.sleep(0.01)

        leaving = asyncio.create_task(translator.__aexit__(None, None, None))
        await asyncio.sleep(0.01)
        with pytest.raises(ShuttingDown):
            await translator.translate_text("Bye.", source="en", target="de")
        assert not leaving.done()
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


class TestRemembering:
    async def test_what_was_translated_before_needs_no_engine(self) -> None:
        engine = HeldEngine()
        async with translator_on(engine, remembering=True) as translator:
            first = await translator.translate_text("One. Two.", source="en", target="de")
            again = await translator.translate_text("Two. One.", source="EN", target="de")

        assert (first.remembered, again.remembered) == (0, 2)
        assert again.text == "[de] Two. [de] One."
        assert engine.called == ["One.", "Two."]

    async def test_only_what_is_missing_flies(self) -> None:
        engine = HeldEngine()
        async with translator_on(engine, remembering=True) as translator:
            await translator.translate_text("One.", source="en", target="de")
            translation = await translator.translate_text("Zero. One. Two.", source="en", target="de")

        assert translation.text == "[de] Zero. [de] One. [de] Two."
        assert (translation.remembered, engine.called) == (1, ["One.", "Zero.", "Two."])

    async def test_another_pair_is_another_memory(self) -> None:
        engine = HeldEngine()
        async with translator_on(engine, remembering=True) as translator:
            await translator.translate_text("One.", source="en", target="de")
            french = await translator.translate_text("One.", source="en", target="fr")

        assert french.text == "[fr] One."

    async def test_what_must_not_be_stored_is_not(self) -> None:
        engine = HeldEngine()
        request = TranslateRequest(texts=("One.",), targets=("de",), source="en", no_store=True)
        async with translator_on(engine, remembering=True) as translator:
            await translator.translate(request)
            await translator.translate(request)

        assert engine.called == ["One.", "One."]

    async def test_a_failure_is_not_remembered(self) -> None:
        engine = HeldEngine(failures=[EngineRejected("no", engine="held")])
        async with translator_on(engine, remembering=True) as translator:
            with pytest.raises(EngineRejected):
                await translator.translate_text("One.", source="en", target="de")

            assert (await translator.translate_text("One.", source="en", target="de")).text == "[de] One."

    async def test_a_persons_translation_goes_before_the_engines(self) -> None:
        engine = HeldEngine()
        segment = Segment("One.", Pair("en", "de"))
        async with translator_on(engine, remembering=True) as translator:
            await translator.translate_text("One.", source="en", target="de")
            assert translator.memory is not None
            written = Entry(segment.text, segment.pair, "Eins, von Hand.", None, 0)
            await translator.memory.put_many([(key_of_human(segment), written)])

            assert (await translator.translate_text("One.", source="en", target="de")).text == "Eins, von Hand."

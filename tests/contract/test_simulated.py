"""The simulated engine keeps the engine contract, and does with slots and time what a real one does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from dragoman.engines.base import Engine, Hear
from dragoman.engines.simulated import SimulatedEngine, open_engine
from dragoman.engines.url import EngineURL
from dragoman.errors import BadOutput, ConfigurationError, EngineError, EngineUnavailable
from dragoman.types import Asking, Output, Segment
from tests.contract.engine_contract import EN_DE, EngineContract, segments


async def opened(url: str) -> SimulatedEngine:
    return await open_engine(EngineURL.parse(url), Path())


class TestInstant(EngineContract):
    @pytest.fixture
    async def engine(self) -> AsyncIterator[Engine]:
        engine = await opened("simulated://instant")
        yield engine
        await engine.aclose()


class TestWithTime(EngineContract):
    @pytest.fixture
    async def engine(self) -> AsyncIterator[Engine]:
        engine = await opened("simulated://ollama-4?speed=50")
        yield engine
        await engine.aclose()


async def test_the_same_pair_of_text_and_languages_is_translated_alike_by_every_profile() -> None:
    one, other = await opened("simulated://instant"), await opened("simulated://h100-27b?speed=100")
    batch = segments("The train leaves at nine.")

    assert [output_text(await one.translate(batch))] == [output_text(await other.translate(batch))]


async def test_tokens_tell_what_the_prefix_cache_saved() -> None:
    engine = await opened("simulated://vllm-h100-12b?speed=100")

    (first,) = await engine.translate(segments("The train leaves at nine."))
    (second,) = await engine.translate(segments("The train leaves at ten."))

    assert isinstance(first, Output)
    assert isinstance(second, Output)
    assert (first.tokens.cached, second.tokens.cached) == (0, 64)
    assert first.tokens.prompt == 80
    assert first.tokens.output > 0


async def test_time_passes_as_the_profile_says_divided_by_the_speed() -> None:
    engine = await opened("simulated://ollama-1?speed=10")
    batch = segments("The train leaves at nine.")
    started_s = time.monotonic()
    (output,) = await engine.translate(batch)
    took_s = time.monotonic() - started_s

    assert isinstance(output, Output)
    machine_s = output.tokens.prompt / 1500 + output.tokens.output * 0.021
    assert took_s * 10 >= machine_s * 0.9
    assert took_s * 10 < machine_s + 2.0


async def test_calls_beyond_the_slots_wait_in_a_queue() -> None:
    engine = await opened("simulated://instant?slots=2&stall_rate=1&stall_s=60")
    calls = [asyncio.create_task(engine.translate(segments(f"Room {number}"))) for number in range(5)]
    await asyncio.sleep(0.01)

    assert (engine.running, engine.waiting) == (2, 3)
    await engine.aclose()
    await asyncio.gather(*calls)


@pytest.mark.parametrize("hear", [None, lambda number, text: None])
async def test_a_cancelled_call_frees_its_slot_at_once(hear: Hear | None) -> None:
    engine = await opened("simulated://slow-cpu")

    call = asyncio.ensure_future(engine.translate(segments("Good morning."), hear))
    await asyncio.sleep(0.01)
    assert engine.running == 1

    call.cancel()
    await asyncio.gather(call, return_exceptions=True)

    assert (engine.running, engine.waiting) == (0, 0)


async def test_who_waits_moves_up_when_a_stalled_call_is_cancelled() -> None:
    engine = await opened("simulated://instant?slots=1&stall_rate=0.5&stall_s=600&seed=1")
    stalled = [asyncio.create_task(engine.translate(segments(f"Room {number}"))) for number in range(8)]
    await asyncio.sleep(0.01)
    while engine.running:
        next(task for task in stalled if not task.done()).cancel()
        await asyncio.sleep(0.001)

    outcomes = await asyncio.gather(*stalled, return_exceptions=True)
    answered = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
    assert 0 < len(answered) < 8


async def test_a_translation_is_heard_as_it_grows() -> None:
    engine = await opened("simulated://ollama-1?speed=4")
    heard: list[str] = []

    await engine.translate(segments("The train leaves at nine."), lambda number, text: heard.append(text))

    assert len(heard) > 2
    await engine.aclose()


async def test_closing_ends_calls_under_way_and_waiting() -> None:
    engine = await opened("simulated://slow-cpu")
    calls = [asyncio.create_task(engine.translate(segments(f"Room {number}"))) for number in range(3)]
    await asyncio.sleep(0.01)

    await engine.aclose()

    assert all(isinstance(outcome, EngineUnavailable) for (outcome,) in await asyncio.gather(*calls))
    with pytest.raises(EngineUnavailable):
        await engine.probe()


async def failing_places(seed: int) -> list[int]:
    engine = await opened(f"simulated://instant?failure_rate=0.3&seed={seed}")
    outcomes = [(await engine.translate(segments("Good morning.")))[0] for _ in range(40)]
    return [place for place, outcome in enumerate(outcomes) if isinstance(outcome, EngineUnavailable)]


async def test_the_seed_decides_which_calls_fail() -> None:
    places = await failing_places(seed=1)

    assert 4 <= len(places) <= 20
    assert places == await failing_places(seed=1)
    assert places != await failing_places(seed=2)


async def test_each_attempt_has_other_words() -> None:
    engine = await opened("simulated://instant")
    attempts = [Segment("Good morning.", EN_DE, Asking(attempt=attempt)) for attempt in range(3)]

    assert len({output_text([output]) for output in await engine.translate(attempts)}) == 3


async def outcomes_of(url: str, *, attempt: int = 0) -> list[str]:
    engine = await opened(url)
    batch = [Segment(f"Room {number} is free.", EN_DE, Asking(attempt=attempt)) for number in range(100)]
    return [getattr(output, "text", "") for output in await engine.translate(batch)]


async def test_mischief_spoils_outputs_by_lot_and_another_attempt_may_be_good() -> None:
    good, spoiled = await outcomes_of("simulated://instant"), await outcomes_of("simulated://instant?mischief=0.3")
    again = await outcomes_of("simulated://instant?mischief=0.3")
    good_second, second = [
        await outcomes_of(f"simulated://instant?mischief={rate}", attempt=1) for rate in ("0", "0.3")
    ]

    wrong = [place for place in range(100) if spoiled[place] != good[place]]
    assert 15 < len(wrong) < 45
    assert spoiled == again
    assert any(second[place] == good_second[place] for place in wrong)


@pytest.mark.parametrize("hear", [None, lambda number, text: None])
async def test_an_output_that_mischief_emptied_is_an_error(hear: Hear | None) -> None:
    engine = await opened("simulated://instant?mischief=empty:1")

    assert [type(outcome) for outcome in await engine.translate(segments("Good morning."), hear)] == [BadOutput]


async def test_256_slots_at_high_speed_are_answered_in_far_less_time_than_one_timer_a_token_would_take() -> None:
    engine = await opened("simulated://vllm-h100-12b?slots=256&speed=200")
    batch = segments(*(f"Room {number} has a table, a chair and a lamp by the window." for number in range(2000)))
    cpu_s = time.process_time()

    outputs = await engine.translate(batch)

    assert all(isinstance(output, Output) for output in outputs)
    assert time.process_time() - cpu_s < 2.0


async def test_an_idle_engine_has_no_timer() -> None:
    engine = await opened("simulated://ollama-4?speed=100")
    await engine.translate(segments("Good morning."))
    loop = asyncio.get_running_loop()

    assert [handle for handle in loop._scheduled if not handle.cancelled()] == []  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("simulated://h100-27", "did you mean h100-27b"),
        ("simulated://instant?sloots=3", "sloots"),
        ("simulated://instant?speed=0", "stand still"),
        ("simulated://instant?failure_rate=2", "0 to 1"),
        ("simulated://instant?mischief=2", "0 to 1"),
        ("simulated://instant?mischief=lop:0.1", "there are the faults"),
        ("simulated://instant:80", "by its profile alone"),
        ("simulated://instant?style=instruct", "by its profile alone"),
    ],
)
async def test_a_wrong_url_says_what_is_right(url: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        await opened(url)


def output_text(outcomes: Sequence[Output | EngineError]) -> str:
    (output,) = outcomes
    assert isinstance(output, Output)
    return output.text

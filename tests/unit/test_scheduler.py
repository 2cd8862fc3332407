"""The scheduler: every segment is answered once, within its deadline, in a bounded queue."""

from __future__ import annotations

import asyncio

import pytest

from dragoman.core.scheduler import DrainRate, Scheduler
from dragoman.errors import (
    DeadlineExceeded,
    DragomanError,
    EngineRejected,
    EngineUnavailable,
    Overloaded,
    ShuttingDown,
)
from dragoman.types import Output, Pair, Segment
from tests.held_engine import HeldEngine

PAIR = Pair("en", "de")


def segments(*texts: str) -> list[Segment]:
    return [Segment(text, PAIR) for text in texts]


def deadline(seconds: float = 30) -> float:
    return asyncio.get_running_loop().time() + seconds


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def outcomes(scheduler: Scheduler, *texts: str) -> list[Output | DragomanError]:
    return [flown.outcome for flown in await scheduler.fly(segments(*texts), deadline())]


async def test_outcomes_come_in_order() -> None:
    scheduler = Scheduler(HeldEngine(), max_waiting=10)

    assert await outcomes(scheduler, "a", "b", "c") == [Output("[de] a"), Output("[de] b"), Output("[de] c")]


async def test_no_more_segments_fly_than_the_engine_has_slots() -> None:
    engine = HeldEngine(held=True)
    scheduler = Scheduler(engine, max_waiting=10)
    flying = asyncio.create_task(outcomes(scheduler, *"abcde"))
    await settle()

    assert engine.running == 2
    engine.release.set()
    assert len(await flying) == 5
    assert engine.most_running == 2


async def test_slots_follow_what_a_probe_learned() -> None:
    engine = HeldEngine(held=True)
    scheduler = Scheduler(engine, max_waiting=10)
    flying = asyncio.create_task(outcomes(scheduler, *"abcde"))
    await settle()

    scheduler.follow(4)
    await settle()

    assert engine.running == 4
    engine.release.set()
    await flying


async def test_an_engine_that_is_unavailable_is_asked_once_more() -> None:
    engine = HeldEngine(failures=[EngineUnavailable("restarting", engine="held")])

    assert await outcomes(Scheduler(engine, max_waiting=10), "a") == [Output("[de] a")]
    assert engine.called == ["a", "a"]


async def test_a_second_failure_is_the_answer() -> None:
    gone = [EngineUnavailable(f"try {number}", engine="held") for number in (1, 2, 3)]
    engine = HeldEngine(failures=gone)

    assert await outcomes(Scheduler(engine, max_waiting=10), "a") == [gone[1]]


async def test_a_refusal_is_not_retried_and_fails_alone() -> None:
    no = EngineRejected("no", engine="held")
    engine = HeldEngine(failures=[no])

    assert await outcomes(Scheduler(engine, max_waiting=10), "a", "b") == [no, Output("[de] b")]
    assert engine.called == ["a", "b"]


async def test_a_deadline_ends_the_wait_and_frees_the_slot() -> None:
    engine = HeldEngine(held=True)
    scheduler = Scheduler(engine, max_waiting=10)

    flown = await scheduler.fly(segments("a", "b", "c"), deadline(0.02))

    assert [type(one.outcome) for one in flown] == [DeadlineExceeded] * 3
    assert engine.cancelled == ["a", "b"]
    assert engine.called == ["a", "b"], "what never had a slot is never sent"
    engine.release.set()
    assert await outcomes(scheduler, "d") == [Output("[de] d")]


async def test_a_caller_who_leaves_takes_his_work_along() -> None:
    engine = HeldEngine(held=True)
    scheduler = Scheduler(engine, max_waiting=10)
    leaving = asyncio.create_task(outcomes(scheduler, *"abcd"))
    await settle()

    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)

    assert sorted(engine.cancelled) == ["a", "b"]
    engine.release.set()
    assert await outcomes(scheduler, "e") == [Output("[de] e")]
    await asyncio.wait_for(scheduler.drained(), 1)


async def test_too_much_work_is_refused_at_once_with_a_time_to_come_back() -> None:
    engine = HeldEngine(held=True)
    scheduler = Scheduler(engine, max_waiting=4)
    first = asyncio.create_task(outcomes(scheduler, *"abcd"))
    await settle()

    with pytest.raises(Overloaded) as refused:
        await outcomes(scheduler, "e")

    assert refused.value.retry_after_s >= 1
    assert engine.called == ["a", "b"]
    engine.release.set()
    await first
    assert await outcomes(scheduler, "e") == [Output("[de] e")]


async def test_a_closed_scheduler_takes_nothing_new_and_finishes_what_it_has() -> None:
    engine = HeldEngine(held=True)
    scheduler = Scheduler(engine, max_waiting=4)
    first = asyncio.create_task(outcomes(scheduler, *"abc"))
    await settle()

    scheduler.close()

    with pytest.raises(ShuttingDown):
        await outcomes(scheduler, "d")
    engine.release.set()
    await asyncio.wait_for(scheduler.drained(), 1)
    assert len(await first) == 3


async def test_the_times_of_a_flight_tell_waiting_from_work() -> None:
    engine = HeldEngine(held=True)
    scheduler = Scheduler(engine, max_waiting=10)
    flying = asyncio.create_task(scheduler.fly(segments("a", "b", "c"), deadline()))
    await asyncio.sleep(0.02)
    engine.release.set()

    first, _, third = await flying

    assert first.queue_ms < 10 <= first.engine_ms
    assert third.queue_ms >= 10


def test_nothing_is_known_of_the_drain_rate_at_first_and_it_stays_within_bounds() -> None:
    rate = DrainRate()

    assert rate.seconds_for(1000) == 5.0
    rate.count_one()
    rate.count_one()
    assert rate.seconds_for(1) == 1.0
    assert rate.seconds_for(10**12) == 120.0

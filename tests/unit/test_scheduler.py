"""The scheduler: every segment is answered once, within its deadline, from a bounded queue, by whoever can."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from msgspec import structs

from dragoman.core.breaker import FAILURES_TO_OPEN
from dragoman.core.flights import Flown
from dragoman.core.pool import Pool
from dragoman.core.rates import RetryBudget
from dragoman.core.scheduler import Scheduler, Scheduling
from dragoman.errors import (
    BadOutput,
    DeadlineExceeded,
    DragomanError,
    EngineRejected,
    EngineUnavailable,
    Overloaded,
    ShuttingDown,
)
from dragoman.types import Lane, Output, Pair, Segment
from tests.held_engine import INFO, HeldEngine

PAIR = Pair("en", "de")


def segments(*texts: str) -> list[Segment]:
    return [Segment(text, PAIR) for text in texts]


def unavailable(count: int) -> list[EngineUnavailable]:
    return [EngineUnavailable(f"try {number}", engine="held") for number in range(count)]


@asynccontextmanager
async def scheduler_on(
    *engines: HeldEngine,
    max_segments: int = 100,
    max_tokens: int = 10_000,
    bulk_fill: float = 0.9,
    hedge: bool = False,
) -> AsyncIterator[Scheduler]:
    async with Pool() as pool:
        limits = Scheduling(segments=max_segments, tokens=max_tokens, bulk_fill=bulk_fill, hedge=hedge)
        scheduler = Scheduler(pool, limits)
        for number, engine in enumerate(engines):
            pool.add(f"replica {number}", engine)
        yield scheduler


def deadline(seconds: float = 30) -> float:
    return asyncio.get_running_loop().time() + seconds


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def fly(scheduler: Scheduler, *texts: str, lane: Lane = Lane.INTERACTIVE) -> list[Output | DragomanError]:
    return [flown.outcome for flown in await scheduler.fly(segments(*texts), deadline(), lane)]


def start(
    scheduler: Scheduler, *texts: str, lane: Lane = Lane.INTERACTIVE
) -> asyncio.Task[list[Output | DragomanError]]:
    return asyncio.create_task(fly(scheduler, *texts, lane=lane))


class TestFlying:
    async def test_outcomes_come_in_order(self) -> None:
        async with scheduler_on(HeldEngine()) as scheduler:
            assert await fly(scheduler, "a", "b", "c") == [Output("[de] a"), Output("[de] b"), Output("[de] c")]

    async def test_no_more_segments_fly_than_the_engine_has_slots(self) -> None:
        engine = HeldEngine(held=True)
        async with scheduler_on(engine) as scheduler:
            flying = start(scheduler, *"abcde")
            await settle()

            assert engine.running == 2
            engine.release.set()
            assert len(await flying) == 5
        assert engine.most_running == 2

    async def test_interactive_flies_before_bulk_that_came_first(self) -> None:
        engine = HeldEngine(held=True)
        async with scheduler_on(engine) as scheduler:
            jobs = start(scheduler, *"uvwxyz", lane=Lane.BULK)
            await settle()
            assert engine.called == ["u"], "one of the two slots is kept free"

            people = start(scheduler, *"abc")
            await settle()
            engine.release.set()
            await asyncio.gather(jobs, people)

        assert engine.called[:4] == ["u", "a", "b", "c"]

    async def test_bulk_keeps_to_its_part_while_people_are_served_and_only_then(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        engine = HeldEngine(structs.replace(INFO, slots=10), held=True)
        async with scheduler_on(engine, bulk_fill=0.5) as scheduler:
            person = start(scheduler, "person")
            await settle()
            jobs = start(scheduler, *"abcdefghijkl", lane=Lane.BULK)
            await settle()
            assert engine.running == 5

            monkeypatch.setattr("dragoman.core.scheduler.PEOPLE_S", 0.0)
            more = start(scheduler, "m", lane=Lane.BULK)
            await settle()
            assert engine.running == 9, "one of ten slots is still kept for who comes next"

            engine.release.set()
            await asyncio.gather(person, jobs, more)

    async def test_a_person_is_not_kept_waiting_by_one_slow_replica_where_another_has_room(self) -> None:
        stuck, quick = HeldEngine(), HeldEngine()
        async with scheduler_on(stuck, quick, hedge=True) as scheduler:
            await fly(scheduler, *(f"warm up {number}" for number in range(80)))
            stuck.release.clear()

            async with asyncio.timeout(10):
                answers = await fly(scheduler, "one", "two")
            await settle()

            assert answers == [Output("[de] one"), Output("[de] two")]
            assert len(stuck.cancelled) == 1, "the slower call is given up, in the engine too"
            assert scheduler.segments.counts["hedged", ""] >= 1

    async def test_a_hedged_call_that_fails_leaves_the_other_its_chance(self) -> None:
        slow, failing = HeldEngine(), HeldEngine()
        async with scheduler_on(slow, failing, hedge=True) as scheduler:
            await fly(scheduler, *(f"warm up {number}" for number in range(80)))
            slow.release.clear()
            failing.failures = [*unavailable(10)]
            flying = start(scheduler, "one")
            await asyncio.sleep(0.2)
            slow.release.set()

            assert await flying == [Output("[de] one")]

    async def test_an_engine_that_raises_still_answers_every_ticket(self) -> None:
        engine = HeldEngine()
        engine.bug = RuntimeError("a bug")
        async with scheduler_on(engine) as scheduler:
            first, second = await fly(scheduler, "a", "b")
            engine.bug = None

            assert isinstance(first, BadOutput)
            assert isinstance(second, BadOutput)
            assert await fly(scheduler, "a") == [Output("[de] a")]

    async def test_the_times_of_a_flight_tell_waiting_from_work(self) -> None:
        engine = HeldEngine(held=True)
        async with scheduler_on(engine) as scheduler:
            flying = asyncio.create_task(scheduler.fly(segments("a", "b", "c"), deadline()))
            await asyncio.sleep(0.02)
            engine.release.set()
            first, _, third = await flying

        assert first.queue_ms < 10 <= first.engine_ms
        assert third.queue_ms >= 10


class TestJoining:
    async def test_identical_segments_in_the_air_are_translated_once(self) -> None:
        engine = HeldEngine(held=True)
        async with scheduler_on(engine) as scheduler:
            callers = [start(scheduler, "a", "b") for _ in range(5)]
            await settle()
            engine.release.set()

            assert await asyncio.gather(*callers) == [[Output("[de] a"), Output("[de] b")]] * 5
        assert engine.called == ["a", "b"]

    async def test_one_caller_leaving_does_not_touch_the_others(self) -> None:
        engine = HeldEngine(held=True)
        async with scheduler_on(engine) as scheduler:
            leaving, staying = start(scheduler, "a"), start(scheduler, "a")
            await settle()

            leaving.cancel()
            await settle()

            assert engine.cancelled == []
            engine.release.set()
            assert await staying == [Output("[de] a")]
            assert leaving.cancelled()

    async def test_the_last_to_leave_cancels_the_engine_call(self) -> None:
        engine = HeldEngine(held=True)
        async with scheduler_on(engine) as scheduler:
            callers = [start(scheduler, "a"), start(scheduler, "a")]
            await settle()
            for caller in callers:
                caller.cancel()
            await asyncio.gather(*callers, return_exceptions=True)
            await settle()

            assert engine.cancelled == ["a"]
            assert scheduler.calls == 0
            engine.release.set()
            assert await fly(scheduler, "b") == [Output("[de] b")]

    async def test_a_person_who_joins_a_jobs_waiting_flight_takes_it_into_his_lane(self) -> None:
        engine = HeldEngine(held=True)
        async with scheduler_on(engine) as scheduler:
            jobs = start(scheduler, *"uvwx", lane=Lane.BULK)
            await settle()

            person = start(scheduler, "x")
            await settle()

            assert engine.called == ["u", "x"]
            engine.release.set()
            await asyncio.gather(jobs, person)
        assert engine.called == ["u", "x", "v", "w"]

    async def test_who_asks_again_soon_finds_the_answer(self) -> None:
        engine = HeldEngine()
        async with scheduler_on(engine) as scheduler:
            await fly(scheduler, "a")

            assert await fly(scheduler, "a") == [Output("[de] a")]
        assert engine.called == ["a"]

    async def test_a_failure_is_not_kept(self) -> None:
        engine = HeldEngine(failures=[EngineRejected("no", engine="held")])
        async with scheduler_on(engine) as scheduler:
            await fly(scheduler, "a")

            assert await fly(scheduler, "a") == [Output("[de] a")]

    async def test_what_must_not_be_stored_is_not_kept(self) -> None:
        engine = HeldEngine()
        async with scheduler_on(engine) as scheduler:
            await scheduler.fly(segments("a"), deadline(), keep=False)
            await fly(scheduler, "a")

        assert engine.called == ["a", "a"]


class TestFailures:
    async def test_an_engine_that_is_unavailable_is_asked_once_more(self) -> None:
        engine = HeldEngine(failures=unavailable(1))
        async with scheduler_on(engine) as scheduler:
            assert await fly(scheduler, "a") == [Output("[de] a")]
        assert engine.called == ["a", "a"]

    async def test_a_second_failure_is_the_answer(self) -> None:
        gone = unavailable(3)
        async with scheduler_on(HeldEngine(failures=gone)) as scheduler:
            assert await fly(scheduler, "a") == [gone[1]]

    async def test_a_refusal_is_not_retried_and_fails_alone(self) -> None:
        no = EngineRejected("no", engine="held")
        engine = HeldEngine(failures=[no])
        async with scheduler_on(engine) as scheduler:
            assert await fly(scheduler, "a", "b") == [no, Output("[de] b")]
        assert engine.called == ["a", "b"]

    async def test_the_retry_goes_to_another_replica(self) -> None:
        bad, good = HeldEngine(failures=unavailable(9)), HeldEngine()
        async with scheduler_on(bad, good) as scheduler:
            assert await fly(scheduler, "a") == [Output("[de] a")]
        assert bad.called == good.called == ["a"]

    async def test_retries_stop_when_their_budget_is_spent(self) -> None:
        every_other_call_fails = [failure for gone in unavailable(100) for failure in (gone, None)]
        engine = HeldEngine(failures=every_other_call_fails)
        async with scheduler_on(engine) as scheduler:
            outcomes = [(await fly(scheduler, f"text {number}"))[0] for number in range(60)]

        assert all(isinstance(outcome, Output) for outcome in outcomes[:10])
        assert any(isinstance(outcome, EngineUnavailable) for outcome in outcomes[10:])
        assert len(engine.called) <= 60 + RetryBudget.RESERVE + 60 / RetryBudget.PER_CALLS

    async def test_a_replica_that_keeps_failing_is_left_alone(self) -> None:
        bad, good = HeldEngine(failures=unavailable(1000)), HeldEngine()
        async with scheduler_on(bad, good) as scheduler:
            outcomes = [(await fly(scheduler, f"text {number}"))[0] for number in range(50)]

        assert all(isinstance(outcome, Output) for outcome in outcomes)
        assert len(bad.called) <= FAILURES_TO_OPEN + 1


class TestDeadlines:
    async def test_a_deadline_ends_the_wait_and_the_work(self) -> None:
        engine = HeldEngine(held=True)
        async with scheduler_on(engine) as scheduler:
            flown = await scheduler.fly(segments("a", "b", "c"), deadline(0.02))
            await settle()

            assert [type(one.outcome) for one in flown] == [DeadlineExceeded] * 3
            assert engine.cancelled == ["a", "b"]
            assert engine.called == ["a", "b"], "what never had a slot is never sent"
            engine.release.set()
            assert await fly(scheduler, "d") == [Output("[de] d")]

    async def test_who_has_more_time_keeps_a_shared_flight_in_the_air(self) -> None:
        engine = HeldEngine(held=True)
        async with scheduler_on(engine) as scheduler:
            patient = start(scheduler, "a")
            (hasty,) = await scheduler.fly(segments("a"), deadline(0.02))
            engine.release.set()

            assert isinstance(hasty.outcome, DeadlineExceeded)
            assert await patient == [Output("[de] a")]

    async def test_what_was_ready_in_time_is_answered_beside_what_was_not(self) -> None:
        engine = HeldEngine(held=True)
        async with scheduler_on(engine) as scheduler:
            flying: asyncio.Task[list[Flown]] = asyncio.create_task(
                scheduler.fly(segments("a", "b", "c"), deadline(0.05))
            )
            await settle()
            engine.release.set()
            await settle()
            engine.release.clear()
            outcomes = [type(one.outcome) for one in await flying]

        assert Output in outcomes


class TestAdmission:
    async def test_too_many_segments_are_refused_at_once_with_a_time_to_come_back(self) -> None:
        engine = HeldEngine(held=True)
        async with scheduler_on(engine, max_segments=2) as scheduler:
            first = start(scheduler, *"abcd")
            await settle()

            with pytest.raises(Overloaded) as refused:
                await fly(scheduler, "e")

            assert refused.value.retry_after_s >= 1
            assert engine.called == ["a", "b"]
            engine.release.set()
            await first
            assert await fly(scheduler, "e") == [Output("[de] e")]

    async def test_too_many_tokens_are_refused_as_well(self) -> None:
        engine = HeldEngine(held=True)
        async with scheduler_on(engine, max_tokens=100) as scheduler:
            first = start(scheduler, *(f"a text of some length {number}" for number in range(8)))
            await settle()

            with pytest.raises(Overloaded):
                await fly(scheduler, "and a last one that is just too much " * 10)
            engine.release.set()
            await first

    async def test_who_cannot_be_served_in_time_is_told_at_once(self) -> None:
        engine = HeldEngine()
        async with scheduler_on(engine) as scheduler:
            await fly(scheduler, *(f"text {number}" for number in range(40)))  # to know how fast it goes
            engine.release.clear()
            queue = start(scheduler, *(f"other {number}" for number in range(40)))
            await settle()

            with pytest.raises(Overloaded, match="allowed"):
                await scheduler.fly(segments("late"), deadline(0.0))
            engine.release.set()
            await queue

    async def test_a_full_bulk_lane_refuses_no_person(self) -> None:
        engine = HeldEngine(held=True)
        async with scheduler_on(engine, max_segments=2) as scheduler:
            jobs = start(scheduler, *"uvwxyz", lane=Lane.BULK)
            await settle()
            with pytest.raises(Overloaded):
                await fly(scheduler, "t", lane=Lane.BULK)

            person = start(scheduler, "a")
            await settle()

            assert "a" in engine.called
            engine.release.set()
            await asyncio.gather(jobs, person)

    async def test_joining_a_flight_adds_nothing_to_the_queue(self) -> None:
        engine = HeldEngine(held=True)
        async with scheduler_on(engine, max_segments=2) as scheduler:
            first = start(scheduler, *"abcd")
            await settle()

            second = start(scheduler, *"abcd")
            await settle()
            engine.release.set()

            assert await second == await first

    async def test_a_closed_scheduler_takes_nothing_new_and_finishes_what_it_has(self) -> None:
        engine = HeldEngine(held=True)
        async with scheduler_on(engine) as scheduler:
            first = start(scheduler, *"abc")
            await settle()

            scheduler.close()

            with pytest.raises(ShuttingDown):
                await fly(scheduler, "d")
            engine.release.set()
            await asyncio.wait_for(scheduler.drained(), 1)
            assert len(await first) == 3


async def test_after_half_of_all_callers_left_at_random_nothing_is_left_behind() -> None:
    engine = HeldEngine(held=True)
    async with scheduler_on(engine, HeldEngine(held=True), max_segments=10_000) as scheduler:
        callers = [start(scheduler, f"text {number % 300}", f"other {number}") for number in range(1000)]
        await settle()
        for caller in callers[::2]:
            caller.cancel()
        await settle()
        for replica in ("replica 0", "replica 1"):
            held = scheduler.pool[replica].engine
            assert isinstance(held, HeldEngine)
            held.release.set()
        results = await asyncio.gather(*callers, return_exceptions=True)
        await asyncio.wait_for(scheduler.drained(), 5)

        assert [isinstance(result, asyncio.CancelledError) for result in results] == [True, False] * 500
        assert scheduler.calls == 0
        assert len(scheduler.lanes) == 0
        assert [state.flying for state in scheduler.pool.states()] == [0, 0]

"""The pool: replicas come and go while work runs, and only those that are well get any."""

from __future__ import annotations

import asyncio

import pytest
from msgspec import structs

from dragoman.core.breaker import FAILURES_TO_OPEN
from dragoman.core.pool import Pool
from dragoman.core.scheduler import Scheduler, Scheduling
from dragoman.errors import ConfigurationError, DragomanError, EngineUnavailable, InvalidRequest
from dragoman.types import Lane, Output, Pair, Segment
from tests.held_engine import INFO, HeldEngine

PAIR = Pair("en", "de")


def scheduler_of(pool: Pool) -> Scheduler:
    return Scheduler(pool, Scheduling(segments=1000, tokens=100_000))


async def fly(scheduler: Scheduler, *texts: str, lane: Lane = Lane.INTERACTIVE) -> list[Output | DragomanError]:
    deadline = asyncio.get_running_loop().time() + 10
    flown = await scheduler.fly([Segment(text, PAIR) for text in texts], deadline, lane)
    return [one.outcome for one in flown]


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_work_is_spread_over_all_replicas() -> None:
    engines = [HeldEngine(held=True) for _ in range(3)]
    async with Pool() as pool:
        scheduler = scheduler_of(pool)
        for number, engine in enumerate(engines):
            pool.add(str(number), engine)
        flying = asyncio.create_task(fly(scheduler, *"abcdef"))
        await settle()

        assert [engine.running for engine in engines] == [2, 2, 2]
        for engine in engines:
            engine.release.set()
        assert len(await flying) == 6


async def test_a_replica_added_while_work_waits_takes_some_at_once() -> None:
    first, second = HeldEngine(held=True), HeldEngine()
    async with Pool() as pool:
        scheduler = scheduler_of(pool)
        pool.add("first", first)
        flying = asyncio.create_task(fly(scheduler, *"abcd"))
        await settle()

        pool.add("second", second)
        await settle()

        assert sorted(second.called) == ["c", "d"]
        first.release.set()
        await flying


async def test_a_drained_replica_finishes_what_it_has_and_gets_nothing_new() -> None:
    first, second = HeldEngine(held=True), HeldEngine()
    async with Pool() as pool:
        scheduler = scheduler_of(pool)
        pool.add("first", first)
        flying = asyncio.create_task(fly(scheduler, "a"))
        await settle()
        pool.drain("first")
        pool.add("second", second)

        await fly(scheduler, "b", "c")
        first.release.set()
        await flying

        assert first.called == ["a"]
        pool.drain("second")
        pool.resume("first")
        await fly(scheduler, "d")
        assert first.called == ["a", "d"]


async def test_removing_a_replica_waits_for_its_grace_then_moves_its_work() -> None:
    first, second = HeldEngine(held=True), HeldEngine()
    async with Pool() as pool:
        scheduler = scheduler_of(pool)
        pool.add("first", first)
        flying = asyncio.create_task(fly(scheduler, "a"))
        await settle()
        pool.add("second", second)

        await pool.remove("first", grace_s=0.02)

        assert await flying == [Output("[de] a")]
        assert first.closed
        assert [state.name for state in pool.states()] == ["second"]


async def test_two_removals_at_once_leave_a_replica() -> None:
    async with Pool() as pool:
        scheduler_of(pool)
        pool.add("first", HeldEngine())
        pool.add("second", HeldEngine())

        outcomes = await asyncio.gather(
            pool.remove("first", grace_s=0.02), pool.remove("second", grace_s=0.02), return_exceptions=True
        )

        assert [type(outcome) for outcome in outcomes] == [type(None), InvalidRequest]
        assert [state.name for state in pool.states()] == ["second"]


async def test_names_are_checked() -> None:
    async with Pool() as pool:
        scheduler_of(pool)
        pool.add("only", HeldEngine())

        with pytest.raises(InvalidRequest, match="already"):
            pool.add("only", HeldEngine())
        with pytest.raises(InvalidRequest, match="no replica"):
            pool.drain("other")
        with pytest.raises(InvalidRequest, match="last replica"):
            await pool.remove("only", grace_s=0)


async def test_the_pool_is_ready_while_any_replica_is() -> None:
    bad, good = HeldEngine(), HeldEngine()
    bad.probe_errors = [EngineUnavailable("down", engine="held")] * 9
    async with Pool() as pool:
        pool.add("bad", bad)
        await settle()
        assert (pool.readiness.ready, pool.readiness.reason) == (False, "down")

        pool.add("good", good)
        await asyncio.wait_for(pool.ready(), 1)

        assert pool.readiness.ready
        assert [state.readiness.ready for state in pool.states()] == [False, True]
        assert pool.info == structs.replace(INFO, slots=4)


async def test_the_only_replicas_configuration_error_ends_the_wait_for_ready() -> None:
    engine = HeldEngine()
    engine.probe_errors = [ConfigurationError("no such model")]
    async with Pool() as pool:
        pool.add("only", engine)

        with pytest.raises(ConfigurationError, match="no such model"):
            await pool.ready()


async def test_slots_follow_what_a_probe_learned() -> None:
    engine = HeldEngine(held=True)
    async with Pool() as pool:
        scheduler = scheduler_of(pool)
        engine.info, learned = structs.replace(INFO, slots=1), structs.replace(INFO, slots=4)
        pool.add("only", engine)
        engine.info = learned
        flying = asyncio.create_task(fly(scheduler, *"abcde"))
        await settle()

        assert engine.running == 4
        engine.release.set()
        await flying


async def test_when_every_replica_is_out_of_order_people_are_told_at_once_and_jobs_wait() -> None:
    down = [EngineUnavailable("down", engine="held")] * FAILURES_TO_OPEN
    engine = HeldEngine(structs.replace(INFO, slots=1), failures=down)
    async with Pool() as pool:
        scheduler = scheduler_of(pool)
        pool.add("only", engine)
        people = asyncio.create_task(fly(scheduler, *"abcdefgh"))
        await asyncio.sleep(0)
        job = asyncio.create_task(fly(scheduler, "u", lane=Lane.BULK))
        outcomes = await people

        assert all(isinstance(outcome, EngineUnavailable) for outcome in outcomes)
        with pytest.raises(EngineUnavailable, match="left alone"):
            await fly(scheduler, "i")
        assert not job.done()
        assert await asyncio.wait_for(job, 5) == [Output("[de] u")], "it flies once the breaker lets it"

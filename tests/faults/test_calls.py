"""Calls that end in unusual ways give back what they held."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from dragoman.core.pool import Pool
from dragoman.core.scheduler import Scheduler, Scheduling
from dragoman.engines.base import Hear
from dragoman.errors import BadOutput, EngineError
from dragoman.types import Output, Pair, Segment
from tests.held_engine import HeldEngine

PAIR = Pair("en", "de")
LIMITS = Scheduling(segments=100, tokens=10_000)


class ForgetfulEngine(HeldEngine):
    """Answers for none of its segments."""

    async def translate(self, batch: Sequence[Segment], hear: Hear | None = None) -> list[Output | EngineError]:
        return []


async def test_a_call_that_is_cancelled_before_its_first_step_gives_its_slot_back() -> None:
    async with Pool() as pool:
        scheduler = Scheduler(pool, LIMITS)
        pool.add("only", HeldEngine(held=True))
        deadline = asyncio.get_running_loop().time() + 10
        caller = asyncio.create_task(scheduler.fly([Segment("a", PAIR)], deadline))
        asyncio.get_running_loop().call_soon(caller.cancel)  # comes between the call's start and its first step
        await asyncio.wait([caller])
        await asyncio.wait_for(scheduler.drained(), 1)

        assert (scheduler.calls, pool["only"].flying) == (0, 0)


async def test_an_engine_that_forgets_a_segment_still_has_it_answered() -> None:
    async with Pool() as pool:
        scheduler = Scheduler(pool, LIMITS)
        pool.add("only", ForgetfulEngine())

        (flown,) = await scheduler.fly([Segment("a", PAIR)], asyncio.get_running_loop().time() + 10)

        assert isinstance(flown.outcome, BadOutput)

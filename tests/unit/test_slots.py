"""Slots: never more holders than the limit, in order of arrival, and no permit is ever lost."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from dragoman.core.slots import Slots


async def hold(slots: Slots, name: int, log: list[int], leave: asyncio.Event) -> None:
    async with slots.one():
        log.append(name)
        await leave.wait()


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_slots_go_out_in_order_of_arrival() -> None:
    slots, log, leave = Slots(2), list[int](), asyncio.Event()
    tasks = [asyncio.create_task(hold(slots, name, log, leave)) for name in range(4)]
    await settle()

    assert log == [0, 1]
    assert slots.waiting == 2

    leave.set()
    await asyncio.gather(*tasks)
    assert log == [0, 1, 2, 3]
    assert slots.taken == 0


async def test_a_higher_limit_lets_those_who_wait_in_at_once() -> None:
    slots, log, leave = Slots(1), list[int](), asyncio.Event()
    tasks = [asyncio.create_task(hold(slots, name, log, leave)) for name in range(3)]
    await settle()

    slots.limit = 3
    await settle()

    assert log == [0, 1, 2]
    leave.set()
    await asyncio.gather(*tasks)


async def test_a_lower_limit_takes_nothing_away_and_lets_fewer_in() -> None:
    slots, log, leave = Slots(2), list[int](), asyncio.Event()
    tasks = [asyncio.create_task(hold(slots, name, log, leave)) for name in range(2)]
    await settle()

    slots.limit = 1

    assert slots.taken == 2
    leave.set()
    await asyncio.gather(*tasks)
    assert slots.taken == 0


@given(st.lists(st.tuples(st.sampled_from(["start", "cancel", "finish", "yield"]), st.integers(0, 9)), max_size=60))
def test_no_permit_leaks_whoever_leaves_and_whenever(steps: list[tuple[str, int]]) -> None:
    async def scenario() -> None:
        slots = Slots(3)
        tasks: dict[int, tuple[asyncio.Task[None], asyncio.Event]] = {}
        for step, name in steps:
            if step == "start" and name not in tasks:
                leave = asyncio.Event()
                tasks[name] = (asyncio.create_task(hold(slots, name, [], leave)), leave)
            elif step == "cancel" and name in tasks:
                tasks[name][0].cancel()
            elif step == "finish" and name in tasks:
                tasks[name][1].set()
            elif step == "yield":
                await settle()
            assert slots.taken <= 3
        for _, leave in tasks.values():
            leave.set()
        await asyncio.gather(*(task for task, _ in tasks.values()), return_exceptions=True)
        assert slots.taken == 0
        assert slots.waiting == 0

    asyncio.run(scenario())

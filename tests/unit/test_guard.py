"""The memory guard: short of memory, bulk waits and less is remembered, then new work is refused; all of it ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.core import guard as guarding
from dragoman.core.guard import MemoryGuard, Pressure, RSSLimits, allowed_memory_bytes, limits_of, pressure_at
from dragoman.core.pool import Pool
from dragoman.core.scheduler import Scheduler, Scheduling
from dragoman.errors import Overloaded
from dragoman.memory.base import Entry
from dragoman.memory.hot import HotMemory
from dragoman.memory.tiers import TieredMemory
from dragoman.types import Lane, Output, Pair, Segment
from tests.held_engine import HeldEngine

LIMITS = RSSLimits(soft_bytes=1000, hard_bytes=2000)
PAIR = Pair("en", "de")


class Guarded:
    """A guard over a real scheduler and memory, in a process as large as the test says."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        self.hot = HotMemory(max_bytes=1_000_000)
        self.rss_bytes = 0
        self.guard = MemoryGuard(scheduler, TieredMemory(self.hot), LIMITS, rss_bytes=lambda: self.rss_bytes)

    def look_at(self, rss_bytes: int) -> Pressure:
        self.rss_bytes = rss_bytes
        self.guard.look()
        return self.guard.pressure

    def fly(self, text: str, lane: Lane) -> asyncio.Task[list[Output]]:
        async def outcomes() -> list[Output]:
            deadline = asyncio.get_running_loop().time() + 30
            flown = await self.scheduler.fly([Segment(text, PAIR)], deadline, lane)
            return [one.outcome for one in flown if isinstance(one.outcome, Output)]

        return asyncio.create_task(outcomes())


@asynccontextmanager
async def guarded() -> AsyncIterator[Guarded]:
    async with Pool() as pool:
        scheduler = Scheduler(pool, Scheduling(segments=100, tokens=10_000))
        pool.add("replica", HeldEngine())
        yield Guarded(scheduler)


class TestPressure:
    @pytest.mark.parametrize(
        ("rss_bytes", "pressure"),
        [(999, Pressure.NORMAL), (1000, Pressure.SOFT), (1999, Pressure.SOFT), (2000, Pressure.HARD)],
    )
    def test_it_rises_where_a_limit_is_reached(self, rss_bytes: int, pressure: Pressure) -> None:
        assert pressure_at(rss_bytes, LIMITS, Pressure.NORMAL) is pressure

    @pytest.mark.parametrize(
        ("rss_bytes", "before", "pressure"),
        [
            (951, Pressure.SOFT, Pressure.SOFT),
            (949, Pressure.SOFT, Pressure.NORMAL),
            (1901, Pressure.HARD, Pressure.HARD),
            (1899, Pressure.HARD, Pressure.SOFT),
            (949, Pressure.HARD, Pressure.NORMAL),
        ],
    )
    def test_it_falls_a_little_below_the_limit(self, rss_bytes: int, before: Pressure, pressure: Pressure) -> None:
        assert pressure_at(rss_bytes, LIMITS, before) is pressure

    @given(st.integers(0, 10**12), st.sampled_from(Pressure))
    def test_a_limit_of_0_is_never_reached(self, rss_bytes: int, before: Pressure) -> None:
        assert pressure_at(rss_bytes, RSSLimits(0, 0), before) is Pressure.NORMAL

    @given(st.integers(0, 3000), st.sampled_from(Pressure))
    def test_the_same_size_seen_twice_means_the_same(self, rss_bytes: int, before: Pressure) -> None:
        once = pressure_at(rss_bytes, LIMITS, before)

        assert pressure_at(rss_bytes, LIMITS, once) is once


class TestActing:
    async def test_past_the_soft_limit_the_hot_tier_shrinks_at_each_look(self) -> None:
        async with guarded() as one:
            for number in range(500):
                one.hot.put(b"%16d" % number, Entry(f"text {number}", PAIR, "Text", "model", 0))
            before = one.hot.size_bytes

            one.look_at(999)
            assert one.hot.size_bytes == before
            one.look_at(1000)
            first = one.hot.size_bytes
            one.look_at(1000)

            assert before * 0.85 < first <= before * 0.9
            assert one.hot.size_bytes <= first * 0.9

    async def test_past_the_soft_limit_bulk_waits_and_people_do_not(self) -> None:
        async with guarded() as one:
            one.look_at(1500)
            job, person = one.fly("a job", Lane.BULK), one.fly("a person", Lane.INTERACTIVE)

            assert await person == [Output("[de] a person")]
            assert not job.done()
            assert one.scheduler.lanes.waiting(Lane.BULK) == 1

            one.look_at(0)
            assert await job == [Output("[de] a job")]

    async def test_bulk_that_a_person_asks_for_too_flies_at_once(self) -> None:
        async with guarded() as one:
            one.look_at(1500)
            job = one.fly("the same", Lane.BULK)
            await asyncio.sleep(0)

            assert await one.fly("the same", Lane.INTERACTIVE) == await job == [Output("[de] the same")]

    async def test_past_the_hard_limit_new_work_is_refused_with_the_reason(self) -> None:
        async with guarded() as one:
            one.look_at(2000)
            with pytest.raises(Overloaded, match="short of memory") as refused:
                await one.fly("a person", Lane.INTERACTIVE)
            assert refused.value.retry_after_s >= 1

            one.look_at(1500)
            assert await one.fly("a person", Lane.INTERACTIVE) == [Output("[de] a person")]

    async def test_each_change_is_logged_once(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO)
        async with guarded() as one:
            for rss_bytes in (0, 1500, 1500, 2500, 2500, 0, 0):
                one.look_at(rss_bytes)

        assert [record.levelname for record in caplog.records if record.name == guarding.__name__] == [
            "WARNING",
            "WARNING",
            "INFO",
        ]

    async def test_it_looks_by_itself_and_survives_what_goes_wrong(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(guarding, "WATCH_EVERY_S", 0.001)
        failed, looked = asyncio.Event(), asyncio.Event()

        def rss_bytes() -> int:
            if not failed.is_set():
                failed.set()
                raise OSError("the system does not say")
            looked.set()
            return 2500

        async with guarded() as one, MemoryGuard(one.scheduler, None, LIMITS, rss_bytes=rss_bytes) as guard:
            await looked.wait()
            assert guard.pressure is Pressure.HARD

        assert [record.levelname for record in caplog.records if record.exc_info] == ["CRITICAL"]


class TestLimits:
    def test_without_settings_they_are_shares_of_the_memory_there_is(self) -> None:
        limits = limits_of(None, None)

        assert 0 < limits.soft_bytes < limits.hard_bytes < psutil.virtual_memory().total

    def test_what_is_set_counts(self) -> None:
        assert limits_of(5, 0) == RSSLimits(5, 0)
        assert limits_of(0, 7) == RSSLimits(0, 7)

    def test_a_soft_limit_nobody_set_stays_below_the_hard_one(self) -> None:
        assert limits_of(None, 900) == RSSLimits(700, 900)

    def test_a_process_knows_its_own_size(self) -> None:
        assert 1e6 < guarding.own_rss_bytes() < psutil.virtual_memory().total


class TestAllowedMemory:
    def bound(self, root: Path, path: str, words: str) -> None:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(f"{words}\n", encoding="utf-8")

    def test_without_a_bound_it_is_the_machines(self, tmp_path: Path) -> None:
        self.bound(tmp_path, "sys/fs/cgroup/memory.max", "max")

        assert allowed_memory_bytes(tmp_path) == psutil.virtual_memory().total

    @pytest.mark.parametrize("path", ["memory.max", "memory/memory.limit_in_bytes"])
    def test_a_container_may_have_less(self, tmp_path: Path, path: str) -> None:
        self.bound(tmp_path, f"sys/fs/cgroup/{path}", "100000")

        assert allowed_memory_bytes(tmp_path) == 100_000

    def test_the_tightest_of_a_service_and_the_groups_above_it_counts(self, tmp_path: Path) -> None:
        self.bound(tmp_path, "proc/self/cgroup", "0::/system.slice/dragoman.service")
        self.bound(tmp_path, "sys/fs/cgroup/system.slice/dragoman.service/memory.max", "300000")
        self.bound(tmp_path, "sys/fs/cgroup/system.slice/memory.max", "200000")

        assert allowed_memory_bytes(tmp_path) == 200_000

    def test_no_machine_gives_more_than_it_has(self, tmp_path: Path) -> None:
        self.bound(tmp_path, "sys/fs/cgroup/memory/memory.limit_in_bytes", str(2**63 - 4096))

        assert allowed_memory_bytes(tmp_path) == psutil.virtual_memory().total

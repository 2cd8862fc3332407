"""The limiter finds an engine's slots from outside, holds the limit there, and follows when they change.

Loads are played in virtual time against the simulator's own batch. A limit can be no finer than one call, and the
probes above it are counted in: "at the slots" means within 20 % of them or within one call, on average over time.
"""

from __future__ import annotations

import random
from statistics import fmean

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from bench.closed_loop import ClosedLoop, Load, Moment, average_limit, average_waiting, log_normal, uniform
from dragoman.core.limiter import AdaptiveLimit, FixedLimit
from dragoman.core.limiter_model import Window
from dragoman.engines.simulated_profiles import Profile, profile_named

SLOTS = (1, 4, 6, 16, 48, 64, 200, 256)
LENGTHS = {"uniform": uniform, "log-normal": log_normal}


def machine(slots: int, name: str = "h100-4b") -> Profile:
    return replace(profile_named(name), slots=slots)


def after(loop: ClosedLoop, seconds: float) -> list[Moment]:
    return [moment for moment in loop.history if moment.now_s >= seconds]


def most_limit(loop: ClosedLoop) -> int:
    return max(moment.limit for moment in loop.history)


def at(slots: int) -> object:
    return pytest.approx(slots, rel=0.2, abs=1)


@pytest.mark.parametrize("lengths", LENGTHS)
@pytest.mark.parametrize("slots", SLOTS)
def test_the_limit_is_at_the_slots_after_ten_seconds_and_the_engines_queue_nearly_empty(
    slots: int, lengths: str
) -> None:
    loop = ClosedLoop(AdaptiveLimit(), machine(slots), Load(lengths=LENGTHS[lengths]))

    loop.run(30)

    assert average_limit(after(loop, 10)) == at(slots)
    assert average_waiting(after(loop, 10)) <= max(1, 0.1 * slots)


@pytest.mark.parametrize("profile", ["ollama-1", "ollama-4", "vllm-12b"])
def test_slower_machines_are_found_out_too(profile: str) -> None:
    slots = profile_named(profile).slots
    loop = ClosedLoop(AdaptiveLimit(), profile_named(profile))

    loop.run(40)

    assert average_limit(after(loop, 15)) == at(slots)
    assert average_waiting(after(loop, 15)) <= max(1, 0.1 * slots)


@pytest.mark.parametrize("slots", [4, 16, 64, 256])
def test_neither_jitter_nor_stalls_lead_it_astray(slots: int) -> None:
    loop = ClosedLoop(AdaptiveLimit(), machine(slots), Load(jitter=0.2, stall_rate=0.01, stall_s=2.0))

    loop.run(40)

    assert average_limit(after(loop, 15)) == at(slots)
    assert average_waiting(after(loop, 15)) <= max(1, 0.1 * slots)


@pytest.mark.parametrize(("before", "later"), [(64, 32), (32, 64), (16, 8), (8, 16), (4, 2), (2, 4), (1, 4), (1, 64)])
def test_other_slots_after_a_restart_are_followed_within_fifteen_seconds(before: int, later: int) -> None:
    loop = ClosedLoop(AdaptiveLimit(), machine(before, "vllm-12b"))
    loop.run(20)

    loop.restart(machine(later, "vllm-12b"))
    loop.run(30)

    assert average_limit(after(loop, 35)) == at(later)
    assert average_waiting(after(loop, 35)) <= max(1, 0.1 * later)


def test_it_makes_room_for_somebody_else_in_the_same_engine() -> None:
    loop = ClosedLoop(AdaptiveLimit(), machine(64, "vllm-12b"))
    loop.run(20)

    loop.admit_tenants(32)
    loop.run(30)

    assert 0.8 * 32 <= average_limit(after(loop, 35)) <= 1.4 * 32
    assert average_waiting(after(loop, 35)) <= 0.15 * 64


@pytest.mark.parametrize("slots", [4, 8, 64])
def test_slow_first_calls_do_not_hide_a_queue_for_long(slots: int) -> None:
    load = Load(jitter=0.1, round_trip_s=lambda now_s: 0.3 if now_s < 4 else 0.001)
    queues = []
    for seed in range(1, 6):
        loop = ClosedLoop(AdaptiveLimit(), machine(slots), load, seed=seed)
        loop.run(30)
        queues.append(average_waiting(after(loop, 14)))

    assert fmean(queues) <= 0.05 * slots + 0.5


@pytest.mark.parametrize("callers", [1, 5, 30])
def test_without_load_it_does_not_run_away(callers: int) -> None:
    loop = ClosedLoop(AdaptiveLimit(), machine(64), Load(callers=lambda _: callers))

    loop.run(60)

    assert most_limit(loop) <= 2.5 * callers + 1


def test_bursts_do_not_flood_the_engine() -> None:
    loop = ClosedLoop(AdaptiveLimit(), machine(64), Load(callers=lambda now_s: 500 if now_s % 1.5 < 0.5 else 2))

    loop.run(40)

    assert average_waiting(loop.history) <= 0.1 * 64
    assert 8 <= average_limit(after(loop, 10)) <= 1.2 * 64


def test_an_engine_that_refuses_is_kept_below_its_refusals() -> None:
    loop = ClosedLoop(AdaptiveLimit(), machine(64), Load(max_queue=8))

    loop.run(40)

    assert 0.6 * 64 <= average_limit(after(loop, 10)) <= 64 + 8


@pytest.mark.parametrize("slots", [1, 4, 16, 64])
def test_texts_of_one_length_leave_it_within_some_three_times_the_slots(slots: int) -> None:
    loop = ClosedLoop(AdaptiveLimit(), machine(slots), Load(lengths=lambda _: 25))

    loop.run(60)

    assert 0.5 * slots <= average_limit(after(loop, 20)) <= 3 * slots


def landed(limiter: AdaptiveLimit, now: float, *, took_s: float = 0.1, ok: bool = True) -> None:
    limiter.landed(now, took_s=took_s, tokens=20, flying=limiter.limit, ok=ok)


def test_refusals_shrink_the_limit_at_once() -> None:
    limiter = AdaptiveLimit(start=8)

    landed(limiter, 1.0, took_s=0.0, ok=False)

    assert limiter.limit == 5


def test_calls_sent_before_the_limit_shrank_do_not_shrink_it_again() -> None:
    limiter = AdaptiveLimit(start=8)
    landed(limiter, 1.0, ok=False)

    for _ in range(7):
        landed(limiter, 1.01, ok=False)

    assert limiter.limit == 5


def test_one_call_in_a_hundred_that_times_out_shrinks_nothing() -> None:
    limiter = AdaptiveLimit(start=64)

    for number in range(3):
        landed(limiter, float(number), ok=False)

    assert limiter.limit == 64


@given(
    st.lists(
        st.tuples(
            st.floats(0, 100), st.floats(0, 100), st.integers(0, 500), st.integers(1, 300), st.booleans(), st.booleans()
        ),
        max_size=300,
    ),
    st.integers(1, 200),
)
@settings(deadline=None, max_examples=50)
def test_whatever_lands_the_limit_stays_between_one_and_its_ceiling(
    calls: list[tuple[float, float, int, int, bool, bool]], ceiling: int
) -> None:
    limiter, now = AdaptiveLimit(ceiling=ceiling), 0.0
    for later_s, took_s, tokens, flying, ok, busy in calls:
        now += later_s
        limiter.landed(now, took_s=took_s, tokens=tokens, flying=limiter.limit if busy else flying, ok=ok)

        assert 1 <= limiter.limit <= ceiling


def test_a_fixed_limit_learns_only_from_a_probe() -> None:
    limiter = FixedLimit(4)

    limiter.landed(1.0, took_s=9.0, tokens=1, flying=4, ok=False)
    assert limiter.limit == 4

    limiter.follow(8)
    assert limiter.limit == 8


@given(
    st.floats(0.0, 1.0),
    st.floats(0.05, 0.5),
    st.lists(st.integers(10, 60), min_size=6, max_size=100),
)
def test_where_the_time_goes_is_read_off_calls_of_different_lengths(
    before_s: float, each_s: float, lengths: list[int]
) -> None:
    window = Window(0.0)
    mean_tokens = sum(lengths) / len(lengths)
    for tokens in lengths:
        window.add(before_s + each_s * tokens, tokens, flying=3)

    before = window.before()

    assume(before is not None)
    assert before is not None
    assert before.share == pytest.approx(before_s / (before_s + each_s * mean_tokens), abs=1e-6)
    assert before.error == pytest.approx(0, abs=1e-5)


def test_a_stalled_call_does_not_count() -> None:
    rng, window = random.Random(1), Window(0.0)
    for _ in range(30):
        tokens = rng.randint(5, 50)
        window.add(0.05 + 0.01 * tokens, tokens, 4)
    window.add(30.0, 20, 4)

    before = window.before()

    assert before is not None
    assert before.error < 0.01


def test_texts_of_one_length_do_not_tell_where_the_time_goes() -> None:
    window = Window(0.0)
    for _ in range(30):
        window.add(0.5, 25, 4)

    assert window.before() is None


def test_throughput_is_what_littles_law_says() -> None:
    window = Window(0.0)
    for _ in range(10):
        window.add(0.5, 25, 4)

    assert window.tokens_per_s == pytest.approx(4 * 25 / 0.5)

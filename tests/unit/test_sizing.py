"""What a corpus takes is plain arithmetic, and the simulator and the planner agree with every number in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from dragoman.core.flights import Flight
from dragoman.core.planner import Lanes, Seats, plan
from dragoman.engines.simulated import open_engine
from dragoman.engines.simulated_profiles import PROFILES, Profile, profile_named
from dragoman.engines.simulated_text import estimate_tokens
from dragoman.engines.simulated_timing import Batch, Sequence
from dragoman.engines.url import EngineURL
from dragoman.errors import ConfigurationError
from dragoman.jobs.sizing import (
    PREFIX_TOKENS,
    SEGMENT_TOKENS,
    Call,
    Corpus,
    bulk_slots,
    call_of,
    machines_for,
    segments_per_s,
    size,
)
from dragoman.types import Lane, Output, Pair, Segment

CATALOGUE = Corpus(rows=2_000_000, characters=120)
TIMED = [profile for profile in PROFILES.values() if profile.step_s]
EN_DE = Pair("en", "de")

corpora = st.builds(
    Corpus,
    rows=st.integers(1, 10**12),
    characters=st.floats(1, 10_000),
    targets=st.integers(1, 300),
    duplicates=st.floats(0, 0.99),
)
machines = st.sampled_from(TIMED)


def simulated_s(profile: Profile, call: Call, calls: int) -> float:
    """The machine's own time for so many calls alike, with every slot that a job may fill always full."""
    batch, clock_s = Batch(structs.replace(profile, slots=bulk_slots(profile))), 0.0
    for _ in range(calls):
        batch.enter(Sequence(round(call.prompt), round(call.output), "en->de", PREFIX_TOKENS))
    while batch.running or batch.waiting:
        clock_s += batch.admit(clock_s)
        steps, seconds = batch.plan()
        clock_s += seconds
        batch.complete(steps)
    return clock_s


@pytest.mark.parametrize(
    ("profile", "hours"),
    [("h100-4b", 3.27), ("h100-12b", 7.18), ("h100-27b", 14.7), ("a100-12b", 12.6), ("l4-4b", 23.5)],
)
def test_two_million_rows_of_120_characters_take_one_machine_so_many_hours(profile: str, hours: float) -> None:
    assert size(CATALOGUE, profile_named(profile)).hours == pytest.approx(hours, rel=0.005)


@pytest.mark.parametrize("profile", TIMED, ids=lambda profile: str(profile.name))
@pytest.mark.parametrize(("prompt", "output"), [(80, 5), (97, 27), (203, 160)])
def test_the_simulator_takes_the_time_that_was_reckoned(profile: Profile, prompt: int, output: int) -> None:
    call = Call(prompt=prompt, cached=call_of(CATALOGUE, profile).cached, output=output)
    calls = 5 * bulk_slots(profile)
    warm_s = simulated_s(profile, call, 2 * calls) - simulated_s(profile, call, calls)

    assert calls / warm_s == pytest.approx(segments_per_s(call, profile), rel=0.001)


@pytest.mark.parametrize("name", ["h100-27b", "4090-12b"])
async def test_the_simulator_counts_the_same_prompt(name: str) -> None:
    engine = await open_engine(EngineURL.parse(f"simulated://{name}?speed=1000"), Path())
    text = "Red leather shoes, size 42, hardly worn."
    call = call_of(
        Corpus(rows=1, characters=len(text), characters_per_token=len(text) / estimate_tokens(text)),
        profile_named(name),
    )

    _, warm = [(await engine.translate([Segment(text, EN_DE)]))[0] for _ in range(2)]
    await engine.aclose()

    assert isinstance(warm, Output)
    assert (warm.tokens.prompt, warm.tokens.cached) == (call.prompt, call.cached)


@pytest.mark.parametrize(("slots", "filled"), [(1, 1), (2, 1), (4, 3), (10, 9), (64, 57)])
def test_a_job_fills_as_many_slots_as_the_planner_lets_it(slots: int, filled: int) -> None:
    lanes = Lanes()
    for number in range(2 * slots):
        flight = Flight(Segment(f"text {number}", EN_DE), 10, now=0.0)
        flight.lane, flight.deadline, flight.latest = Lane.BULK, 100.0, 100.0
        lanes.add(flight)

    launches, _ = plan(lanes, [Seats(name="a", limit=slots, flying=0)], 0, 0.0)

    assert bulk_slots(structs.replace(profile_named("h100-27b"), slots=slots)) == filled == len(launches)


@pytest.mark.parametrize(("targets", "cached"), [(1, 70), (4, 70), (5, 0)])
def test_a_prompt_is_cached_while_the_engine_can_keep_one_for_every_target(targets: int, cached: int) -> None:
    assert call_of(structs.replace(CATALOGUE, targets=targets), profile_named("4090-12b")).cached == cached


def test_a_label_is_one_segment_and_a_page_is_many() -> None:
    label = Corpus(rows=1, characters=20)
    page = Corpus(rows=1, characters=4600)

    assert label.segments_a_row == 1
    assert label.segment_tokens == pytest.approx(20 / 4.6)
    assert page.segments_a_row * SEGMENT_TOKENS == pytest.approx(1000)


def test_a_machine_without_times_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="instant takes no time"):
        size(CATALOGUE, profile_named("instant"))


@given(corpora, machines, st.integers(2, 1000))
def test_n_machines_take_one_nth_of_the_time_and_cost_the_same(corpus: Corpus, profile: Profile, count: int) -> None:
    one, many = size(corpus, profile), size(corpus, profile, count)

    assert many.hours * count == pytest.approx(one.hours)
    assert many.cost(2.5) == pytest.approx(one.cost(2.5)) == pytest.approx(one.hours * 2.5)
    assert many.segments_per_s == pytest.approx(one.segments_per_s * count)


@given(corpora, machines, st.floats(0.1, 10_000))
def test_so_many_machines_are_done_in_time_and_one_fewer_would_not_be(
    corpus: Corpus, profile: Profile, hours: float
) -> None:
    count = machines_for(corpus, profile, hours)

    assert size(corpus, profile, count).hours <= hours * 1.000001
    assert count == 1 or size(corpus, profile, count - 1).hours > hours


@given(corpora, machines)
def test_tokens_calls_and_hours_add_up(corpus: Corpus, profile: Profile) -> None:
    sizing = size(corpus, profile)

    assert sizing.segments_per_s * sizing.hours * 3600 == pytest.approx(sizing.segments)
    assert sizing.rows_per_s * sizing.hours * 3600 == pytest.approx(corpus.rows)
    assert sizing.output_tokens_per_s_machine * sizing.hours * 3600 == pytest.approx(sizing.output_tokens)
    assert 0 <= sizing.cached_tokens < sizing.prompt_tokens


@given(corpora, machines, st.floats(0, 0.9))
def test_duplicates_save_their_share_of_the_calls(corpus: Corpus, profile: Profile, share: float) -> None:
    every = size(structs.replace(corpus, duplicates=0.0), profile)
    fewer = size(structs.replace(corpus, duplicates=share), profile)

    assert fewer.segments == pytest.approx((1 - share) * every.segments)
    assert fewer.hours == pytest.approx((1 - share) * every.hours)

"""The simulator's times agree with what was published, and its slots, queue and prefix cache are true to life."""

from __future__ import annotations

from collections.abc import Sequence as Many

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.engines.simulated_profiles import PROFILES, Profile, profile_named
from dragoman.engines.simulated_timing import Batch, Sequence
from dragoman.errors import ConfigurationError

PREFIX_TOKENS = 70


def sequence(output_tokens: int, *, text_tokens: int = 10, prefix: str = "en->de", stall_s: float = 0.0) -> Sequence:
    return Sequence(PREFIX_TOKENS + text_tokens, output_tokens, prefix, PREFIX_TOKENS, stall_s)


def time_s(profile: Profile, sequences: Many[Sequence]) -> float:
    """The machine's time for these sequences, all there from the start."""
    batch, clock_s = Batch(profile), 0.0
    for each in sequences:
        batch.enter(each)
    while batch.running or batch.waiting:
        clock_s += batch.admit(clock_s)
        steps, seconds = batch.plan()
        clock_s += seconds
        batch.complete(steps)
    return clock_s


@pytest.mark.parametrize(
    ("profile", "tokens_per_s"),
    [
        ("4090-4b", 195),
        ("4090-12b", 93),
        ("4090-27b", 47),
        ("h100-27b", 47),
        ("h100-12b", 96),
        ("h100-4b", 200),
        ("a100-27b", 30),
        ("a100-12b", 63),
        ("l40s-12b", 29),
        ("l40s-27b", 41),
        ("l4-4b", 28),
        ("l4-27b", 15),
        ("slow-cpu", 5.9),
    ],
)
def test_a_single_stream_writes_as_fast_as_known(profile: str, tokens_per_s: float) -> None:
    assert 1 / profile_named(profile).step_s == pytest.approx(tokens_per_s, rel=0.03)


@pytest.mark.parametrize(
    ("batch", "mean_tokens", "published_tokens_per_s"), [(1, 8, 68.6), (8, 32, 257.2), (16, 37, 491.3), (32, 37, 915.9)]
)
def test_vllm_with_12b_reaches_the_published_throughput(
    batch: int, mean_tokens: int, published_tokens_per_s: float
) -> None:
    """The publication gives mean lengths only; they are spread evenly here, because a batch ends with its longest."""
    lengths = [max(1, round(2 * mean_tokens * (place + 0.5) / batch)) for place in range(batch)]

    seconds = time_s(profile_named("vllm-12b"), [sequence(length) for length in lengths])

    assert sum(lengths) / seconds == pytest.approx(published_tokens_per_s, rel=0.12)


def test_an_ollama_box_takes_60_ms_for_the_prompt_and_21_ms_a_token() -> None:
    assert time_s(profile_named("ollama-1"), [sequence(10, text_tokens=20)]) == pytest.approx(0.06 + 10 * 0.021)


def test_a_box_with_one_slot_gains_nothing_from_a_second_client() -> None:
    profile = profile_named("ollama-1")
    one = time_s(profile, [sequence(20, prefix="a")])

    assert time_s(profile, [sequence(20, prefix="a"), sequence(20, prefix="b")]) == pytest.approx(2 * one)


def test_four_slots_carry_four_sequences_in_little_more_than_the_time_of_one() -> None:
    profile = profile_named("ollama-4")

    assert time_s(profile, [sequence(40) for _ in range(4)]) < 1.2 * time_s(profile, [sequence(40)])


def test_a_prefix_that_was_seen_is_not_prefilled_again() -> None:
    first, second, other = sequence(5), sequence(5), sequence(5, prefix="en->fr")

    time_s(profile_named("ollama-1"), [first, second, other])

    assert [each.cached_tokens for each in (first, second, other)] == [0, PREFIX_TOKENS, 0]


def test_vllm_reuses_a_prefix_in_blocks_of_16_tokens() -> None:
    first, second = sequence(5), sequence(5)

    time_s(profile_named("vllm-h100-12b"), [first, second])

    assert second.cached_tokens == 64


def test_an_engine_with_one_slot_forgets_a_prefix_when_another_pair_comes_between() -> None:
    first, between, again = sequence(5), sequence(5, prefix="en->fr"), sequence(5)

    time_s(profile_named("ollama-1"), [first, between, again])

    assert again.cached_tokens == 0


def test_sequences_get_slots_in_the_order_they_came() -> None:
    batch = Batch(profile_named("ollama-1"))
    for length in (3, 2, 1):
        batch.enter(sequence(length))
    finished = []
    while batch.running or batch.waiting:
        batch.admit(0.0)
        finished += batch.complete(batch.plan()[0])

    assert [each.output_tokens for each in finished] == [3, 2, 1]


def test_a_removed_sequence_frees_its_slot_for_the_next() -> None:
    batch = Batch(profile_named("ollama-1"))
    first, second = sequence(1000), sequence(2)
    batch.enter(first)
    batch.enter(second)
    batch.admit(0.0)

    batch.remove(first)
    batch.admit(0.0)

    assert (batch.running, batch.waiting) == (1, 0)
    assert batch.complete(batch.plan(1.0)[0]) == [second]


def test_a_stalled_sequence_holds_its_slot_until_its_time_is_over() -> None:
    batch = Batch(profile_named("ollama-1"))
    batch.enter(sequence(2, stall_s=5.0))
    batch.enter(sequence(2))

    batch.admit(0.0)
    assert (batch.running, batch.decoding, batch.waiting, batch.next_stall_end_s()) == (1, 0, 1, 5.0)

    batch.admit(5.0)
    assert (batch.running, batch.decoding, batch.waiting) == (1, 1, 1)


def test_as_many_steps_as_fit_are_planned_in_one_go_but_none_beyond_a_finish() -> None:
    batch = Batch(profile_named("vllm-h100-12b"))
    batch.enter(sequence(50))
    batch.admit(0.0)

    assert batch.plan(0.0)[0] == 1
    assert batch.plan(0.111)[0] == 10
    assert batch.plan(9.0)[0] == 50


@given(
    lengths=st.lists(st.integers(1, 30), min_size=1, max_size=40),
    slots=st.integers(1, 8),
    at_most_s=st.floats(0.0, 0.2),
)
def test_every_sequence_finishes_once_and_never_more_run_than_there_are_slots(
    lengths: list[int], slots: int, at_most_s: float
) -> None:
    profile = Profile(
        name="any",
        model_size="4b",
        weights="q4",
        slots=slots,
        step_s=0.01,
        prefill_tokens_per_s=1000,
        prefix_block_tokens=1,
        max_prefixes=1,
    )
    batch, finished = Batch(profile), []
    for length in lengths:
        batch.enter(sequence(length))
    while batch.running or batch.waiting:
        batch.admit(0.0)
        assert batch.running <= slots
        finished += batch.complete(batch.plan(at_most_s)[0])

    assert sorted(each.output_tokens for each in finished) == sorted(lengths)
    assert all(each.finished for each in finished)


def test_every_profile_is_found_by_its_own_name() -> None:
    assert [profile_named(name).name for name in PROFILES] == list(PROFILES)


def test_an_unknown_profile_is_answered_with_the_closest_and_all_there_are() -> None:
    with pytest.raises(ConfigurationError, match=r"did you mean h100-27b\?.*vllm-h100-12b.*instant"):
        profile_named("h100-27")

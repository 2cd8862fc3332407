"""A confidence between 0 and 1 that falls with the model's doubts and with every finding."""

from __future__ import annotations

from math import exp
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.text.confidence import FACTORS, score
from dragoman.types import Finding, FindingKind

LOGPROBS = st.lists(st.tuples(st.floats(-30, 0), st.integers(0, 500)), max_size=5)
FINDINGS = st.lists(st.sampled_from([Finding(kind, "") for kind in get_args(FindingKind)]), max_size=4)


def test_every_kind_of_finding_has_its_factor() -> None:
    assert set(get_args(FindingKind)) == FACTORS.keys()


def test_segments_weigh_by_their_tokens() -> None:
    assert score([(-0.1, 30), (-0.5, 10)], []) == pytest.approx(exp(-0.2))
    assert score([(-0.1, 0), (-0.5, 0)], []) == pytest.approx(exp(-0.3))  # counts that the engine did not tell


def test_a_sure_model_without_findings_is_certain_and_an_empty_output_worth_nothing() -> None:
    assert score([(0.0, 10)], []) == score([], []) == 1.0
    assert score([(0.0, 10)], [Finding("empty", "")]) == 0.0


@pytest.mark.parametrize("logprob", [float("-inf"), 0.1])
def test_odd_probabilities_stay_in_range(logprob: float) -> None:
    assert 0 <= score([(logprob, 3)], []) <= 1


@given(LOGPROBS, FINDINGS)
def test_it_is_between_0_and_1(logprobs: list[tuple[float, int]], findings: list[Finding]) -> None:
    assert 0 <= score(logprobs, findings) <= 1


@given(LOGPROBS, FINDINGS, st.sampled_from(get_args(FindingKind)))
def test_a_further_finding_never_raises_it(
    logprobs: list[tuple[float, int]], findings: list[Finding], kind: FindingKind
) -> None:
    assert score(logprobs, [*findings, Finding(kind, "")]) <= score(logprobs, findings)


@given(LOGPROBS, st.floats(-30, 0), st.floats(-30, 0), st.integers(1, 500))
def test_a_surer_segment_never_lowers_it(
    logprobs: list[tuple[float, int]], one: float, other: float, tokens: int
) -> None:
    less, more = sorted((one, other))
    assert score([*logprobs, (less, tokens)], []) <= score([*logprobs, (more, tokens)], []) + 1e-12

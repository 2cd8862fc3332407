"""What the scheduler measures itself by."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.core.breaker import FAILURES_TO_OPEN, LONGEST_S, SHORTEST_S, Breaker
from dragoman.core.rates import DrainRate, RetryBudget


class TestDrainRate:
    def test_nothing_is_known_at_first(self) -> None:
        assert DrainRate().estimate_s(1000) is None
        assert DrainRate().retry_after_s(1000) == 5.0

    def test_it_follows_how_fast_segments_land(self) -> None:
        rate = DrainRate()
        for tenth in range(100):
            rate.count(tenth / 10)

        assert rate.estimate_s(500) == pytest.approx(50)

    def test_landings_in_bursts_are_the_same_rate(self) -> None:
        rate = DrainRate()
        for second in range(30):
            for _ in range(10):
                rate.count(float(second))

        assert rate.estimate_s(500) == pytest.approx(50, rel=0.15)

    def test_a_time_when_nothing_waits_is_no_slow_time(self) -> None:
        rate = DrainRate()
        for tenth in range(20):
            rate.count(tenth / 10)
        rate.pause()
        for tenth in range(20):
            rate.count(1000 + tenth / 10)

        assert rate.estimate_s(500) == pytest.approx(50)

    @given(st.integers(0, 10**12), st.lists(st.floats(0, 10**6), max_size=30))
    def test_its_answer_is_one_a_client_can_wait_for(self, segments: int, landings: list[float]) -> None:
        rate = DrainRate()
        for now in sorted(landings):
            rate.count(now)

        assert 1.0 <= rate.retry_after_s(segments) <= 120.0


class TestRetryBudget:
    def test_a_few_retries_are_free_then_one_is_earned_by_five_calls(self) -> None:
        budget = RetryBudget()
        while budget.spend():
            pass

        budget.earn(4)
        assert not budget.spend()
        budget.earn()
        assert budget.spend()
        assert not budget.spend()

    def test_quiet_times_save_up_no_storm(self) -> None:
        budget = RetryBudget()
        budget.earn(10_000)

        assert sum(budget.spend() for _ in range(1000)) == RetryBudget.RESERVE


class TestBreaker:
    def failing(self, now: float = 0.0) -> Breaker:
        breaker = Breaker()
        for _ in range(FAILURES_TO_OPEN):
            breaker.failed(now)
        return breaker

    def test_it_stays_closed_while_failures_are_not_in_a_row(self) -> None:
        breaker = Breaker()
        for _ in range(10):
            for _ in range(FAILURES_TO_OPEN - 1):
                breaker.failed(0.0)
            breaker.succeeded()

        assert breaker.room(0.0, 8) == 8

    def test_it_opens_after_several_failures_in_a_row(self) -> None:
        breaker = self.failing()

        assert breaker.is_open(0.5)
        assert breaker.room(0.5, 8) == 0

    def test_after_a_pause_one_call_may_try_and_its_success_closes_it(self) -> None:
        breaker = self.failing()
        later = SHORTEST_S + 0.1

        assert breaker.room(later, 8) == 1
        breaker.succeeded()
        assert breaker.room(later, 8) == 8

    def test_each_failed_try_doubles_the_pause_up_to_a_bound(self) -> None:
        breaker, now, pauses = self.failing(), 0.0, []
        for _ in range(8):
            retry_at = breaker.retry_at()
            assert retry_at is not None
            pauses.append(retry_at - now)
            now = retry_at
            breaker.failed(now)

        assert pauses[:3] == [SHORTEST_S, 2 * SHORTEST_S, 4 * SHORTEST_S]
        assert pauses[-1] == LONGEST_S

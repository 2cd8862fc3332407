"""What the status page draws: points made of counts, and an hour of them in bounded memory."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.core.planner import Lanes
from dragoman.server.status.history import (
    KEPT_POINTS,
    REQUEST_S,
    History,
    Levels,
    Window,
    gained,
    hit_rate,
    percentile,
    point_of,
)
from dragoman.server.status.status import series_of
from dragoman.telemetry import Histogram, Tally

durations_s = st.floats(0.0011, 140)


def histogram_of(*took_s: float) -> Histogram:
    histogram = Histogram(REQUEST_S)
    for one in took_s:
        histogram.observe(one)
    return histogram


class TestPercentiles:
    @given(st.lists(durations_s, min_size=1, max_size=50), st.sampled_from([0.5, 0.95, 0.99]))
    def test_they_are_never_too_low_and_at_most_a_tenth_too_high(self, took_s: list[float], share: float) -> None:
        exact = next(one for place, one in enumerate(sorted(took_s), 1) if place >= share * len(took_s))

        assert exact <= (percentile(histogram_of(*took_s), share) or 0) <= exact * 1.1001

    def test_no_request_has_no_time(self) -> None:
        assert percentile(histogram_of(), 0.5) is None

    def test_what_took_longer_than_any_bound_counts_as_the_last(self) -> None:
        assert percentile(histogram_of(3600), 0.5) == REQUEST_S[-1]


class TestSegments:
    def test_only_what_is_new_is_counted(self) -> None:
        before = {("translated", ""): 5, ("failed", "EngineTimeout"): 1}
        after = {("translated", ""): 8, ("failed", "EngineTimeout"): 1, ("remembered", ""): 2}

        assert gained(before, after) == {("translated", ""): 3, ("remembered", ""): 2}

    @pytest.mark.parametrize(
        ("segments", "rate"),
        [
            ({}, None),
            ({("failed", "EngineTimeout"): 4}, None),
            ({("translated", ""): 3, ("remembered", ""): 1}, 0.25),
            ({("translated", ""): 2, ("joined", ""): 1, ("remembered", ""): 1, ("left", ""): 9}, 0.25),
            ({("remembered", ""): 7}, 1.0),
        ],
    )
    def test_the_hit_rate_is_a_share_of_those_answered(
        self, segments: dict[tuple[str, str], int], rate: float | None
    ) -> None:
        assert hit_rate(segments) == rate


class TestPoint:
    def test_counts_become_rates_and_levels_their_mean_or_most(self) -> None:
        window = Window(levels=[Levels(3, 0, 10, 64), Levels(1, 40, 20, 32)])
        for status in (200, 200, 404, 503, 0):
            window.answered(status, 0.2)
        segments = {("translated", ""): 30, ("remembered", ""): 10, ("failed", "EngineTimeout"): 5}

        point = point_of(window, segments | {("refused", "Overloaded"): 20}, took_s=10, at=1000)

        assert (point.requests_per_s, point.refused_per_s, point.failed_per_s) == (0.5, 0.1, 0.1)
        assert (point.segments_per_s, point.hit_rate) == (4, 0.25)
        assert (point.interactive_waiting, point.bulk_waiting) == (3, 40)
        assert (point.slots_used, point.limit) == (15, 32)
        assert point.errors_per_s == {"EngineTimeout": 0.5, "Overloaded": 2}
        assert 200 <= (point.p50_ms or 0) <= 220

    def test_a_quiet_time_has_rates_of_zero_and_no_request_time(self) -> None:
        point = point_of(Window(levels=[Levels(0, 0, 0, 4)]), {}, took_s=10, at=1000)

        assert (point.requests_per_s, point.segments_per_s, point.errors_per_s) == (0, 0, {})
        assert (point.p50_ms, point.p95_ms, point.p99_ms, point.hit_rate) == (None, None, None, None)


class Watched:
    """A history of a translator that the test speaks for, under a clock that it moves."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.tally = Tally()
        self.replicas = [SimpleNamespace(flying=1, limit=8, draining=False)]
        scheduler = SimpleNamespace(segments=self.tally, lanes=Lanes())
        translator: Any = SimpleNamespace(scheduler=scheduler, pool=self.replicas)
        self.history = History(translator, lambda: self.now)

    def after(self, seconds: float) -> None:
        self.now += seconds
        self.history.look()


class TestHistory:
    def test_ten_seconds_make_a_point(self) -> None:
        watched = Watched()
        for _ in range(9):
            watched.after(1)
        assert not watched.history.points
        watched.tally.count("translated", 20)
        watched.after(1)

        (point,) = watched.history.points
        assert (point.at, point.segments_per_s) == (1010, 2)

    def test_each_point_counts_from_the_last(self) -> None:
        watched = Watched()
        for segments, requests in ((20, 1), (0, 0), (5, 3)):
            watched.tally.count("translated", segments)
            for _ in range(requests):
                watched.history.answered(200, 0.1)
            watched.after(10)

        points = watched.history.points
        assert [point.segments_per_s for point in points] == [2, 0, 0.5]
        assert [point.requests_per_s for point in points] == [0.1, 0, 0.3]

    def test_a_loop_that_was_held_up_makes_no_rate_too_high(self) -> None:
        watched = Watched()
        watched.tally.count("translated", 20)
        watched.after(40)

        assert [point.segments_per_s for point in watched.history.points] == [0.5]

    def test_a_replica_that_drains_adds_nothing_to_the_limit(self) -> None:
        watched = Watched()
        watched.replicas.append(SimpleNamespace(flying=2, limit=16, draining=True))
        watched.after(10)

        assert [(point.slots_used, point.limit) for point in watched.history.points] == [(3, 8)]

    def test_it_keeps_an_hour_and_no_more(self) -> None:
        watched = Watched()
        for _ in range(KEPT_POINTS + 40):
            watched.after(10)

        assert len(watched.history.points) == KEPT_POINTS
        assert watched.history.points[0].at == 1000 + 41 * 10


class TestSeries:
    def test_a_kind_of_error_is_zero_where_it_did_not_happen(self) -> None:
        watched = Watched()
        for error in (KeyError(), None, ValueError()):
            watched.tally.count("failed" if error else "translated", 10, error)
            watched.after(10)

        series = series_of(watched.history.points)
        assert series.errors_per_s == {"KeyError": [1, 0, 0], "ValueError": [0, 0, 1]}
        assert series.at == [1010, 1020, 1030]

    def test_all_columns_are_of_one_length(self) -> None:
        watched = Watched()
        for _ in range(5):
            watched.after(10)

        series = series_of(watched.history.points)
        columns = [
            getattr(series, name) for name in series.__struct_fields__ if name not in ("every_s", "errors_per_s")
        ]
        assert Counter(map(len, columns)) == {5: 13}

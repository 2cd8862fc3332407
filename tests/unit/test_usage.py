"""What callers used: by the clock's windows, in RAM and beside what a file holds."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.memory.usage import Meter, Used, windows_of


def at(*date: int) -> int:
    return int(datetime(*date, tzinfo=UTC).timestamp())  # type: ignore[misc, arg-type]


def test_windows_begin_with_the_minute_the_day_and_the_month() -> None:
    windows = windows_of(at(2028, 2, 29, 23, 59, 59) + 0.9)

    assert [window.start for window in windows] == [at(2028, 2, 29, 23, 59), at(2028, 2, 29), at(2028, 2, 1)]


@given(st.integers(0, 2**33))
def test_each_window_holds_the_moment_and_the_shorter_ones(second: int) -> None:
    minute, day, month = windows_of(second)

    assert month.start <= day.start <= minute.start <= second
    assert datetime.fromtimestamp(month.start, UTC).day == 1
    assert windows_of(month.start).month == month


def test_what_was_used_is_the_same_before_on_and_after_its_way_to_the_file() -> None:
    meter, month = Meter(), windows_of(0).month
    meter.add("a", month, Used(1, 10))
    meter.add("a", month, Used(1, 5))
    before = meter.used("a", month)

    leaving = meter.leave()
    under_way = meter.used("a", month)
    meter.arrived({("a", month): Used(5, 100)})

    assert before == under_way == leaving["a", month] == Used(2, 15)
    assert meter.used("a", month) == Used(5, 100)
    assert meter.used("b", month) == Used()


def test_what_could_not_be_written_is_written_with_what_came_since() -> None:
    meter, month = Meter(), windows_of(0).month
    meter.add("a", month, Used(1, 10))
    meter.leave()
    meter.add("a", month, Used(1, 5))

    meter.came_back()

    assert meter.leave() == {("a", month): Used(2, 15)}


@pytest.mark.parametrize("later", [60, 86_400, 40 * 86_400])
def test_a_new_window_begins_with_nothing(later: int) -> None:
    meter, before, after = Meter(), windows_of(0), windows_of(later)
    for window in before:
        meter.add("a", window, Used(1, 10))

    assert [meter.used("a", window) for window in after if window not in before] == [Used()] * len(
        set(after) - set(before)
    )
    assert len(set(after) - set(before)) >= 1

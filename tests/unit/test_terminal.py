"""What is written to a terminal while a translation is made."""

from __future__ import annotations

from io import BytesIO

import pytest

from dragoman.cli.terminal import GrowingText, TextSoFar, going_back
from dragoman.core.events import Event, ItemFailed, SegmentDelta, SegmentReplaced, SegmentStarted
from dragoman.errors import EngineUnavailable


def test_words_that_are_added_are_all_that_is_written() -> None:
    out = BytesIO()
    text = GrowingText(out)
    for so_far in ("Guten", "Guten", "Guten Morgen", "Guten Morgen.\n"):
        text.show(so_far)

    assert out.getvalue() == b"Guten Morgen.\n"


def test_a_text_that_becomes_another_is_written_anew_in_its_place() -> None:
    out = BytesIO()
    text = GrowingText(out)
    for so_far in ("Hallo", "Guten", "Guten Tag"):
        text.show(so_far)

    assert out.getvalue() == b"Hallo\r\x1b[JGuten Tag"


@pytest.mark.parametrize(
    ("text", "rows_up"),
    [("", 0), ("x" * 10, 0), ("x" * 11, 1), ("a\nb", 1), ("日本語日本", 0), ("日本語日本語", 1), ("e\u0301" * 10, 0),
     ("a\n" * 50, 5)],
)  # fmt: skip
def test_the_cursor_goes_back_over_the_rows_that_a_text_takes_on_the_screen(text: str, rows_up: int) -> None:
    up = f"\x1b[{rows_up}A" if rows_up else ""

    assert going_back(text, columns=10, rows=6) == f"\r{up}\x1b[J"


def test_a_text_is_that_of_its_segments_and_nothing_where_it_failed() -> None:
    text = TextSoFar()
    events: list[Event] = [
        SegmentStarted(0, 0, "A.", "- "), SegmentDelta(0, 0, "Ah"), SegmentStarted(0, 1, "B.", " "),
        SegmentDelta(0, 1, "Be."), SegmentReplaced(0, 0, "A."),
    ]  # fmt: skip
    for event in events:
        text.take(event)
    before = text.so_far
    text.take(ItemFailed(0, EngineUnavailable("Down.", engine="e")))

    assert (before, text.so_far) == ("- A. Be.", "")

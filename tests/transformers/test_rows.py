"""A row takes tokens until it is stopped, and what it lets be heard on the way is never taken back."""

from __future__ import annotations

from itertools import permutations

from hypothesis import assume, given
from hypothesis import strategies as st

from dragoman.engines.completion import Piece
from dragoman.engines.transformers_worker import Row, Stops, left_padded
from tests.transformers.tiny_gemma import END_OF_TURN, EOS

BYTE = 1000  # a token of this number and more stands for one byte


def text_of(ids: list[int]) -> str:
    return bytes(id_ - BYTE for id_ in ids).decode(errors="replace")


def row(stops: Stops, max_tokens: int, heard: list[str]) -> Row:
    return Row([2, 105], stops, max_tokens, text_of, lambda piece: heard.append(piece.text))


def take(row: Row, text: str) -> None:
    for byte in text.encode():
        row.take(BYTE + byte)


def written(row: Row) -> int:
    """How many tokens the answer has."""
    tokens = answer(row).tokens
    assert tokens is not None
    return tokens.output


def answer(row: Row) -> Piece:
    outcome = row.outcome()
    assert isinstance(outcome, Piece)
    return outcome


@given(st.text(), st.lists(st.text("ab\n", min_size=1, max_size=3), unique=True), st.sampled_from([EOS, END_OF_TURN]))
def test_all_that_is_heard_begins_the_answer_and_a_stop_is_in_neither(text: str, stops: list[str], end: int) -> None:
    assume("\ufffd" not in text)
    assume(not any(one in other for one, other in permutations(stops, 2)))  # the shorter would end it first
    heard: list[str] = []
    growing = row(Stops(frozenset({EOS, END_OF_TURN}), tuple(stops)), 10_000, heard)

    take(growing, text)
    growing.take(end)
    take(growing, "what the batch goes on with")

    before_any_stop = min((text.partition(stop)[0] for stop in stops), key=len, default=text)
    assert answer(growing).text == before_any_stop
    assert answer(growing).finish == "stop"
    assert all(before_any_stop.startswith(piece) for piece in heard)


def test_a_character_of_several_tokens_is_heard_when_it_is_whole() -> None:
    heard: list[str] = []
    growing = row(Stops(frozenset(), ()), 10_000, heard)

    take(growing, "Grüße 東")

    assert heard == ["G", "Gr", "Gr", "Grü", "Grü", "Grüß", "Grüße", "Grüße ", "Grüße ", "Grüße ", "Grüße 東"]


def test_a_row_ends_at_its_own_cap() -> None:
    short = row(Stops(frozenset({EOS}), ()), 3, [])

    take(short, "abcdef")

    assert (answer(short).text, answer(short).finish, written(short)) == ("abc", "length", 3)


def test_a_row_that_was_broken_off_has_no_finish() -> None:
    broken_off = row(Stops(frozenset({EOS}), ()), 10, [])

    take(broken_off, "abc")

    assert (answer(broken_off).text, answer(broken_off).finish) == ("abc", None)


@given(st.lists(st.lists(st.integers(1, 99), min_size=1), min_size=1))
def test_padding_stands_on_the_left_and_is_masked(rows: list[list[int]]) -> None:
    ids, mask = left_padded(rows, 0)

    longest = max(map(len, rows))
    assert [len(row) for row in ids] == [len(row) for row in mask] == [longest] * len(rows)
    assert [row[longest - sum(ones) :] for row, ones in zip(ids, mask, strict=True)] == rows
    assert all(ones == sorted(ones) for ones in mask)

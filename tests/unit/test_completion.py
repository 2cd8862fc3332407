"""How an answer grows: what may be told while it comes, and what it is worth at its end."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.engines.completion import Answer, Piece
from dragoman.errors import BadOutput, EngineUnavailable, OutputTruncated
from dragoman.prompts.styles import STYLES, style_named
from dragoman.types import Output, Tokens

STYLE = style_named("translategemma")
JOINER = "\u2060"

bits = st.sampled_from(
    ["Guten", " ", "\n", "Morgen", "語", "a <b> c", "1 < 2", "[x]", f"<{JOINER}end_of_turn>", f"[{JOINER}INST]",
     f"<{JOINER}|im_start|>", f"<{JOINER}<target>>>", "<end_of_turn>", "<|file_separator|>"]
)  # fmt: skip


def cut(text: str, cuts: list[int]) -> list[str]:
    edges = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    return [text[start:end] for start, end in pairwise(edges)]


@given(st.sampled_from(sorted(STYLES)), st.lists(bits).map("".join), st.lists(st.integers(0, 500)))
def test_what_was_told_is_never_taken_back_however_the_answer_is_cut(name: str, text: str, cuts: list[int]) -> None:
    answer, told = Answer(STYLES[name], "far"), ""
    for piece in cut(text, cuts):
        answer.add(Piece(piece))
        settled = answer.settled()
        assert settled.startswith(told)
        told = settled

    assert STYLES[name].clean(text).startswith(told)


def test_plain_words_are_told_as_soon_as_they_are_there() -> None:
    answer = Answer(STYLE, "far")

    answer.add(Piece("Guten Mor"))

    assert answer.settled() == "Guten Mor"


def test_an_answers_log_probability_is_the_mean_of_its_tokens_however_they_came() -> None:
    answer = Answer(STYLE, "far")
    for piece in (Piece("Guten ", logprobs=(-0.1,)), Piece("Mor"), Piece("gen.", "stop", logprobs=(-0.2, -0.6))):
        answer.add(piece)

    assert answer.output().logprob == pytest.approx(-0.3)


def test_a_log_probability_that_rounding_put_above_0_is_0() -> None:
    answer = Answer(STYLE, "far")
    answer.add(Piece("Ja.", "stop", logprobs=(1e-7,)))

    assert answer.output().logprob == 0


def test_an_answer_that_stopped_is_an_output_with_its_tokens() -> None:
    answer = Answer(STYLE, "far")
    for piece in (Piece(" Guten "), Piece("Morgen.\n", finish="stop"), Piece(tokens=Tokens(prompt=9, output=3))):
        answer.add(piece)

    assert answer.output() == Output("Guten Morgen.", Tokens(prompt=9, output=3))


@pytest.mark.parametrize(
    ("pieces", "kind"),
    [
        ([], EngineUnavailable),
        ([Piece("Guten")], EngineUnavailable),
        ([Piece("Guten", finish="length")], OutputTruncated),
        ([Piece("Guten", finish="abort")], BadOutput),
        ([Piece("<end_of_turn> ", finish="stop")], BadOutput),
    ],
)
def test_an_answer_without_a_good_end_is_an_error(pieces: list[Piece], kind: type[Exception]) -> None:
    answer = Answer(STYLE, "far")
    for piece in pieces:
        answer.add(piece)

    with pytest.raises(kind) as caught:
        answer.output()

    assert type(caught.value) is kind

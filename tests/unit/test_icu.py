"""Where ICU messages with branches are in a text, and what is no words in them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.text.icu import WORDS, messages, syntax_in

_bits = st.sampled_from([*"{}'# ,=1a", "{n, plural, ", "one {", "other {x}", "select", "''", "offset:1 ", "\ud800"])


def bodies(text: str) -> list[list[str]]:
    return [[text[slice(*body)] for body in message.bodies] for message in messages(text)]


def syntax(body: str, *, counts: bool = True) -> list[str]:
    return [body[slice(*span)] for span in syntax_in(body, counts=counts)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{n, plural, one {# file} other {# files}}", [["# file", "# files"]]),
        ("{n,plural,=0{none}other{#}}", [["none", "#"]]),
        ("{n, plural, offset:1 =1 {you} other {you and #}}", [["you", "you and #"]]),
        ("{rank, selectordinal, one {#st} other {#th}}", [["#st", "#th"]]),
        ("{gender, select, female {she} other {they}}", [["she", "they"]]),
        ("Hi {a, select, x {1} other {2}}, {b, select, other {3}}!", [["1", "2"], ["3"]]),
        ("{a, select, other {{b, plural, other {inner}}}}", [["{b, plural, other {inner}}"]]),
        ("{a, select, other {brace '}' and '{' and it''s}}", [["brace '}' and '{' and it''s"]]),
        ("{a, select, other {don't}}", [["don't"]]),
        ("{\n  a ,\tplural,\n  one {x}\n  other {y}\n}", [["x", "y"]]),
        ("{n, plural, one {a}", []),
        ("{n, plural, one {a} b}", []),
        ("{n, plural,}", []),
        ("{n, number, integer}", []),
        ("{n}", []),
        ("{n, plural, one {quoted '} to the end}}", []),
    ],
)
def test_messages_with_branches_are_found(text: str, expected: list[list[str]]) -> None:
    assert bodies(text) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("# files in {dir}", ["#", "{dir}"]),
        ("{n, number, #,##0.00} items", ["{n, number, #,##0.00}"]),
        ("{a, plural, other {# x}} y", ["{a, plural, other {# x}}"]),
        ("it''s '{literal}' and '#' here", ["'{literal}'", "'#'"]),
        ("don't '{it''s}'", ["'{it''s}'"]),
        ("rock 'n' roll", []),
    ],
)
def test_arguments_quoted_stretches_and_number_signs_are_syntax(body: str, expected: list[str]) -> None:
    assert syntax(body) == expected


def test_a_number_sign_outside_of_plurals_is_a_character() -> None:
    assert syntax("# and {x} and '#'", counts=False) == ["{x}", "'#'"]


def test_new_braces_in_the_words_of_a_branch_are_quoted() -> None:
    assert WORDS.write("a {b} c") == "a '{'b'}' c"


@settings(max_examples=150, deadline=None)
@given(text=st.lists(_bits, max_size=30).map("".join))
def test_messages_are_apart_and_their_bodies_lie_in_them(text: str) -> None:
    end = 0
    for message in messages(text):
        places = [message.start, *(place for body in message.bodies for place in body), message.end]
        assert end <= message.start
        assert places == sorted(places)
        assert text[message.start] == "{"
        assert text[message.end - 1] == "}"
        end = message.end


def test_a_text_full_of_broken_messages_is_soon_given_up() -> None:
    unit = "'{ {a,plural,a{ ' "

    assert list(messages(unit * 60_000)) == []

"""What of a translation is shown while it is being written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.core.growing import restored_so_far
from dragoman.text import marks
from dragoman.text.marks import BRACES, TAGS, Form
from dragoman.text.parts import Held, Run, written

HELLO = Run("Hi {name}, bye.", (Held(3, 9, "placeholder", ("{name}",)),))
BOLD = Run(
    "A <b>big</b> dog.",
    (
        Held(2, 5, "tag", ("<b>",), twin=1, bare=True),
        Held(8, 12, "tag", ("</b>",), twin=1, bare=True),
    ),
)


def shown(run: Run, text: str, form: Form = TAGS) -> str | None:
    parts = restored_so_far(marks.mask(run, form), text, lambda inner: True)
    return None if parts is None else written(parts, lambda inner: "")


@pytest.mark.parametrize(
    ("run", "so_far", "expected"),
    [
        (HELLO, "Hallo", "Hallo"),
        (HELLO, "Hallo <", "Hallo"),
        (HELLO, "Hallo <1", "Hallo"),
        (HELLO, "Hallo <1/", "Hallo"),
        (HELLO, "Hallo <1/>", "Hallo"),
        (HELLO, "Hallo <1/>, t", "Hallo {name}, t"),
        (HELLO, "Hallo < 1 / >, t", "Hallo {name}, t"),
        (HELLO, "Hallo ＜1/＞, t", "Hallo {name}, t"),
        (HELLO, "Hallo &lt;1/", "Hallo"),
        (HELLO, "Hallo &lt;1/&gt;, t", "Hallo {name}, t"),
        (HELLO, "a < b and so it goes on for long", "a < b and so it goes on for long"),
        (HELLO, "Hallo <2/>, t", None),
        (HELLO, "Hallo <1/>, <1/> t", None),
        (BOLD, "Ein <1>", "Ein"),
        (BOLD, "Ein <1>gro", "Ein <b>gro"),
        (BOLD, "Ein <1>großer</", "Ein <b>großer"),
        (BOLD, "Ein <1>großer</1>", "Ein <b>großer"),
        (BOLD, "Ein <1>großer</1> Hund.", "Ein <b>großer</b> Hund."),
        (BOLD, "Ein</1> Hund", None),
    ],
)
def test_a_marker_is_shown_as_what_it_stands_for_or_not_at_all(run: Run, so_far: str, expected: str | None) -> None:
    assert shown(run, so_far) == expected


def test_what_holds_a_sentence_is_shown_once_that_is_translated() -> None:
    inner = Run("the station")
    image = Run("Go to X now", (Held(6, 7, "tag", ('<img alt="', inner, '">')),))
    masked = marks.mask(image, TAGS)

    waiting = restored_so_far(masked, "Gehe zu <1/> jetzt", lambda run: False)
    ready = restored_so_far(masked, "Gehe zu <1/> jetzt", lambda run: True)

    assert waiting == ("Gehe zu",)
    assert ready is not None
    assert written(ready, lambda run: "der Bahnhof") == 'Gehe zu <img alt="der Bahnhof"> jetzt'


@given(
    st.sampled_from([HELLO, BOLD]),
    st.sampled_from([TAGS, BRACES]),
    st.lists(st.sampled_from(["Hallo", " ", "größer", ",", "x", " & ", "日本"]), min_size=3, max_size=3),
)
def test_what_is_shown_only_grows_and_ends_as_the_whole(run: Run, form: Form, words: list[str]) -> None:
    masked = marks.mask(run, form)
    markers = [form.write(mark) for mark in masked.marks]
    text = "".join(word + marker for word, marker in zip(words, [*markers, ""], strict=False)).strip()
    whole = marks.restore(masked, text)
    assert whole is not None
    final = written(whole, lambda inner: "")

    before = ""
    for end in range(len(text) + 1):
        now = shown(run, text[:end], form)
        assert now is not None
        assert now.startswith(before)
        assert final.startswith(now)
        before = now

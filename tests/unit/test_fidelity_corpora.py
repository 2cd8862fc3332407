"""The fidelity bench's own judgement: a judge that overlooks what is broken would make every table look good."""

from __future__ import annotations

import pytest

from bench.chrf import chrf
from bench.fidelity_corpora import spread, strings_of
from bench.fidelity_intact import LOST, placeholders, without_placeholders
from dragoman.types import Format

INTACT: list[tuple[Format, str, str]] = [
    ("text", "%(count)s of %(total)s", "von %(total)s sind es %(count)s"),
    ("text", "See https://example.org/a, {name}.", "{name}, siehe https://example.org/a."),
    ("text", 'A <a href="%(link)s">link</a>\n', 'Ein <a href="%(link)s">Verweis</a>\n'),
    ("html", "<p>A <b>bold</b> <i>word</i>.</p>", "<p>Ein <i>Wort</i>, <b>fett</b>.</p>"),
    ("html", '<img src="a.png" alt="A dog"><br>', '<img src="a.png" alt="Ein Hund"><br>'),
    ("html", "<p>Use <code>a &lt; b</code></p><!-- x -->", "<p><code>a &lt; b</code> nutzen</p><!-- x -->"),
    ("html", "<p>never closed <b>bold", "<p>nie zu <b>fett"),
    ("markdown", "# One\n\nSee [this](u) and `code`.", "# Eins\n\n`code` und [dies](u)."),
    ("markdown", '![a dog](d.png "Rex")', '![ein Hund](d.png "Rex, der Hund")'),
    ("markdown", "[a]\n\n[a]: http://x.org", "[a]\n\n[a]: http://x.org"),
    ("markdown", "<p align=center>Text</p>", "<p align=center>Worte</p>"),
]

BROKEN: list[tuple[Format, str, str, str]] = [
    ("text", "%s files", "Dateien", "lost: %s"),
    ("text", "{name}", "{name} {name}", "new: {name}"),
    ("text", "{name}", "{Name}", "lost: {name}"),
    ("text", "<b>x</b>", "<b>x<b>", "lost: </b>"),
    ("text", "One\nTwo", "Eins Zwei", "line breaks"),
    ("text", "Name: ", "Name:", "white space at the end"),
    ("html", '<a href="/x">y</a>', '<a href="/z">y</a>', "lost: <a href=/x>"),
    ("html", "<b><i>x</i></b>", "<b><i>x</b></i>", "2 tags closed in the wrong place"),
    ("html", "<h1>a</h1><p>b</p>", "<p>a</p><h1>b</h1>", "the order of the blocks"),
    ("html", "<pre>a  b</pre>", "<pre>a b</pre>", "lost: a  b"),
    ("html", "a<!-- x -->", "a", "lost: <!-- x -->"),
    ("markdown", "`code`", "code", "lost: `code`"),
    ("markdown", "```py\nx = 1\n```", "```py\nx = 2\n```", "the order of the blocks"),
    ("markdown", "[a](u)", "[a](v)", "lost: link_open u"),
    ("markdown", "**Note:** text", "**注意：**文本", "lost: strong_open "),
    ("markdown", "January 1", "1. Januar", "the order of the blocks"),
    ("markdown", "[a]\n\n[a]: http://x.org", "[b]\n\n[a]: http://x.org", "lost: link_open http://x.org"),
    ("markdown", "a <b>c</b>", "a <b>c", "lost: </b>"),
]


@pytest.mark.parametrize(("format", "source", "output"), INTACT)
def test_what_only_moved_or_was_translated_is_intact(format: Format, source: str, output: str) -> None:
    assert LOST[format](source, output) == []


@pytest.mark.parametrize(("format", "source", "output", "lost"), BROKEN)
def test_what_got_lost_is_named(format: Format, source: str, output: str, lost: str) -> None:
    assert lost in LOST[format](source, output)


def test_placeholders_are_taken_out_whole() -> None:
    text = 'See <a href="%(link)s">%(name)s</a>, {0} or 100%.'

    assert placeholders(text) == {'<a href="%(link)s">': 1, "%(name)s": 1, "</a>": 1, "{0}": 1}
    assert without_placeholders(text) == "See    ,   or 100%."


def test_a_string_of_several_catalogues_is_one_text_with_all_its_translations() -> None:
    (text,) = strings_of({"de": {"Yes": "Ja"}, "fr": {"Yes": "Oui"}})

    assert (text.text, text.translations) == ("Yes", {"de": "Ja", "fr": "Oui"})


@pytest.mark.parametrize(
    ("names", "count", "chosen"),
    [("abc", 5, "abc"), ("abcdef", 3, "ace"), ("abcde", 2, "ac")],
)
def test_a_sample_is_spread_over_all(names: str, count: int, chosen: str) -> None:
    assert list(spread(list(names), count)) == list(chosen)


@pytest.mark.parametrize(
    ("pairs", "score"),
    [
        ([("ein", "eins")], 68.86227544910179),
        ([("日本語", "日本人の言語")], 26.119402985074625),
        ([("", "xyz")], 0.0),
        ([("Der Hund läuft schnell.", "Der Hund rennt schnell."), ("ein", "eins")], 60.84819054782228),
        ([("same", "same")], 100.0),
    ],
)
def test_chrf_is_what_sacrebleu_2_counts(pairs: list[tuple[str, str]], score: float) -> None:
    assert chrf(pairs) == pytest.approx(score)

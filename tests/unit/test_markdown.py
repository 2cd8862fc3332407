"""What reading Markdown promises: words are runs, marks are held, and the document comes back to the byte."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from importlib.metadata import distributions
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from dragoman.text.markdown import read_markdown
from dragoman.text.parts import Part, Run, as_it_was, escaped, runs_in, shown, written


def texts(parts: Sequence[Part]) -> list[str]:
    """The runs' texts, with `~` for each held stretch that stands for words and `^` for each bare one."""
    return [_marked(run) for run in runs_in(parts)]


def _marked(run: Run) -> str:
    marks = ["^" if held.bare else "~" for held in run.held]
    return shown("".join(words + mark for words, mark in zip(run.stretches(), [*marks, ""], strict=True)))


def translated(text: str, words: str) -> str:
    """The document with these words in place of each stretch of words."""

    def write(run: Run) -> str:
        held = [written(one.becomes, write) for one in run.held]
        return "".join(escaped(words, run.escaping) + kept for kept in [*held, ""])

    return written(read_markdown(text), write)


def html(text: str) -> str:
    return str(MarkdownIt("commonmark").enable(["table"]).render(text))


_bits = st.sampled_from(
    ["# ", "> ", "- ", "1. ", "    ", "\t", "\n", "\r\n", "\n\n", "  \n", "\\\n", "*", "**", "_", "~~", "`", "```\n",
     "word ", "[a](b)", "[a]: b\n", "[a]", "[^1]", "[^1]: ", "![x y](z 'T t')", "[", "](", ")", "<b>", "</b>",
     "<div>\n", "<kbd>", "</kbd>", "<http://a.example>", "&amp;", "&nbsp;", "\\*", "\\|", "|", "a|b\n-|-\n", "---\n",
     "===\n", "- [ ] ", "<", "\0", "é"]
)  # fmt: skip
documents = st.lists(st.one_of(_bits, st.text(max_size=4), st.just("\ud800")), max_size=40).map("".join)


def _bundled() -> Iterator[str]:
    """The long descriptions of installed packages, most of which are READMEs in Markdown."""
    for distribution in distributions():
        kind = "Description-Content-Type"
        if kind in distribution.metadata and distribution.metadata[kind].startswith("text/markdown"):
            yield distribution.read_text("METADATA") or ""


class TestTheLaw:
    @settings(max_examples=200, deadline=None)
    @given(text=documents)
    def test_a_document_written_as_it_was_is_the_same_document(self, text: str) -> None:
        assert written(read_markdown(text), as_it_was) == text

    def test_so_are_the_readmes_of_what_is_installed(self) -> None:
        readmes = sorted(_bundled(), key=len)[:25]

        assert readmes
        for readme in readmes:
            assert written(read_markdown(readme), as_it_was) == readme

    def test_and_those_of_this_project(self) -> None:
        for path in Path(__file__).parents[2].glob("docs/*.md"):
            text = path.read_text(encoding="utf-8")
            assert written(read_markdown(text), as_it_was) == text


class TestBlocks:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("# A title #\n\nWords.\n", ["A title", "Words."]),
            ("A title\n===\n", ["A title"]),
            ("- one\n- two\n  more\n\n1. three\n", ["one", "two more", "three"]),
            ("> quoted\n> on\nlazily\n", ["quoted on lazily"]),
            ("> - deep\n>   down\n", ["deep down"]),
            ("| Name | Sum |\n|:-----|----:|\n| a \\| b | `x` y |\n| 12 | |\n", ["Name", "Sum", "a | b", "~ y"]),
            ("> a one | b\n> -|-\n> c | d\n", ["a one", "b", "c", "d"]),
            ("Text[^1].\n\n[^1]: The note,\n    all of it.\n", ["Text^.", "The note, all of it."]),
            ("---\ntitle: Kept\n---\n\nWords.\n", ["Words."]),
            ("```py\nprint('kept')\n```\n\n    kept\n\n~~~\nkept\n", []),
            ("<div align=center>\n<p>Some <b>words</b></p>\n</div>\n", ["Some ^words^"]),
            ("[ref]: https://a.example 'Kept'\n\n***\n\n---\n", []),
            ("> [!NOTE]\n> Mind the\n> gap.\n", ["Mind the gap."]),
            ("> [!TIP]\n>\n> Read on.\n", ["Read on."]),
            ("> [!info]- A title\n> Folded.\n", ["A title", "Folded."]),
            ("[!Look](x) here\n", ["^!Look^ here"]),
        ],
    )
    def test_words_are_runs_and_all_else_is_kept(self, text: str, expected: list[str]) -> None:
        assert texts(read_markdown(text)) == expected


class TestInline:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("Some *soft* and **hard** and ~~gone~~ words", ["Some ^soft^ and ^hard^ and ^gone^ words"]),
            ("***Both*** of them", ["^^Both^^ of them"]),
            ("Run `pip install x` now", ["Run ~ now"]),
            ("See [the page](https://a.example) or <https://b.example>", ["See ^the page^ or ~"]),
            ('See [it](x "A title") now', ["See ^it^ now", "A title"]),
            ("Look: ![a cat](cat.png 'Our cat') there", ["Look: ^ there", "a cat", "Our cat"]),
            ("[![Build state](b.svg)](ci)", ["Build state"]),
            ("[docs][1] and [docs]\n\n[1]: x\n[docs]: y\n", ["^docs^ and ~"]),
            ("one  \ntwo\\\nthree", ["one^two^three"]),
            ("Press <kbd>Ctrl</kbd> <b>now</b><!-- x -->", ["Press ~ ^now^^"]),
            (r"2 \* 3 * 4 \[x] &copy; &nbsp;a_b_c", ["2 ~ 3 * 4 [x] © ^a_b_c"]),
            ("2 < 3 and a *lone star", ["2 ~3 and a *lone star"]),
        ],
    )
    def test_marks_are_held(self, text: str, expected: list[str]) -> None:
        assert texts(read_markdown(text)) == expected

    def test_both_ends_of_emphasis_and_of_a_link_are_twins(self) -> None:
        (run,) = runs_in(read_markdown("A [**bold** link](x) here"))

        assert [(held.becomes, held.twin) for held in run.held] == [
            (("[",), 2), (("**",), 1), (("**",), 1), (("](x)",), 2)
        ]  # fmt: skip


class TestTranslations:
    @pytest.mark.parametrize(
        ("text", "words", "expected"),
        [
            ("Words", "a *b* [c](d) `e` <f>", "<p>a *b* [c](d) `e` &lt;f&gt;</p>\n"),
            ("# x", "_so_", "<h1>_so_</h1>\n"),
            ("![x](y 'z')", "it's", '<p><img src="y" alt="it\'s" title="it\'s" /></p>\n'),
        ],
    )
    def test_words_make_no_marks(self, text: str, words: str, expected: str) -> None:
        assert html(translated(text, words)) == expected

    def test_words_make_no_cells(self) -> None:
        assert html(translated("|a|\n|-|\n", "x | y")).count("<th>") == 1

    def test_what_is_written_with_a_backslash_stays_so(self) -> None:
        assert translated(r"\*x", "2 * 3") == r"2 \* 3"

    def test_the_mark_of_an_alert_keeps_its_line(self) -> None:
        assert translated("> [!WARNING]  \n> Words\n", "Wörter") == "> [!WARNING]  \n> Wörter\n"

    def test_a_wrapped_paragraph_becomes_one_line(self) -> None:
        (run,) = runs_in(read_markdown("> one\n> two\n"))

        assert shown(run.text) == "one two"
        assert "\n" not in run.text


class TestHostileInput:
    @pytest.mark.parametrize(
        "text",
        ["[" * 20_000, "*a_ " * 6_000, "> " * 20_000, "![" * 3_000 + "a" + "](x)" * 3_000, "<kbd>" * 5_000,
         "a|" * 4_000 + "\n" + "-|" * 4_000, "word\n" * 8_000, "&a" * 10_000],
    )  # fmt: skip
    def test_time_grows_with_the_text_and_nothing_recurses(self, text: str) -> None:
        start = time.process_time()
        assert written(read_markdown(text), as_it_was) == text
        assert time.process_time() - start < 5

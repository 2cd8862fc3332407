"""Markers in the place of what is held, and what is understood of them when they come back."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.text.icu import WORDS
from dragoman.text.marks import BRACES, FORMS, TAGS, Form, apart, lost, mask, restore
from dragoman.text.parts import Escaping, Held, Run, as_it_was, runs_in, shown, written
from dragoman.text.placeholders import hold

_bits = st.sampled_from(
    [*"<>{}[]/1 '\"&.!\n字", "word", " ", "%s", "{name}", "<b>", "</b>", "<1>", "</1>", "<2/>", "{1}", "{/1}",
     "＜１＞", "&lt;1&gt;", "5 kg", "{n, plural, one {l'{x}} other {# ''}}", "\ud800"]
)  # fmt: skip
texts = st.lists(st.one_of(st.characters(codec=None, categories=None), _bits), max_size=25).map("".join).map(shown)
forms = st.sampled_from(FORMS)
escapings: st.SearchStrategy[Escaping] = st.sampled_from(["none", "text", "attribute"])


def back(text: str, output: str, form: Form = TAGS, escaping: Escaping = "none") -> str | None:
    """What an output for this text comes to, written."""
    parts = restore(mask(hold(Run(text, escaping=escaping)), form), output)
    return None if parts is None else written(parts, as_it_was)


class TestTheLaw:
    @settings(max_examples=200, deadline=None)
    @given(text=texts, form=forms, escaping=escapings)
    def test_a_masked_run_that_comes_back_unchanged_is_the_run(self, text: str, form: Form, escaping: Escaping) -> None:
        for run in runs_in((hold(Run(text, escaping=escaping)),)):
            masked = mask(run, form)
            parts = restore(masked, masked.text)

            assert parts is not None
            assert written(parts, as_it_was) == as_it_was(run)
            assert not lost(masked, masked.text)

    @settings(max_examples=200, deadline=None)
    @given(text=texts, form=forms, output=texts)
    def test_there_is_a_translation_or_a_finding_and_it_holds_all_that_was_held(
        self, text: str, form: Form, output: str
    ) -> None:
        run = hold(Run(text))
        masked = mask(run, form)
        parts = restore(masked, output)

        assert (parts is None) == bool(lost(masked, output))
        for held in run.held if parts else ():
            assert set(held.becomes) <= set(parts or ())

    @settings(max_examples=100, deadline=None)
    @given(text=texts, escaping=escapings)
    def test_apart_leaves_everything_where_it_was(self, text: str, escaping: Escaping) -> None:
        run = hold(Run(text, escaping=escaping))
        parts = apart(run)

        assert written(parts, as_it_was) == as_it_was(run)
        between = [part for part in parts if isinstance(part, Run) and not part.held]
        assert all(part.text == part.text.strip() and any(map(str.isalpha, part.text)) for part in between)

    @pytest.mark.parametrize("unit", ["<1", "{", "<1/>", "&lt;", "1 ", "</"])
    def test_hostile_output_takes_linear_time(self, unit: str) -> None:
        masked = mask(hold(Run("{a} and <b>b</b>")), TAGS)

        def seconds(length: int) -> float:
            start = time.process_time()
            restore(masked, (unit * length)[:length])
            return time.process_time() - start

        assert seconds(320_000) < 30 * max(seconds(40_000), 0.01)


class TestMask:
    @pytest.mark.parametrize(
        ("form", "expected"),
        [(TAGS, "<1>Dear <2/></1>, see <3/> <4/>."), (BRACES, "{1}Dear {2}{/1}, see {3} {4}.")],
    )
    def test_markers_are_numbered_in_order_and_twins_share_a_number(self, form: Form, expected: str) -> None:
        assert mask(hold(Run("<b>Dear {name}</b>, see %s <br>.")), form).text == expected

    def test_one_end_of_a_twin_stands_alone(self) -> None:
        run = Run("x</b> y", (Held(1, 5, "tag", ("</b>",), twin=3, bare=True),))

        assert mask(run, TAGS).text == "x<1/> y"

    def test_a_model_is_shown_plain_spaces(self) -> None:
        assert mask(Run("two\u2004words"), TAGS).text == "two words"

    def test_a_text_that_looks_like_a_marker_is_held_so_that_both_come_back(self) -> None:
        masked = mask(hold(Run("<1/> is {1} or < 1 >")), TAGS)

        assert masked.text == "<1/> is <2/> or <3/>"
        assert written(restore(masked, "<3/> oder <2/> ist <1/>") or (), as_it_was) == "< 1 > oder {1} ist <1/>"


class TestRestore:
    def test_what_is_held_goes_where_the_translation_has_it(self) -> None:
        assert back("{a} of <b>{b}</b>", "<2>von <3/></2> das <1/>") == "<b>von {b}</b> das {a}"

    @pytest.mark.parametrize(
        ("form", "output"),
        [
            (TAGS, "A < 1 /> b"),
            (TAGS, "A <1> b"),
            (TAGS, "A </1> b"),
            (TAGS, "A ＜１／＞ b"),
            (TAGS, "A &lt;1/&gt; b"),
            (TAGS, "A 〈1〉 b"),
            (TAGS, "A <१/> b"),
            (BRACES, "A { 1 } b"),
            (BRACES, "A ｛１｝ b"),
        ],
    )
    def test_harmless_changes_of_a_marker_are_understood(self, form: Form, output: str) -> None:
        assert back("a {x} b", output, form) == "A {x} b"

    @pytest.mark.parametrize(
        ("output", "said"),
        [
            ("Kein Zeichen", ["{x} is missing", "<b> is missing", "</b> is missing"]),
            ("<1/> <1/> <2>b</2>", ["{x} is 2 times"]),
            ("<2>b</2>", ["{x} is missing"]),
            ("<1/> </2>b<2>", ["closed before it is opened"]),
            ("<1/> <2>b", ["</b> is missing"]),
            ("<1/> <2>b</2> <7/>", ["1 markers in the translation stand for nothing"]),
            ("<1/> <2>b</2> <3", ["broken marker"]),
            ("<1/> <2>b</2> 3/>", ["broken marker"]),
        ],
    )
    def test_markers_that_are_not_the_same_make_no_translation(self, output: str, said: list[str]) -> None:
        masked = mask(hold(Run("a {x} <b>b</b>")), TAGS)
        findings = lost(masked, output)

        assert restore(masked, output) is None
        assert {finding.kind for finding in findings} == {"placeholder"}
        assert len(findings) == len(said)
        for finding, words in zip(findings, said, strict=True):
            assert words in finding.message

    @pytest.mark.parametrize(
        ("text", "output"),
        [
            ("<a>one</a> and <b>two</b>", "<1>eins <2>zwei</2></1>"),
            ("<a>one</a> and <b>two</b>", "<2>zwei <1>eins</1></2>"),
            ("<a>one <b>two</b></a>", "<1>eins</1> <2>zwei</2>"),
            ("<a>one <b>two</b></a>", "<2>zwei <1>eins</1></2>"),
            ("<a>one</a> <b>two</b>", "<1>eins <2>und</1> zwei</2>"),
            ("<a><b>one</b> <i>two</i></a>", "<1><2>eins <3>zwei</3></2></1>"),
        ],
    )
    def test_a_tag_stays_inside_the_tags_that_it_was_in_and_outside_of_others(self, text: str, output: str) -> None:
        masked = mask(hold(Run(text)), TAGS)

        assert restore(masked, output) is None
        assert [finding.message for finding in lost(masked, output)] == [
            "A tag stands inside another one in the translation, or outside of it."
        ]

    def test_tags_that_cross_in_the_source_may_cross_as_before(self) -> None:
        assert back("<a>x <b>y</a> z</b>", "<1>u <2>v</1> w</2>") == "<a>u <b>v</a> w</b>"

    @pytest.mark.parametrize("output", ["Ein <1/> Wort", "Ein </1> Wort", "Ein &lt;1 Wort", "Ein {"])
    def test_a_marker_in_the_translation_of_plain_words_is_a_fault(self, output: str) -> None:
        masked = mask(Run("A word"), BRACES if output.endswith("{") else TAGS)

        assert restore(masked, output) is None
        assert lost(masked, output)

    def test_less_than_in_the_source_is_no_broken_marker(self) -> None:
        assert back("{x} is < 5", "<1/> ist < 5") == "{x} ist < 5"

    def test_words_are_escaped_and_what_is_held_is_not(self) -> None:
        assert back("a {x&y} b", "A & <1/> <b", escaping="text") == "A &amp; {x&amp;y} &lt;b"

    @pytest.mark.parametrize(
        ("text", "output", "expected"),
        [
            ("Is it ({x})?", "Ist es ( <1/> )?", "Ist es ({x})?"),
            ('Not "{x}".', 'Nicht " <1/> " .', 'Nicht "{x}" .'),
            ("Hello, {x}!", "Hallo,<1/>!", "Hallo, {x}!"),
            ("Press <b>Enter</b> now", "Jetzt <1> Enter </1> drücken", "Jetzt <b>Enter</b> drücken"),
            ("Press <b>Enter</b> now", "Appuyez sur<1> Entrée</1>", "Appuyez sur <b>Entrée</b>"),
            ("Press <b>Enter</b> now", "Jetzt <1>Enter </1>drücken", "Jetzt <b>Enter</b> drücken"),
            ("so <b>a</b>b", "so <1>a </1>b", "so <b>a</b>b"),
            ("so<b> a </b>b", "so<1> a </1>b", "so<b> a </b>b"),
            ("of {x} <i>y</i>", "von <1/><2>y</2>", "von {x} <i>y</i>"),
            ("of {x}<i>y</i>", "von <1/> <2>y</2>", "von {x}<i>y</i>"),
            ("Send {x} now", "Bitte senden<1/> jetzt", "Bitte senden {x} jetzt"),
            ("Name: {x}", "Nom :<1/>", "Nom : {x}"),
        ],
    )
    def test_spaces_beside_a_marker_are_set_as_in_the_source(self, text: str, output: str, expected: str) -> None:
        assert back(text, output) == expected

    @pytest.mark.parametrize(
        ("text", "output", "expected"),
        [
            ("{x}: none", "<1/> : aucun", "{x} : aucun"),
            ("of {x} here", "d'<1/> ici", "d'{x} ici"),
            ("the {x} file", "die <1/>-Datei", "die {x}-Datei"),
            ("the {x} files", "<1/>s", "{x}s"),
            ("open {x} now", "打开<1/>文件", "打开{x}文件"),
            ("to {x} now", "ku<1/>", "ku{x}"),
        ],
    )
    def test_spaces_are_left_where_the_language_may_want_them_so(self, text: str, output: str, expected: str) -> None:
        assert back(text, output) == expected


class TestIcu:
    @pytest.mark.parametrize(
        ("text", "output", "expected"),
        [
            ("the {x}", "l'<1/>", "l''{x}"),
            ("the {x}", "l''<1/>", "l''{x}"),
            ("the {x} file's", "d'un l'a <1/>", "d'un l'a {x}"),
            ("the {x}", "<1/> 'so'", "{x} 'so''"),
            ("<b>a</b> {x}", "'<1>a</1> <2/>", "'<b>a</b> {x}"),
            ("a {x}", "a } <1/>", "a '}' {x}"),
        ],
    )
    def test_an_apostrophe_of_a_translation_quotes_nothing(self, text: str, output: str, expected: str) -> None:
        assert back(text, output, escaping=WORDS) == expected


class TestApart:
    def test_each_stretch_with_letters_is_a_run_and_the_rest_is_kept(self) -> None:
        parts = apart(hold(Run("<b>Dear</b> {name}, 12 & you ", escaping="text")))

        assert parts == (
            "<b>".replace("<", "&lt;").replace(">", "&gt;"),
            Run("Dear", (), "text"),
            "&lt;/b&gt;",
            " ",
            "{name}",
            Run(", 12 & you", (), "text"),
            " ",
        )

    def test_runs_inside_what_is_held_stay_to_be_translated(self) -> None:
        parts = apart(hold(Run("{n, plural, other {# files}} left")))

        assert [part.text for part in parts if isinstance(part, Run)] == ["# files", "left"]

"""What is held in a text because no model may touch it."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.errors import InvalidRequest
from dragoman.text import icu
from dragoman.text.parts import Escaping, Held, Kind, Run, as_it_was, runs_in
from dragoman.text.placeholders import Protections, hold
from dragoman.text.protections import MOST_KEPT, MOST_PATTERNS
from dragoman.text.shapes import braces_in, is_plain, shapes_in
from dragoman.types import Wishes

_any_character = st.characters(codec=None, categories=None)
_bits = st.sampled_from(
    [
        *"%{}[]<>()`'/\\.:@#$&*;=-+~_|!1 a",
        "%s", "%(name)s", "%1$d", "{0}", "{name}", "{{x}}", "{% if %}", "${v}", "$t(k)", "<b>", "</b>", "<x id='1'/>",
        "<1>", "</1>", "<2/>", "＜１＞", "&nbsp;", "&#39;", "https://a.example/b?c=d", "me@host.example", "./a/b.txt",
        "C:\\dir\\f", "`code`", "👩\u200d👧", "🇩🇪", "1️⃣", "5 kg", "v2.4.1", "16:9", ":name", "word ",
        "字", "\n", "\ud800", "{n, plural, one {# <b>file</b>} other {# files in {dir}}}",
        "{g, select, x {it''s '{raw}'} other {y}}",
        "{n, plural, ", "one {", "select", "offset:1",
    ]
)  # fmt: skip
texts = st.lists(st.one_of(_any_character, _bits), max_size=25).map("".join)
escapings: st.SearchStrategy[Escaping] = st.sampled_from(["none", "text", "attribute"])


def held_in(text: str, protect: Protections | None = None) -> list[str]:
    run = hold(Run(text)) if protect is None else hold(Run(text), protect)
    return [text[held.start : held.end] for held in run.held]


def only(text: str) -> Held:
    (held,) = hold(Run(text)).held
    return held


class TestTheLaw:
    @settings(max_examples=150, deadline=None)
    @given(text=texts)
    def test_a_text_that_is_plain_has_nothing_to_hold(self, text: str) -> None:
        assert not (is_plain(text) and [*shapes_in(text), *braces_in(text), *icu.messages(text)])

    @pytest.mark.parametrize("text", ["Plain words, even (these)!", "Plain words; even “these”…", "字。"])
    def test_words_without_what_marks_a_placeholder_are_plain(self, text: str) -> None:
        assert is_plain(text)

    @settings(max_examples=150, deadline=None)
    @given(text=texts, escaping=escapings)
    def test_holding_loses_nothing_and_holding_again_adds_nothing(self, text: str, escaping: Escaping) -> None:
        run = Run(text, escaping=escaping)
        once = hold(run)

        assert as_it_was(once) == as_it_was(run)
        assert hold(once) == once

    @settings(max_examples=100, deadline=None)
    @given(text=texts, protect=st.sampled_from([((r"\w+",), ()), ((r"<.*>",), ("word", "字")), ((".",), ("1", "a b"))]))
    def test_what_is_held_is_in_order_and_apart_whatever_the_caller_names(
        self, text: str, protect: tuple[tuple[str, ...], tuple[str, ...]]
    ) -> None:
        protections = Protections(*protect)
        tags = hold(Run(text)).held[:3]
        run = hold(Run(text, tags), protections)

        assert as_it_was(run) == text
        assert hold(run, protections) == run
        assert set(tags) <= set(run.held)
        for one in runs_in((run,)):
            spans = [0, *(place for held in one.held for place in (held.start, held.end)), len(one.text)]
            assert spans == sorted(spans)
            assert all(held.start < held.end for held in one.held)

    @pytest.mark.parametrize(
        "unit", ["{", "{a,plural,one{", "'{ {a,plural,a{ ' ", "<b ", "a-", "%A", "$t(", "1 ", "//"]
    )
    def test_hostile_text_takes_linear_time(self, unit: str) -> None:
        def seconds(length: int) -> float:
            text = (unit * length)[:length]
            start = time.process_time()
            hold(Run(text))
            return time.process_time() - start

        assert seconds(160_000) < 30 * max(seconds(20_000), 0.01)


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("placeholder", "%s of %d files, %5.2f MB", ["%s", "%d", "%5.2f"]),
        ("placeholder", "%(name)s wrote %1$s, %@ and %ld", ["%(name)s", "%1$s", "%@", "%ld"]),
        ("placeholder", "%-10s|%+d|%05d", ["%-10s|%+d|%05d"]),
        ("placeholder", "Done: 100%% or %%", ["%%", "%%"]),
        ("placeholder", "%dh %dm %ds", ["%d", "%d", "%d"]),
        ("placeholder", "a %sword is kept whole, %spx is not", ["%sword", "%s"]),
        ("placeholder", "Dates are %Y-%m-%d at %H:%M.", ["%Y-%m-%d", "%H:%M"]),
        ("placeholder", "%1 of %2", ["%1", "%2"]),
        ("placeholder", "In %PATH% and $HOME", ["%PATH%", "$HOME"]),
        ("placeholder", "{0} and {name} and {}", ["{0}", "{name}", "{}"]),
        ("placeholder", "Dear {user.name!r:>10}, on {day:%d %B}", ["{user.name!r:>10}", "{day:%d %B}"]),
        ("placeholder", "{{mustache}} {{ name }} {{{raw}}}", ["{{mustache}}", "{{ name }}", "{{{raw}}}"]),
        ("placeholder", "{% if user.active %}Hello{% endif %}", ["{% if user.active %}", "{% endif %}"]),
        ("placeholder", "{{ user|default:'no one' }}", ["{{ user|default:'no one' }}"]),
        ("placeholder", "{0, number, integer} on {d, date, ::yMMMd}", ["{0, number, integer}", "{d, date, ::yMMMd}"]),
        ("placeholder", "${var} %{ruby} #{ruby} $t(key.other)", ["${var}", "%{ruby}", "#{ruby}", "$t(key.other)"]),
        ("placeholder", "{a {b}} and {name", ["{a {b}}"]),
        ("placeholder", "{a}{b}{a}", ["{a}{b}{a}"]),
        ("placeholder", "The :attribute must be at most :max.", [":attribute", ":max"]),
        ("placeholder", "Choose <name> or <file>", ["<name>", "<file>"]),
        ("placeholder", "See {1}, ＜１＞ and < 2 >", ["{1}", "＜１＞", "< 2 >"]),
        ("address", "See https://example.com/{id}?a=%s.", ["https://example.com/{id}?a=%s"]),
        ("address", "(https://x.example/a, or http://w.example/a_(b))", ["https://x.example/a", "http://w.example/a_(b)"]),
        ("address", "Write to me@host.example, please", ["me@host.example"]),
        ("path", "In /usr/share/x. Or ./a/b.txt and ~/c", ["/usr/share/x", "./a/b.txt", "~/c"]),
        ("path", r"C:\dir\file.txt and \\server\share", [r"C:\dir\file.txt", r"\\server\share"]),
        ("path", "All *.py, src/app/main.py and README.md.", ["*.py", "src/app/main.py", "README.md"]),
        ("path", "打开/usr/bin/x文件", ["/usr/bin/x"]),
        ("code", "Run `make check` or ``a b`` now", ["`make check`", "``a b``"]),
        ("emoji", "Hi 👍🏽👩‍👩‍👧, from 🇩🇪 with ❤️ 1️⃣", ["👍🏽👩‍👩‍👧", "🇩🇪", "❤️", "1️⃣"]),
        ("emoji", "🏴󠁧󠁢󠁳󠁣󠁴󠁿 and ☎️", ["🏴󠁧󠁢󠁳󠁣󠁴󠁿", "☎️"]),
        ("quantity", "5 kg, 3.5 GHz, -20 °C and 10 000 km²", ["5 kg", "3.5 GHz", "-20 °C", "10 000 km²"]),
        ("quantity", "1080p at 16:9, 1920x1080, 100 km/h", ["1080p", "16:9", "1920x1080", "100 km/h"]),
        ("quantity", "v2.4.1, 2.4.10.1, 1.2.3 and 5-10 mm", ["v2.4.1", "2.4.10.1", "1.2.3", "5-10 mm"]),
        ("quantity", "约5kg的", ["5kg"]),
        ("tag", "Line<br/>and &nbsp;x <!-- note -->", ["<br/>", "&nbsp;", "<!-- note -->"]),
        ("tag", 'Use <a rel="me" …> or <input disabled>', ['<a rel="me" …>', "<input disabled>"]),
        ("tag", 'A <x id="1"/> b</a>', ['<x id="1"/>', "</a>"]),
    ],
)  # fmt: skip
def test_what_is_no_words_is_held(kind: Kind, text: str, expected: list[str]) -> None:
    assert held_in(text) == expected
    assert {held.kind for held in hold(Run(text)).held} == {kind}


@pytest.mark.parametrize(
    "text",
    [
        "100% sure", "50 % discount", "20%discount", "50%de réduction", "eine 100%ige Lösung", "5%-Rabatt",
        "%50 indirim",
        "and/or", "on 12/05/2024 and 12.05.2024", "1.234.567 people", "3 files in 2024", "the 1990s", "at 10:30",
        "10 à 5 em total", "5 l'eau", "5 in total", "{this is optional}", "{Note: some prose}", 'say {"a": "b c"}',
        "a < b and c > d", "I <3 you", "<b and c> d", "`quoted' and `quoted'", "© ™ →", "Answer: yes", "Smile :o",
        "US$AUD", "$5", "1st and 5th", "AT&T; x", "", "\ud800", "plain words",
    ],
)  # fmt: skip
def test_what_only_looks_like_it_is_left_in_the_text(text: str) -> None:
    assert held_in(text) == []


class TestTags:
    @pytest.mark.parametrize("text", ["<b>x</b>", "<B>x</b>", "<b0>x</b0>", "<1>x</1>", '<a href="x > y">x</a>'])
    def test_the_two_ends_of_a_tag_are_twins_and_say_nothing(self, text: str) -> None:
        opening, closing = hold(Run(text)).held

        assert opening.twin == closing.twin is not None
        assert opening.bare
        assert closing.bare

    def test_each_closing_tag_belongs_to_the_last_open_one_of_its_name(self) -> None:
        text = "<b>1<i>2<b>3</b>4</i>5</b>6</b>"

        assert [held.twin for held in hold(Run(text)).held] == [2, 1, 0, 0, 1, 2, None]

    def test_new_twins_get_numbers_that_are_not_taken(self) -> None:
        markup = (Held(0, 1, "tag", ("<i>",), twin=4, bare=True), Held(2, 3, "tag", ("</i>",), twin=4, bare=True))

        assert [held.twin for held in hold(Run("[x]<b>y</b>", markup)).held] == [4, 4, 5, 5]

    @pytest.mark.parametrize(
        ("text", "bare"),
        [("<br>", True), ("<x id='1'/>", True), ("</g>", True), ("<0>", True), ("&nbsp;", True), ("&#39;", False),
         ("<name>", False), ("{0}", False), ("5 kg", False), ("🇩🇪", False)],
    )  # fmt: skip
    def test_what_stands_for_words_is_not_bare(self, text: str, bare: bool) -> None:
        assert only(text).bare is bare


class TestWhatOverlaps:
    def test_the_outer_one_is_held(self) -> None:
        assert held_in('Run `ls {dir}/*.py` in <a href="https://x.example/{id}">') == [
            "`ls {dir}/*.py`",
            '<a href="https://x.example/{id}">',
        ]

    def test_two_that_overlap_are_held_as_one(self) -> None:
        assert held_in("as {name} wrote", Protections([r"as \{na"])) == ["as {name}"]

    def test_what_is_held_already_wins(self) -> None:
        already = Held(4, 7, "term", ("TERM",))
        run = hold(Run("see {x} and {y}", (already,)), Protections(["see.*and"]))

        assert [(held.kind, held.becomes) for held in run.held] == [
            ("pattern", ("see ",)),
            ("term", ("TERM",)),
            ("pattern", (" and",)),
            ("placeholder", ("{y}",)),
        ]

    def test_what_is_held_comes_back_as_the_format_writes_it(self) -> None:
        assert [held.becomes for held in hold(Run("{a&b} <b>", escaping="text")).held] == [
            ("{a&amp;b}",),
            ("&lt;b&gt;",),
        ]


class TestProtections:
    def test_they_come_from_the_wishes_of_a_request(self) -> None:
        protect = Protections.of(Wishes(protect=(r"ACME-\d+",), keep=("Blue Sky",)))
        run = hold(Run("Order ACME-17 from Blue Sky today"), protect)

        assert [(held.kind, held.becomes) for held in run.held] == [
            ("pattern", ("ACME-17",)),
            ("kept", ("Blue Sky",)),
        ]

    @pytest.mark.parametrize(
        ("keep", "text", "expected"),
        [
            (["cat"], "cat, concatenate cats", ["cat"]),
            (["New", "New York"], "New York, New Yorker", ["New York", "New"]),
            (["GitHub"], "用GitHub登录, GitHub에서, github", ["GitHub", "GitHub"]),
            (["東京"], "東京都に", ["東京"]),
            (["नमस"], "नमस्ते नमस", ["नमस"]),
            (["C++"], "C++ and C++17", ["C++", "C++"]),
            (["a.b"], "a.b axb", ["a.b"]),
        ],
    )
    def test_words_are_found_whole_where_their_script_has_words(
        self, keep: list[str], text: str, expected: list[str]
    ) -> None:
        assert held_in(text, Protections(keep=keep)) == expected

    def test_a_pattern_that_matches_nothing_holds_nothing(self) -> None:
        assert held_in("abc \ud800 x", Protections(["x*", "$"])) == ["x"]

    def test_patterns_that_make_other_engines_hang_run_in_linear_time(self) -> None:
        start = time.process_time()
        held_in("a" * 50_000, Protections([r"(a*)*b", r"(a|aa)+$"]))

        assert time.process_time() - start < 5

    @pytest.mark.parametrize(
        "patterns",
        [["("], [r"(a)\1"], ["(?=a)"], ["\ud800"], [""], ["a" * 1001], ["x{1000}" * 9], ["a"] * (MOST_PATTERNS + 1)],
    )
    def test_a_pattern_that_cannot_be_taken_is_refused(self, patterns: list[str]) -> None:
        with pytest.raises(InvalidRequest) as refused:
            Protections(patterns)

        assert refused.value.field == "protect"

    @pytest.mark.parametrize("keep", [[""], [" "], ["x" * 201], [f"w{n}" for n in range(MOST_KEPT + 1)]])
    def test_words_that_cannot_be_taken_are_refused(self, keep: list[str]) -> None:
        with pytest.raises(InvalidRequest) as refused:
            Protections(keep=keep)

        assert refused.value.field == "keep"


class TestMessages:
    def test_the_branches_of_a_plural_are_runs_and_its_syntax_is_kept(self) -> None:
        held = only("{count, plural, one {# file in {dir}} other {# files}}")
        strings = [part for part in held.becomes if isinstance(part, str)]
        one, other = [part for part in held.becomes if isinstance(part, Run)]

        assert strings == ["{count, plural, one {", "} other {", "}}"]
        assert (one.text, other.text) == ("# file in {dir}", "# files")
        assert [inner.becomes for inner in one.held] == [("#",), ("{dir}",)]

    def test_messages_nest_and_a_number_sign_belongs_to_the_plural_around_a_select(self) -> None:
        text = "{n, plural, other {{g, select, m {# men, '{so}'} other {# people}}}}"
        texts = {run.text: [inner.becomes for inner in run.held] for run in runs_in((hold(Run(text)),))}

        assert texts["# men, '{so}'"] == [("#",), ("'{so}'",)]
        assert texts["# people"] == [("#",)]

    def test_a_number_sign_in_a_select_alone_is_a_number_sign(self) -> None:
        held = only("{g, select, other {room # 5}}")

        assert [run.held for run in held.becomes if isinstance(run, Run)] == [()]

    def test_tags_that_are_held_already_move_into_the_branch(self) -> None:
        text = "You have {n, plural, other {[b]#[/b] files}}."
        tags = tuple(
            Held(at, at + len(tag), "tag", (written,), twin=0, bare=True)
            for tag, written in (("[b]", "<b>"), ("[/b]", "</b>"))
            for at in (text.index(tag),)
        )
        run = hold(Run(text, tags, "text"))
        (message,) = run.held
        (branch,) = [part for part in message.becomes if isinstance(part, Run)]

        assert [inner.becomes for inner in branch.held] == [("<b>",), ("#",), ("</b>",)]
        assert as_it_was(run) == "You have {n, plural, other {<b>#</b> files}}."
        assert hold(run) == run

    @pytest.mark.parametrize(
        "text",
        [
            "{n, plural, one {a}",
            "{n, plural, one # other}",
            "{n, plural, one {" + "{x} words " * 60 + "} oops = }",
            "{n, plural,}",
        ],
    )
    def test_a_malformed_message_is_kept_whole(self, text: str) -> None:
        assert only(text).becomes == (text,)

    def test_messages_nested_too_deep_are_kept_as_they_are(self) -> None:
        text = "{n, plural, other {word " * 300 + "}}" * 300
        runs = list(runs_in((hold(Run(text)),)))

        assert as_it_was(runs[0]) == text
        assert len(runs) < 10

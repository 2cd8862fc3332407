"""What cutting a run into sentences promises, and what joining them does."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.text.parts import Escaping, Held, Kind, Part, Run, as_it_was, runs_in, written
from dragoman.text.segment import SAFE_TOKENS, Gap, cut, estimate_tokens, join
from dragoman.types import Pair, Split

LINE_BREAKS = ["\n", "\r\n", "\r", "\v", "\f", "\x85", "\u2028", "\u2029"]
LANGUAGES = st.sampled_from(["en", "de", "zh-Hans", "ja", "th", "lo", "km", "my", "hi", "ar", "ko", "bo", "fr-CA"])
SPLITS: tuple[Split, ...] = ("sentences", "newlines", "off")

_any_character = st.characters(codec=None, categories=None)
_marks = st.sampled_from(
    [*".!?,;: '\"()[]-*>#…。！？，、：；「」『』“”（）།。။་", *LINE_BREAKS, "\u200b", "\u202e", "\ufeff", "\ue001"]
)
_words = st.sampled_from(["Dr.", "z. B.", "e.g.", "3.", "1)", "- ", "A & B < C.", "「はい。」", "และ", " Yes. ", "no"])
_long_words = st.sampled_from(["x" * 400, "字" * 150, "e\u0301" * 200, "👩\u200d👧" * 60, "🇩🇪" * 40, " " * 50])
texts = st.lists(st.one_of(_any_character, _marks, _words, _long_words), max_size=12).map("".join)

_SOURCES = st.sampled_from(["<b>", "</b>", "<br/>", "{name}", "%d", "5 kg", "https://a.example/b.c?d", "\n > ", ""])


@st.composite
def runs(draw: st.DrawFn, depth: int = 1) -> Run:
    """A run with any words in it and any held stretches, some with a twin, some with runs of their own."""
    text = draw(texts)
    held: list[Held] = []
    for twin in draw(st.lists(st.sampled_from([None, None, 1, 1, 2, 2, 3, 3]), max_size=8)):
        start = len(text)
        text += draw(_SOURCES)
        becomes: tuple[Part, ...] = (draw(_SOURCES),)
        if depth and draw(st.booleans()):
            becomes += (draw(runs(depth=depth - 1)), "}")
        held.append(Held(start, len(text), "tag", becomes, twin, bare=draw(st.booleans())))
        text += draw(texts)
    return Run(text, tuple(held), draw(st.sampled_from(["none", "text", "attribute"])))


_HELD = re.compile(r"</?\w+/?>|\{\w+\}|\d+ kg|https?://[\w./?=#]+|%[sd]|[👋🎉]")


def run_of(source: str, escaping: Escaping = "none") -> Run:
    """A run in which tags, `{name}`, `%s`, addresses, quantities and two emoji are held."""
    held: list[Held] = []
    opened: dict[str, list[int]] = {}
    for number, match in enumerate(_HELD.finditer(source)):
        mark, twin = match[0], None
        if mark.startswith("</"):
            names = opened.get(mark[2:], [])
            twin = names.pop() if names else None
        elif mark.startswith("<") and not mark.endswith("/>"):
            opened.setdefault(mark[1:], []).append(number)
            twin = number
        held.append(Held(*match.span(), _kind(mark), (mark,), twin, bare=mark.startswith("<")))
    return Run(source, tuple(held), escaping)


def _kind(mark: str) -> Kind:
    if mark in "👋🎉":
        return "emoji"
    return "tag" if mark.startswith("<") else "quantity" if mark[0].isdigit() else "placeholder"


def sentences(source: str | Run, language: str = "en", split: Split = "sentences") -> list[str]:
    """The texts of the sentences that a run is cut into."""
    run = run_of(source) if isinstance(source, str) else source
    return [part.text for part in cut(run, language, split=split) if isinstance(part, Run)]


def shown(parts: Sequence[Part]) -> list[str | Run]:
    """Parts as they are easiest to compare: sentences without anything held as runs of their text alone."""
    return [part if isinstance(part, str) else Run(part.text) for part in parts]


def in_one(parts: Sequence[Part]) -> list[Part]:
    """The parts, with strings that stand side by side made one: where they are cut says nothing."""
    merged: list[Part] = []
    for part in parts:
        if type(part) is str and merged and type(merged[-1]) is str:
            merged[-1] += part
        else:
            merged.append(part)
    return merged


class TestTheLaw:
    @settings(max_examples=80, deadline=None)
    @given(run=runs(), language=LANGUAGES, max_tokens=st.integers(8, 120), split=st.sampled_from(SPLITS))
    def test_the_parts_come_to_the_very_same_text(self, run: Run, language: str, max_tokens: int, split: Split) -> None:
        parts = cut(run, language, max_tokens=max_tokens, split=split)

        assert written(parts, as_it_was) == as_it_was(run)
        assert join(parts, as_it_was, Pair(language, language)) == as_it_was(run)

    @settings(max_examples=80, deadline=None)
    @given(run=runs(), language=LANGUAGES, max_tokens=st.integers(8, 120), split=st.sampled_from(SPLITS))
    def test_every_run_among_them_is_one_short_line_with_a_letter_and_no_space_around_it(
        self, run: Run, language: str, max_tokens: int, split: Split
    ) -> None:
        for part in runs_in(cut(run, language, max_tokens=max_tokens, split=split)):
            stretches = list(part.stretches())
            assert not any(len(stretch.splitlines()) > 1 for stretch in stretches)
            assert any(map(str.isalpha, "".join(stretches)))
            assert not stretches[0][:1].isspace()
            assert not stretches[-1][-1:].isspace()
            placeholders = sum(not held.bare for held in part.held)
            assert estimate_tokens("".join(stretches)) + 3 * placeholders <= max_tokens

    @settings(max_examples=60, deadline=None)
    @given(run=runs(depth=0), language=LANGUAGES)
    def test_what_is_held_is_in_one_run_whole_or_stands_as_it_is(self, run: Run, language: str) -> None:
        parts = cut(run, language)

        inside = [(part.text[held.start : held.end], held.twin) for part in runs_in(parts) for held in part.held]
        everything = [(run.text[held.start : held.end], held.twin) for held in run.held]
        rest = iter(everything)
        assert all(one in rest for one in inside), "the held stretches inside are some of all, in order"

    @settings(max_examples=100, deadline=None)
    @given(
        text=st.text(st.sampled_from("aB1 ,'’\"()/&%-字กກ."), min_size=1, max_size=60).filter(
            lambda text: text[0].isalpha()
        ),
        language=LANGUAGES,
    )
    def test_words_are_cut_alike_behind_a_tag_and_without_one(self, text: str, language: str) -> None:
        behind = cut(Run(f"<i>{text}", (Held(0, 3, "tag", ("<i>",), bare=True),)), language)

        assert in_one(behind) == in_one(("<i>", *cut(Run(text), language)))

    def test_the_empty_run_has_no_parts(self) -> None:
        assert cut(Run(""), "en") == ()

    def test_a_bound_too_small_for_any_text_is_refused(self) -> None:
        with pytest.raises(ValueError, match="at least 8"):
            cut(Run("Hello."), "en", max_tokens=7)


class TestLines:
    @pytest.mark.parametrize("line_break", LINE_BREAKS)
    def test_no_sentence_crosses_a_line_break(self, line_break: str) -> None:
        assert cut(Run(f"one line{line_break}another"), "en") == (Run("one line"), line_break, Run("another"))

    @pytest.mark.parametrize(
        "mark", ["- ", "* ", "• ", "1. ", "12) ", "(3) ", "a) ", "# ", "### ", "> ", ">> ", "- [ ] "]
    )
    def test_what_marks_a_line_stays_outside(self, mark: str) -> None:
        parts = cut(Run(f"Above.\n  {mark}Open the lid.\n"), "en")

        assert parts == (Run("Above."), f"\n  {mark}", Run("Open the lid."), "\n")

    def test_a_german_ordinal_is_part_of_its_sentence(self) -> None:
        assert sentences("3. Mai, ein Sonntag.", "de") == ["3. Mai, ein Sonntag."]

    @pytest.mark.parametrize(
        "text",
        [
            "---",
            "12.5",
            "🙂",
            "!?",
            " \t\n",
            "* * *",
            "3 + 4 = 7",
            "\u200b",
            "https://example.org",
            "{name}: %d",
            "<b>",
        ],
    )
    def test_a_text_without_letters_outside_what_is_held_needs_no_engine(self, text: str) -> None:
        assert cut(run_of(text), "en") == (text,)

    def test_marks_of_no_width_and_control_characters_stay_outside(self) -> None:
        assert cut(Run("\ufeff\u200fשלום\u200e\x00"), "he") == ("\ufeff\u200f", Run("שלום"), "\u200e\x00")


class TestWhatIsHeld:
    @pytest.mark.parametrize(
        ("source", "parts"),
        [
            ("<b>Hello.</b>", ["<b>", Run("Hello."), "</b>"]),
            ("<a><b>Hello.</b></a><br/>", ["<a><b>", Run("Hello."), "</b></a><br/>"]),
            ("<b>Note:</b> read this.", [Run("<b>Note:</b> read this.")]),
            ("Read <b>this.</b>", [Run("Read <b>this.</b>")]),
            ("<a>Read <b>this.</b></a>", ["<a>", Run("Read <b>this.</b>"), "</a>"]),
            ("Read <i>this</i></b>", [Run("Read <i>this</i>"), "</b>"]),
            ("<a>Read <b>this</a></b>", [Run("<a>Read <b>this</a></b>")]),
            ("<b>- Note:</b> read", [Run("<b>- Note:</b> read")]),
            ("un<b>believ</b>able", [Run("un<b>believ</b>able")]),
            ("<b></b>Yes", ["<b></b>", Run("Yes")]),
            ("<b>1.</b> Open it.", ["<b>1.</b> ", Run("Open it.")]),
            ("{name} is gone", [Run("{name} is gone")]),
            ("Hello, {name}!", [Run("Hello, {name}!")]),
            ("👋 Hello 🎉 there 👋", ["👋 ", Run("Hello 🎉 there"), " 👋"]),
            ("Hello!👋 Bye.", [Run("Hello!"), "👋", " ", Run("Bye.")]),
        ],
    )
    def test_tags_around_a_sentence_stay_outside_and_all_else_is_in_it(self, source: str, parts: list[Part]) -> None:
        assert shown(cut(run_of(source), "en")) == parts

    @pytest.mark.parametrize(
        ("source", "parts"),
        [
            ("<b>One.</b> Two.", ["<b>", Run("One."), "</b>", " ", Run("Two.")]),
            ("One. <b>Two.</b>", [Run("One."), " ", "<b>", Run("Two."), "</b>"]),
            ("<b>One. </b><i>Two</i> too.", ["<b>", Run("One."), " ", "</b>", Run("<i>Two</i> too.")]),
            ("Is <b>one. Two</b> too.", [Run("Is <b>one."), " ", Run("Two</b> too.")]),
            ("One.<br/> Two.", [Run("One."), "<br/>", " ", Run("Two.")]),
        ],
    )
    def test_a_sentence_ends_where_it_would_without_tags(self, source: str, parts: list[Part]) -> None:
        assert shown(cut(run_of(source), "en")) == parts

    @pytest.mark.parametrize(
        ("language", "expected"),
        [
            ("en", ["See https://a.example/b.c?d or {page}.", "{name} is there.", "Then go."]),
            ("en", ["Ask Dr. {name} about p. {page} and Fig. %d vs. No. %s.", "Yes."]),
            ("de", ["Er kommt am %d. Mai zu Nr. {number} mit ca. 5 kg Mehl.", "Gut."]),
            ("en", ["You have %d.", "Take 5 kg.", "Done?"]),
        ],
    )
    def test_placeholders_are_words(self, language: str, expected: list[str]) -> None:
        assert sentences(" ".join(expected), language) == expected

    def test_a_sentence_keeps_its_stretches_with_their_places_twins_and_escaping(self) -> None:
        parts = cut(run_of("One & all. Go <b>{name}</b> & go.", "text"), "en")

        assert parts[:2] == (Run("One & all.", escaping="text"), " ")
        assert parts[2] == Run(
            "Go <b>{name}</b> & go.",
            (
                Held(3, 6, "tag", ("<b>",), 0, bare=True),
                Held(6, 12, "placeholder", ("{name}",)),
                Held(12, 16, "tag", ("</b>",), 0, bare=True),
            ),
            "text",
        )

    def test_what_stays_outside_is_written_as_the_format_asks(self) -> None:
        run = Run('&<br> "1" & 2', (Held(1, 5, "tag", ("<br title='&'>",), bare=True),), "attribute")

        assert cut(run, "en") == ("&amp;<br title='&'> &quot;1&quot; &amp; 2",)

    def test_runs_inside_what_is_held_are_cut_as_well(self) -> None:
        title = Run("One. Two.", escaping="attribute")
        image = Held(4, 9, "tag", ('<img alt="', title, '">'), bare=True)
        cut_title = (Run("One.", escaping="attribute"), " ", Run("Two.", escaping="attribute"))

        (inside,) = cut(Run("See <img> here", (image,)), "en")
        around = cut(Run("See <img>", (image,)), "en")

        assert isinstance(inside, Run)
        assert inside.held[0].becomes == ('<img alt="', *cut_title, '">')
        assert around == (Run("See"), ' <img alt="', *cut_title, '">')

    def test_a_held_line_break_is_white_space_between_words(self) -> None:
        source = "One\n> two.\n> Three\n> four."
        run = Run(
            source, tuple(Held(at.start(), at.end(), "kept", (at[0],), bare=True) for at in re.finditer("\n> ", source))
        )

        assert cut(run, "en")[1] == "\n> "
        assert sentences(run) == ["One\n> two.", "Three\n> four."]

    def test_a_long_sentence_is_never_cut_inside_what_is_held(self) -> None:
        address = "https://example.org/" + "/".join(["path.to.somewhere"] * 30)
        found = cut(run_of(" ".join(["see", address] * 40)), "en")

        texts = [part.text for part in found if isinstance(part, Run)]
        assert len(texts) > 1
        assert all(text.count("https://") == text.count(address) for text in texts)

    def test_markers_inside_a_sentence_count_and_those_around_it_do_not(self) -> None:
        wrapped = "<b>" * 60 + "All is well." + "</b>" * 60
        assert sentences(wrapped) == ["All is well."]

        assert len(sentences(" ".join(["<b>a</b>"] * 60))) > 3


class TestSplit:
    TEXT = "One. Two\nthree.\r\n\r\n- Four."

    def test_newlines_cuts_at_line_breaks_alone(self) -> None:
        parts = cut(Run(self.TEXT), "en", split="newlines")

        assert parts == (Run("One. Two"), "\n", Run("three."), "\r\n\r\n- ", Run("Four."))

    def test_off_makes_one_sentence_in_which_the_line_breaks_are_held(self) -> None:
        (run,) = cut(Run(f"\n{self.TEXT}\n"), "en", split="off")[1:-1]

        assert isinstance(run, Run)
        assert run.text == self.TEXT
        assert [held.becomes for held in run.held] == [("\n",), ("\r\n\r\n",)]
        assert all(held.bare for held in run.held)

    def test_off_leaves_alone_what_is_held_already(self) -> None:
        (run,) = cut(Run("One\ntwo", (Held(3, 4, "kept", (" ",), bare=True),)), "en", split="off")

        assert run == Run("One\ntwo", (Held(3, 4, "kept", (" ",), bare=True),))

    @pytest.mark.parametrize("split", SPLITS)
    def test_what_is_too_long_for_a_model_is_cut_at_the_end_of_a_sentence_where_one_is_near(self, split: Split) -> None:
        sentence = "The committee will meet again on Thursday afternoon to talk about the old bridge."
        found = sentences(" ".join([sentence] * 6), split=split)

        assert len(found) > 1
        assert {text.replace(sentence, "").strip() for text in found} == {""}


class TestLongSentences:
    def cores(self, text: str, language: str, max_tokens: int = SAFE_TOKENS) -> list[str]:
        return [part.text for part in cut(Run(text), language, max_tokens=max_tokens) if isinstance(part, Run)]

    def test_it_is_cut_after_the_best_mark_near_its_middle(self) -> None:
        first = "The committee, which watches over all bridges and all roads of the old city and of the new one, meets;"
        second = "the people, who have waited for more than eleven years by now, hope that the work will soon be done."
        assert estimate_tokens(f"{first} {second}") > 50

        assert self.cores(f"{first} {second}", "en", max_tokens=50) == [first, second]

    def test_without_marks_it_is_cut_between_words(self) -> None:
        words = ["bridge"] * 100

        found = self.cores(" ".join(words), "en")

        assert len(found) > 1
        assert " ".join(found).split() == words

    def test_a_long_chinese_sentence_is_cut_into_even_parts_of_at_most_100_characters(self) -> None:
        text = "，".join(["许多居民希望工程能在冬天到来之前完工"] * 10) + "。"

        found = self.cores(text, "zh-Hans")

        assert "".join(found) == text
        assert max(map(len, found)) <= 100
        assert max(map(len, found)) < 2 * min(map(len, found))
        assert all(core[-1] in "，。" for core in found)

    @pytest.mark.parametrize(
        "cluster", ["e\u0301", "👩\u200d👧", "👍🏽", "\U0001f1e9\U0001f1ea", "क्षि", "ກ\u0eb3", "\u1112\u1161\u11ab"]
    )
    def test_no_cut_splits_what_a_reader_sees_as_one_character(self, cluster: str) -> None:
        parts = cut(Run("ab" + cluster * 300), "hi")

        texts = [written([part], as_it_was) for part in parts]
        assert len(texts) > 1 or not cluster[0].isalpha()
        assert {text.removeprefix("ab").replace(cluster, "") for text in texts} <= {""}

    def test_a_cut_between_tags_leaves_each_with_its_words(self) -> None:
        words = "<b>许多居民希望工程能在冬天到来之前完工，</b>"

        found = cut(run_of(words * 10), "zh-Hans")

        texts = [part.text for part in found if isinstance(part, Run)]
        assert len(texts) > 1
        assert all(text.count("<b>") == text.count("</b>") for text in texts)


HOSTILE: dict[str, Callable[[int], Run]] = {
    "dots": lambda size: Run("." * size),
    "letters": lambda size: Run("a" * size),
    "spaces": lambda size: Run(" " * size),
    "line breaks": lambda size: Run("\n" * size),
    "words": lambda size: Run(" a" * (size // 2)),
    "marks": lambda size: Run("，" * size),
    "open quotations": lambda size: Run("「a。" * (size // 3)),
    "ellipses": lambda size: Run("…。" * (size // 2)),
    "curly quotes": lambda size: Run("“" * size),
    "full stops": lambda size: Run("a. " * (size // 3)),
    "bullets": lambda size: Run("- " * (size // 2)),
    "numbers": lambda size: Run("1. " * (size // 3)),
    "combining marks": lambda size: Run("\u0301" * size),
    "families": lambda size: Run("👨‍👩‍👧‍👦" * (size // 7)),
    "embeddings": lambda size: Run("\u202e" * size),
    "nested tags": lambda size: run_of("<b>" * (size // 8) + "a" + "</b>" * (size // 8)),
    "tags in pairs": lambda size: run_of("<b>a</b>" * (size // 8)),
    "tags side by side": lambda size: run_of("a <b></b>" + "<b></b>" * (size // 8) + " c"),
    "crossing tags": lambda size: _crossing(size // 8),
    "placeholders": lambda size: run_of("{a} " * (size // 4)),
}


def _crossing(count: int) -> Run:
    """`<1><2>…a</1></2>… b`: whichever is taken in takes in the next."""
    opening = [Held(at, at + 1, "tag", ("<",), at, bare=True) for at in range(count)]
    closing = [Held(count + 1 + at, count + 2 + at, "tag", (">",), at, bare=True) for at in range(count)]
    return Run("<" * count + "a" + ">" * count + " b", (*opening, *closing))


class TestCost:
    @pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
    def test_the_time_grows_with_the_length_alone(self, hostile: Callable[[int], Run]) -> None:
        """A text 8 times as long takes about 8 times as long; a quadratic step would make it 64."""
        assert _least_time_s(hostile(32_000), 2) < 24 * _least_time_s(hostile(4_000), 4) + 0.02

    def test_half_a_megabyte_on_one_line_comes_to_the_same_again(self) -> None:
        text = "x" * 250_000 + "." * 250_000

        assert written(cut(Run(text), "en"), as_it_was) == text


def _least_time_s(run: Run, tries: int) -> float:
    return min(_time_s(run) for _ in range(tries))


def _time_s(run: Run) -> float:
    start = time.process_time()
    cut(run, "en")
    return time.process_time() - start


class TestJoining:
    def joined(self, source: str, languages: str, translations: Sequence[str]) -> str:
        pair = Pair(*languages.split())
        given = iter(translations)
        return join(cut(run_of(source), pair.source), lambda _: next(given), pair)

    def test_what_stands_around_a_sentence_comes_back_as_it_was(self) -> None:
        joined = self.joined("  - One.  Two.\r\n\r\n\t7\n3) Three.", "en fr", ["Un.", "Deux.", "Trois."])

        assert joined == "  - Un.  Deux.\r\n\r\n\t7\n3) Trois."

    def test_sentences_get_a_space_where_only_the_target_has_one(self) -> None:
        assert self.joined("你好。再见。\n好。", "zh-Hans en", ["Hello.", "Bye.", "Good."]) == "Hello. Bye.\nGood."

    @pytest.mark.parametrize("target", ["th", "km", "ko"])
    def test_thai_khmer_and_korean_put_a_space_between_sentences(self, target: str) -> None:
        assert self.joined("你好。再见。", f"zh-Hans {target}", ["ก", "ข"]) == "ก ข"

    def test_the_single_space_goes_where_only_the_source_has_one(self) -> None:
        assert self.joined("Hello. Bye.  Now.\nOK.", "en ja", ["はい。", "では。", "今。", "よし。"]) == (
            "はい。では。  今。\nよし。"
        )

    @pytest.mark.parametrize(
        ("source", "languages", "translations", "expected"),
        [
            ("<b>你好。</b>再见。", "zh-Hans en", ["Hello.", "Bye."], "<b>Hello.</b> Bye."),
            ("你好。<b>再见。</b>", "zh-Hans en", ["Hello.", "Bye."], "Hello. <b>Bye.</b>"),
            ("<b>Hello.</b> Bye.", "en zh-Hans", ["你好。", "再见。"], "<b>你好。</b>再见。"),
            ("Hello. <b>Bye.</b>", "en zh-Hans", ["你好。", "再见。"], "你好。<b>再见。</b>"),
            ("<b>Hello. </b>Bye.", "en zh-Hans", ["你好。", "再见。"], "<b>你好。</b>再见。"),
            (
                "A <b>bee.</b> <i>Cats</i> too.",
                "en zh-Hans",
                ["好<b>你。</b>", "<i>再</i>见。"],
                "好<b>你。</b><i>再</i>见。",
            ),
        ],
    )
    def test_tags_between_sentences_change_nothing(
        self, source: str, languages: str, translations: list[str], expected: str
    ) -> None:
        assert self.joined(source, languages, translations) == expected

    @pytest.mark.parametrize("translations", [["iPhone", "Pro"], ["<b>iPhone</b>", "<i>Pro</i>"]])
    def test_a_space_between_two_latin_words_stays(self, translations: list[str]) -> None:
        assert self.joined("Hello. Bye.", "en zh-Hans", translations) == " ".join(translations)

    def test_nothing_is_set_apart_differently_between_languages_of_one_habit(self) -> None:
        assert self.joined("你好。再见。", "zh-Hans ja", ["はい。", "では。"]) == "はい。では。"
        assert self.joined("One. Two.", "en th", ["ก", "ข"]) == "ก ข"

    @pytest.mark.parametrize("between", ["\t", "  ", "\u00a0", "\n", "\n1. "])
    def test_other_white_space_than_a_single_space_is_kept(self, between: str) -> None:
        assert self.joined(f"Well.{between}Yes.", "en ja", ["はい。", "では。"]) == f"はい。{between}では。"

    def test_runs_that_were_not_cut_from_one_text_keep_what_stands_between_them(self) -> None:
        parts = (*cut(Run("好。"), "zh-Hans"), *cut(Run("坏。"), "zh-Hans"))

        assert join(parts, as_it_was, Pair("zh-Hans", "en")) == "好。坏。"

    def test_gaps_read_as_what_they_are_in_the_source(self) -> None:
        assert [part for part in cut(Run("One. Two."), "en") if isinstance(part, Gap)] == [" "]

"""Terms in a text: which are found, how they are held, and what is said of those that do not come back."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.text.glossary import Matcher, hold_terms, matcher_for
from dragoman.text.parts import Escaping, Held, Run, as_it_was
from dragoman.types import Glossary, Pair, Term, Wishes

EN_DE = Pair("en", "de")


def matcher(*terms: tuple[str, str], pair: Pair = EN_DE) -> Matcher:
    return matcher_for(Wishes(terms=tuple(Term(*term) for term in terms)), pair)


def found(text: str, *terms: tuple[str, str], escaping: Escaping = "none") -> list[tuple[str, str]]:
    run = hold_terms(Run(text, escaping=escaping), matcher(*terms))
    return [(text[held.start : held.end], str(held.becomes[0])) for held in run.held]


def tagged(text: str, *terms: tuple[str, str]) -> list[str]:
    """The terms found between inline tags; each `<x>` is the twin of its `</x>`."""
    tags = tuple(
        Held(tag.start(), tag.end(), "tag", (tag[0],), twin=ord(tag[1]), bare=True)
        for tag in re.finditer(r"</?(\w)>", text)
    )
    run = hold_terms(Run(text, tags), matcher(*terms))
    return [text[held.start : held.end] for held in run.held if held.kind == "term"]


class TestWhichWords:
    @pytest.mark.parametrize(
        ("text", "source", "times"),
        [
            ("A cat, two cats.", "cat", 1),
            ("concatenate", "cat", 0),
            ("cat_id and cat5", "cat", 0),
            ("the cat's cat-flap", "cat", 2),
            ("CAT and Cat", "CAT", 1),
            ("l'avion", "avion", 1),
            ("C++ or C", "C++", 1),
            (".NET", ".NET", 1),
            ("naïve", "na", 0),
            ("cafe\u0301s cafe\u0301", "cafe", 0),
            ("कि क", "क", 1),
            ("черепаха", "пах", 0),
            ("黒猫が猫を見た", "猫", 2),
            ("使用AI的OpenAI", "AI", 1),
            ("ฉันรักแมวมาก", "แมว", 1),
            ("서울은 서울, 대서울", "서울", 2),
            ("길고양이와 고양이", "고양이", 1),
            ("New  York", "New York", 1),
            ("New\u00a0York", "New York", 1),
            ("New\nYork", "New York", 0),
            ("\ud800cat\udfff", "cat", 1),
            ("a\ud800b", "\ud800", 1),
            ("text", "", 0),
        ],
    )
    def test_a_term_is_found_as_whole_words(self, text: str, source: str, times: int) -> None:
        assert len(found(text, (source, "x"))) == times

    def test_in_markup_a_line_break_is_white_space(self) -> None:
        assert found("New\n   York", ("New York", "NY"), escaping="text") == [("New\n   York", "NY")]

    def test_the_longest_goes_first_from_the_left(self) -> None:
        terms = (("New", "1"), ("New York", "2"), ("York Times", "3"), ("New York Times", "4"))

        assert found("New York Times, New York, New Yorker", *terms) == [
            ("New York Times", "4"),
            ("New York", "2"),
            ("New", "1"),
        ]

    def test_each_occurrence_is_held_also_side_by_side(self) -> None:
        assert found("猫猫 cat cat", ("猫", "1"), ("cat", "2")) == [
            ("猫", "1"),
            ("猫", "1"),
            ("cat", "2"),
            ("cat", "2"),
        ]

    def test_of_two_terms_with_one_source_the_first_counts(self) -> None:
        assert found("a hub", ("hub", "Nabe"), ("hub", "Knoten")) == [("hub", "Nabe")]


class TestCapitals:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("Cat food", [("Cat", "Katze")]),
            ("“Cat food", [("Cat", "Katze")]),
            ("Oh! Cat", [("Cat", "Katze")]),
            ("is\nCat", [("Cat", "Katze")]),
            ("the cat", [("cat", "katze")]),
            ("the Cat", []),
            ("CAT", []),
        ],
    )
    def test_a_sentence_may_begin_with_a_term_in_lower_case(self, text: str, expected: list[tuple[str, str]]) -> None:
        assert found(text, ("cat", "katze")) == expected

    def test_what_the_glossary_says_of_the_capitalised_form_goes_first(self) -> None:
        terms = (("apple", "Apfel"), ("Apple", "Apple"))

        assert found("Apple makes an apple", *terms) == [("Apple", "Apple"), ("apple", "Apfel")]

    def test_a_longer_term_may_begin_with_the_word_of_a_shorter_one(self) -> None:
        terms = (("cat food", "katzenfutter"), ("Cat", "CAT"))

        assert found("Cat food. The Cat food", *terms) == [("Cat food", "Katzenfutter"), ("Cat", "CAT")]

    def test_a_name_in_the_target_keeps_its_letters(self) -> None:
        assert found("Phone me", ("phone", "iPhone")) == [("Phone", "iPhone")]

    def test_a_tag_does_not_hide_where_a_sentence_begins_and_a_placeholder_does(self) -> None:
        assert tagged("<b>Cat</b>", ("cat", "katze")) == ["Cat"]
        placeholder = Run("%s Cat", (Held(0, 2, "placeholder", ("%s",)),))
        assert hold_terms(placeholder, matcher(("cat", "katze"))) == placeholder


class TestHolding:
    def test_a_term_becomes_its_target_and_stands_for_words(self) -> None:
        run = hold_terms(Run("a hub"), matcher(("hub", "Nabe")))

        assert run.held == (Held(2, 5, "term", ("Nabe",), bare=False),)
        assert as_it_was(run) == "a Nabe"

    def test_the_target_is_written_as_the_format_asks(self) -> None:
        run = hold_terms(Run("R and D", escaping="text"), matcher(("R and D", "F&E")))

        assert as_it_was(run) == "F&amp;E"

    def test_nothing_is_found_in_or_across_what_is_held_already(self) -> None:
        run = Run("cat %cat food", (Held(4, 8, "placeholder", ("%cat",)),))

        held = hold_terms(run, matcher(("cat", "1"), ("cat food", "2"))).held

        assert [(one.start, one.end, one.kind) for one in held] == [(0, 3, "term"), (4, 8, "placeholder")]

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("con<b>cat</b>enate", []),
            ("a <b>cat</b>", ["cat"]),
            ("<b>cat</b>s", []),
            ("<b>C</b>ats, <b><i>cat</b></i>!", ["cat"]),
            ("cat</b><b>s", []),
            ("<b></b>cat", ["cat"]),
            ("hot <b>cat</b> food", ["cat"]),
        ],
    )
    def test_a_word_that_a_tag_cuts_in_two_is_whole_nowhere(self, text: str, expected: list[str]) -> None:
        assert tagged(text, ("cat", "1"), ("cat food", "2"), ("s", "3")) == expected

    @settings(max_examples=60)
    @given(
        text=st.text("abcA .-猫서울\u0301\n\ud800"),
        terms=st.lists(st.tuples(st.text("abcA 猫서울\u0301", min_size=1), st.text("xy", min_size=1)), max_size=4),
    )
    def test_whatever_the_text_only_given_terms_are_held_in_order_and_apart(
        self, text: str, terms: list[tuple[str, str]]
    ) -> None:
        run = hold_terms(Run(text), matcher(*terms))

        sources = {" ".join(re.split(r"\s+", source)).lower() for source, _ in terms}
        assert run.text == text
        assert all(one.end <= other.start for one, other in zip(run.held, run.held[1:], strict=False))
        assert {re.sub(r"\s+", " ", text[held.start : held.end]).lower() for held in run.held} <= sources

    @settings(max_examples=30)
    @given(st.lists(st.sampled_from(["cat", "dog", "catdog", "hot dog", "the", "x"]), max_size=12))
    def test_words_in_a_row_are_found_as_a_look_at_each_place_would_find_them(self, words: list[str]) -> None:
        terms = {"cat": "1", "hot dog": "2", "dog": "3", "dog the cat": "4"}
        text = " ".join(words)
        by_hand = re.findall(r"\b(?:dog the cat|hot dog|cat|dog)\b", text)

        assert [one for one, _ in found(text, *terms.items())] == by_hand


class TestWhichDictionary:
    @pytest.mark.parametrize(
        ("of", "asked", "targets"),
        [
            (EN_DE, EN_DE, ["Bus"]),
            (EN_DE, Pair("en-GB", "de-AT"), ["Bus"]),
            (Pair("en", "de-DE"), EN_DE, ["Bus"]),
            (Pair("en", "pt-BR"), Pair("en", "pt-PT"), []),
            (Pair("en", "zh"), Pair("en", "zh-TW"), []),
            (EN_DE, Pair("de", "en"), []),
        ],
    )
    def test_a_base_language_serves_its_regions_and_a_region_its_base(
        self, of: Pair, asked: Pair, targets: list[str]
    ) -> None:
        glossary = Glossary("one", {of: (Term("bus", "Bus"),)})

        held = hold_terms(Run("a bus"), matcher_for(Wishes(glossaries=(glossary,)), asked)).held

        assert [one.becomes[0] for one in held] == targets

    def test_the_nearer_region_goes_first_and_the_base_fills_in(self) -> None:
        terms = {
            Pair("en", "pt"): (Term("bus", "autocarro"), Term("train", "comboio")),
            Pair("en", "pt-BR"): (Term("bus", "ônibus"),),
        }
        wishes = Wishes(glossaries=(Glossary("one", terms),))

        held = hold_terms(Run("bus train"), matcher_for(wishes, Pair("en", "pt-BR"))).held

        assert [one.becomes[0] for one in held] == ["ônibus", "comboio"]

    def test_terms_of_the_request_go_before_glossaries_and_these_in_their_order(self) -> None:
        first = Glossary("first", {EN_DE: (Term("bus", "1"), Term("train", "1"))})
        second = Glossary("second", {EN_DE: (Term("bus", "2"), Term("train", "2"), Term("car", "2"))})
        wishes = Wishes(terms=(Term("bus", "0"),), glossaries=(first, second))

        held = hold_terms(Run("bus train car"), matcher_for(wishes, EN_DE)).held

        assert [one.becomes[0] for one in held] == ["0", "1", "2"]

    def test_a_glossary_is_made_ready_once(self) -> None:
        wishes = Wishes(glossaries=(Glossary("g", {EN_DE: (Term("bus", "Bus"),)}),))

        assert matcher_for(wishes, EN_DE).dictionaries[0] is matcher_for(wishes, EN_DE).dictionaries[0]

    def test_without_terms_there_is_nothing_to_look_for(self) -> None:
        assert matcher_for(Wishes(glossaries=(Glossary("g", {}),)), EN_DE) == Matcher(())


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("a " * 100_000, [" ".join("a" * length) + " b" for length in range(1, 300, 7)]),
        ("猫" * 200_000, ["猫" * length for length in range(1, 300, 7)]),
        ("." * 200_000 + "Cat", ["cat"]),
        ("\u0301" * 200_000, ["\u0301a"]),
        (" " * 200_000 + "Cat", ["cat"]),
    ],
)
def test_hostile_texts_take_no_longer_than_others(text: str, terms: list[str]) -> None:
    ready = matcher(*((term, "x") for term in terms))
    started = time.process_time()

    hold_terms(Run(text), ready)

    assert time.process_time() - started < 3

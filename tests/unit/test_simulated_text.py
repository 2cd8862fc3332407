"""A pseudo-translation is plainly none, and is like one in everything that software looks at."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman import languages
from dragoman.engines.simulated_text import estimate_tokens, marker, pseudo_logprobs, pseudo_translate
from dragoman.types import Pair

SENTENCE = "Please check the cable before you call our support."


def translated(text: str, target: str = "de", source: str = "en") -> str:
    return pseudo_translate(text, Pair(source, target))


def test_it_opens_with_the_target_in_circled_letters() -> None:
    assert translated(SENTENCE, "de").startswith("ⓓⓔ ")
    assert translated(SENTENCE, "pt-BR").startswith(marker("pt-BR"))


def test_each_target_has_its_own_words() -> None:
    words = {translated(SENTENCE, target).partition(" ")[2] for target in ("de", "fr", "fr-CA", "pt-BR", "ru", "ja")}

    assert len(words) == 6


def test_the_same_word_is_always_translated_alike() -> None:
    assert len(set(translated("cable cable cable").split()[1:])) == 1


@pytest.mark.parametrize(
    "kept", ["{name}", "%s", "%(count)d", "<b>", "</b>", "9:30", "1,299.00", "https://example.org/a?b=1", "a@b.org"]
)
def test_what_must_not_be_translated_stays(kept: str) -> None:
    assert kept in translated(f"Dear {kept}, thank you!")


def test_punctuation_and_capitals_stay() -> None:
    shape = re.sub(r"[a-z]+", "x", translated("Wait: the Train (to Bonn) is late... isn't it?").partition(" ")[2])

    assert re.sub(r"[A-Z]x?", "X", shape) == "X: x X (x X) x x... x'x x?"


@pytest.mark.parametrize("target", ["de", "ja", "ru", "zh-Hant", "th"])
@pytest.mark.parametrize("kept", ["<1>", "</1>", "<1/>", "<x1/>", "[1]", "[/1]", "[x1]", "{1}", "{/1}", "⟦1⟧", "⟦/x1⟧"])
def test_markers_of_every_shape_stay(kept: str, target: str) -> None:
    for text in (f"Dear {kept}, thank you!", f"{kept}{kept}", f"a{kept}b", f"{kept} reads {kept}"):
        assert translated(text, target).count(kept) == text.count(kept)


def test_another_attempt_says_the_same_in_other_words() -> None:
    first, second = (pseudo_translate("Press <1>Start</1> twice.", Pair("en", "de"), attempt) for attempt in (0, 1))

    assert first != second
    assert re.sub(r"\w{2,}", "x", first) == re.sub(r"\w{2,}", "x", second)


@given(st.text(), st.integers(0, 50))
def test_log_probabilities_are_one_a_token_and_those_of_a_model_that_is_fairly_sure(text: str, tokens: int) -> None:
    logprobs = pseudo_logprobs(text, tokens)

    assert len(logprobs) == tokens
    assert logprobs == pseudo_logprobs(text, tokens)
    assert all(-1 < logprob <= 0 for logprob in logprobs)


@pytest.mark.parametrize("locale", [language.code for language in languages.evaluated_languages()])
def test_its_letters_are_those_of_the_target(locale: str) -> None:
    script_names = {"Hans": "CJK", "Hant": "CJK", "Jpan": "CJK", "Kore": "HANGUL", "Deva": "DEVANAGARI"}
    words = translated(SENTENCE, locale).partition(" ")[2]
    written = {unicodedata.name(letter).split()[0] for letter in words if letter.isalpha()} - {"HIRAGANA"}
    script = languages.script(locale)

    assert len(written) == 1
    if script in script_names:
        assert written == {script_names[script]}
    else:
        assert (written == {"LATIN"}) == (script == "Latn")


@pytest.mark.parametrize(("target", "least", "most"), [("de", 1.0, 1.3), ("ar", 0.7, 1.0), ("zh-Hans", 0.2, 0.45)])
def test_its_length_is_that_of_a_translation(target: str, least: float, most: float) -> None:
    length = len(translated(SENTENCE, target).partition(" ")[2])

    assert least <= length / len(SENTENCE) <= most


def test_a_language_without_spaces_gets_none_between_words_and_one_with_spaces_gets_them() -> None:
    assert " " not in translated("check the cable", "ja").partition(" ")[2]
    assert translated("請檢查電纜然後再試一次", "en", source="zh-Hant").count(" ") > 3


@given(st.text(min_size=1), st.sampled_from(["de", "zh-Hans", "hi", "th", "und"]))
def test_any_text_is_translated_and_always_alike(text: str, target: str) -> None:
    once = translated(text, target)

    assert once.startswith(f"{marker(target)} ")
    assert once == translated(text, target)
    assert re.sub(r"\D", "", once) == re.sub(r"\D", "", text)


@pytest.mark.parametrize("end", ["", "@", "<", "{"])
def test_hostile_text_takes_linear_time_and_memory(end: str) -> None:
    assert len(translated("a" * 1_000_000 + end)) < 1_200_000


@pytest.mark.parametrize(
    ("text", "tokens"), [("", 1), ("Please check the cable before you call.", 8), ("请在致电前检查电缆。", 6)]
)
def test_tokens_are_counted_about_right(text: str, tokens: int) -> None:
    assert estimate_tokens(text) == tokens

"""A misbehaving model spoils as many outputs as it is told to, each in a way that real models do, and always alike."""

from __future__ import annotations

import random
import re
import unicodedata
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.engines.simulated_mischief import FAULTS, MARKERS, NO_MISCHIEF, Mischief, Said, read_mischief
from dragoman.engines.simulated_text import pseudo_translate
from dragoman.errors import ConfigurationError
from dragoman.types import Pair

MARKED = "Press <1>Start</1> twice. Then wait for {2} minutes, please."
SHAPES = ("<1/>", "<1>", "</1>", "<x1/>", "[1]", "[/1]", "{1}", "{/1}", "⟦1⟧", "⟦/1⟧")


def said(source: str = MARKED, target: str = "de", lot: int = 0) -> Said:
    pair = Pair("en", target)
    return Said(source, pseudo_translate(source, pair), pair, random.Random(lot))


def suffered(fault: str, source: str = MARKED, target: str = "de", lot: int = 0) -> str:
    return FAULTS[fault](said(source, target, lot))


def markers(text: str) -> Counter[str]:
    return Counter(MARKERS.findall(text))


def words(text: str) -> str:
    return re.sub(r"\s+", " ", MARKERS.sub("", text))


def scripts(text: str) -> set[str]:
    return {unicodedata.name(letter).split()[0] for letter in text if letter.isalpha()}


@pytest.mark.parametrize("shape", SHAPES)
def test_markers_of_every_shape_are_known(shape: str) -> None:
    assert MARKERS.findall(f"a {shape}b ({shape})") == [shape, shape]


@pytest.mark.parametrize("text", ["<b>", "[x]", "{name}", "{}", "a < 1 > 0", "(1)", "1", "<1", "⟦⟧"])
def test_what_is_no_marker_is_left_alone(text: str) -> None:
    assert MARKERS.findall(text) == []


@pytest.mark.parametrize("lot", range(5))
@pytest.mark.parametrize("shape", SHAPES)
def test_a_marker_is_dropped_doubled_translated_or_reformatted_and_nothing_else(shape: str, lot: int) -> None:
    source = f"Wait for {shape} minutes."
    good = said(source).output

    assert markers(suffered("drop_marker", source, lot=lot)) == Counter()
    assert suffered("double_marker", source, lot=lot) == good.replace(shape, 2 * shape)
    for fault in ("translate_marker", "reformat_marker"):
        before, after = good.split(shape)
        spoiled = suffered(fault, source, lot=lot)
        assert spoiled.startswith(before)
        assert spoiled.endswith(after)
        assert shape not in spoiled


def test_a_reformatted_marker_keeps_its_number_and_a_translated_one_does_not() -> None:
    looks = {suffered("reformat_marker", "Wait for <7/> minutes.", lot=lot) for lot in range(40)}

    assert len(looks) > 4
    assert all("7" in look for look in looks)
    assert "7" not in suffered("translate_marker", "Wait for <7/> minutes.")


def test_swapped_markers_are_the_same_ones_in_other_places() -> None:
    for lot in range(10):
        good, swapped = said().output, suffered("swap_markers", lot=lot)

        assert swapped != good
        assert markers(swapped) == markers(good)
        assert words(swapped) == words(good)


@pytest.mark.parametrize("text", ["No markers here.", "<1/> and <1/> are one and the same."])
def test_markers_that_cannot_be_told_apart_cannot_be_swapped(text: str) -> None:
    assert suffered("swap_markers", text) == said(text).output


@pytest.mark.parametrize("target", ["de", "ja", "th"])
@pytest.mark.parametrize("text", [MARKED, "Good morning to all of you", "Yes."])
def test_an_output_that_stops_early_is_the_beginning_of_the_good_one(text: str, target: str) -> None:
    good = said(text, target).output
    for lot in range(5):
        cut = suffered("stop_early", text, target, lot)

        assert good.startswith(cut)
        assert len(cut) < len(good)


def test_of_several_sentences_whole_ones_are_left_out() -> None:
    assert {suffered("stop_early", "One two. Three four! Five six.", lot=lot)[-1] for lot in range(5)} == {".", "!"}


@pytest.mark.parametrize(("target", "repeated"), [("de", r"( \S+ \S+ \S+)\1{7,}$"), ("ja", r"(.{4})\1{7,}$")])
def test_a_loop_says_the_good_output_and_its_last_words_over_and_over(target: str, repeated: str) -> None:
    source = "Please wait for a minute."
    looping = suffered("loop", source, target)

    assert looping.startswith(said(source, target).output)
    assert re.search(repeated, looping)


def test_chatter_has_the_good_output_inside() -> None:
    said_ = {suffered("chatter", lot=lot) for lot in range(30)}

    assert len(said_) > 3
    assert all(said().output in chatter and chatter != said().output for chatter in said_)


@pytest.mark.parametrize(
    ("target", "written"), [("ru", {"LATIN"}), ("ja", {"LATIN"}), ("ar", {"LATIN"}), ("de", {"CYRILLIC"})]
)
def test_the_wrong_script_is_another_one_and_keeps_the_markers(target: str, written: set[str]) -> None:
    wrong = suffered("wrong_script", target=target)

    assert scripts(MARKERS.sub("", wrong)) == written
    assert markers(wrong) == markers(MARKED)


def test_traditional_chinese_comes_out_simplified_and_the_other_way_round() -> None:
    simplified, traditional = suffered("wrong_script", target="zh-Hant"), suffered("wrong_script", target="zh-Hans")

    assert set("国门车书东长马鸟鱼龙") & set(simplified)
    assert not set("國門車書東長馬鳥魚龍") & set(simplified)
    assert set("國門車書東長馬鳥魚龍學說話時間") & set(traditional)
    assert not set("国门车书东长马鸟鱼龙学说话时间") & set(traditional)


def test_an_echo_is_the_source_and_an_empty_output_nothing() -> None:
    assert (suffered("echo"), suffered("empty")) == (MARKED, "")


# Rates


def spoiled(
    mischief: Mischief, *, attempt: int = 0, seed: int = 0, template: str = "Room <{}/> is free."
) -> list[bool]:
    pair, spoiled = Pair("en", "de"), []
    for number in range(1000):
        source = template.format(number)
        good = pseudo_translate(source, pair)
        spoiled.append(mischief.done_to(good, source, pair, attempt=attempt, seed=seed) != good)
    return spoiled


@pytest.mark.parametrize("template", ["Room <{}/> is free.", "Room {} is free."])
def test_as_many_outputs_are_spoiled_as_the_rate_says_with_and_without_markers(template: str) -> None:
    assert sum(spoiled(Mischief(rate=0.2), template=template)) == pytest.approx(200, abs=40)
    assert sum(spoiled(Mischief(rate=1.0), template=template)) == 1000
    assert sum(spoiled(NO_MISCHIEF, template=template)) == 0


def test_a_named_rate_is_that_of_this_fault_among_the_outputs_that_it_can_strike() -> None:
    mischief = read_mischief("drop_marker:0.3,echo:0.1")

    assert sum(spoiled(mischief)) == pytest.approx(400, abs=50)
    assert sum(spoiled(mischief, template="Room {} is free.")) == pytest.approx(100, abs=35)


def test_runs_repeat_and_another_attempt_or_seed_spoils_others() -> None:
    mischief = Mischief(rate=0.5)
    first = spoiled(mischief)

    assert first == spoiled(mischief)
    assert sum(was and not is_ for was, is_ in zip(first, spoiled(mischief, attempt=1), strict=True)) > 150
    assert first != spoiled(mischief, seed=1)


@settings(max_examples=60)
@given(st.text(min_size=1, max_size=60), st.sampled_from(["de", "ja", "zh-Hant", "und"]), st.integers(0, 99))
def test_any_text_can_be_spoiled(text: str, target: str, seed: int) -> None:
    pair = Pair("en", target)
    good = pseudo_translate(text, pair)

    assert Mischief(rate=1.0).done_to(good, text, pair, attempt=0, seed=seed) != good


@pytest.mark.parametrize("text", ["a" * 500_000, "." * 500_000, "<1" * 250_000, "word " * 100_000, "[1]" * 100_000])
def test_hostile_text_is_spoiled_in_linear_time(text: str) -> None:
    case = Said(text, text, Pair("en", "de"), random.Random(0))

    for fault in FAULTS.values():
        assert len(fault(case)) < 12_000_000


@pytest.mark.parametrize(
    ("text", "mischief"),
    [
        ("0", NO_MISCHIEF),
        ("0.1", Mischief(rate=0.1)),
        ("loop:0.05", Mischief(rates=(("loop", 0.05),))),
        ("loop:0.5, echo:0.5", Mischief(rates=(("loop", 0.5), ("echo", 0.5)))),
    ],
)
def test_it_is_read_from_one_rate_or_from_several(text: str, mischief: Mischief) -> None:
    assert read_mischief(text) == mischief


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("much", "0 to 1"),
        ("1.5", "0 to 1"),
        ("nan", "0 to 1"),
        ("", "0 to 1"),
        ("loop:", "0 to 1"),
        ("lop:0.1", "there are the faults drop_marker, .* empty"),
        ("loop:0.1,loop:0.1", "twice"),
        ("loop:0.6,echo:0.6", "more than 1"),
    ],
)
def test_what_is_no_rate_is_refused_with_a_right_one(text: str, why: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"{why}.*drop_marker:0.1,loop:0.05"):
        read_mischief(text)

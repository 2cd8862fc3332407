"""The script of letters, and outputs that are turned into the script that was asked for."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman import languages
from dragoman.text.script import in_script, letters_of, script_of


@pytest.mark.parametrize(
    ("character", "script"),
    [
        ("a", "LATIN"), ("ß", "LATIN"), ("ａ", "LATIN"), ("Ж", "CYRILLIC"), ("字", "CJK"), ("々", "CJK"),
        ("ー", "KATAKANA"), ("ｱ", "KATAKANA"),
        ("の", "HIRAGANA"), ("한", "HANGUL"), ("ि", "DEVANAGARI"), ("ع", "ARABIC"), ("𠀀", "CJK"),
        ("µ", ""), ("1", ""), ("、", ""), ("・", ""), ("😀", ""), ("\ud800", ""), ("\x00", ""),
    ],
)  # fmt: skip
def test_a_letter_has_the_script_that_unicode_names(character: str, script: str) -> None:
    assert script_of(character) == script


def test_every_language_has_letters() -> None:
    assert all(letters_of(language.code) for language in languages.all_languages())


@pytest.mark.parametrize(
    ("output", "language", "converted"),
    [
        ("这是一个软件，里面有头发。", "zh-TW", "這是一個軟件，裡面有頭髮。"),
        ("这是一个软件，里面有头发。", "zh-Hant", "這是一個軟件，裡面有頭髮。"),
        ("这是一个软件，里面有头发。", "zh-HK", "這是一個軟件，裏面有頭髮。"),
        ("皇后后来发展了头发事业", "zh-TW", "皇后後來發展了頭髮事業"),
        ("這裡有一個 Python 軟體", "zh", "这里有一个 Python 软体"),
        ("這裡有一個 Python 軟體", "zh-Hans-SG", "这里有一个 Python 软体"),
        ("这\x00这\ud800这", "zh-TW", "這\x00這\ud800這"),
        ("Његова љубав", "sr-Latn", "Njegova ljubav"),
        ("ЉУБАВ и Џез", "sr-Latn", "LJUBAV i Džez"),
    ],
)
def test_the_other_script_is_converted_and_noted(output: str, language: str, converted: str) -> None:
    text, finding = in_script(output, language)
    assert converted == text
    assert finding is not None
    assert finding.kind == "script_converted"


@pytest.mark.parametrize(
    ("output", "language"),
    [
        ("這是一個軟體，裡面有頭髮。", "zh-TW"),
        ("台灣的公里與皇后", "zh-TW"),
        ("着裏户", "zh-HK"),
        ("这是一个软件。", "zh"),
        ("陶喆和王堃", "zh"),
        ("这", "ja"),
        ("Његова љубав", "sr"),
        ("Njegova ljubav", "sr-Cyrl"),
        ("Объект", "sr-Latn"),  # Russian: it would come out half converted
        ("Hello", "zh-TW"),
        ("", "zh-TW"),
    ],
)
def test_whatever_is_right_or_cannot_be_converted_stays(output: str, language: str) -> None:
    assert in_script(output, language) == (output, None)


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet=st.characters(), max_size=30), st.sampled_from(["zh-TW", "zh-HK", "zh", "sr-Latn", "de"]))
def test_a_converted_text_is_not_converted_again(text: str, language: str) -> None:
    once, _ = in_script(text, language)
    assert in_script(once, language)[0] == once


def test_a_megabyte_is_converted_in_its_share_of_time() -> None:
    converted, _ = in_script("这\x00" * 100_000, "zh-TW")
    assert converted == "這\x00" * 100_000

"""What a chat model says around a translation is told from the translation, and taken away."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.text.checks import check, without_chatter
from dragoman.types import Pair

SOURCE = "The shop is closed today."
SAID = {"de": "Der Laden ist heute geschlossen.", "fr": "Le magasin est fermé aujourd'hui.", "ja": "本日は閉店です。"}


def has_chatter(source: str, output: str, target: str) -> bool:
    return "chatter" in {each.kind for each in check(source, output, Pair("en", target))}


@pytest.mark.parametrize(
    ("target", "before", "after"),
    [
        ("de", "Here is the translation: ", ""),
        ("de", "Here's the German version:\n\n", ""),
        ("de", "Sure! Here is your translation:\n", ""),
        ("de", "Translation: ", ""),
        ("de", "**Translation:** ", ""),
        ("de", "German: ", ""),
        ("de", "German (de): ", ""),
        ("de", "Deutsch: ", ""),
        ("de", "Hier ist die Übersetzung: ", ""),
        ("de", "Übersetzung:\n", ""),
        ("fr", "Voici la traduction : ", ""),
        ("fr", "Traduction : ", ""),
        ("ja", "翻訳：", ""),
        ("ja", "以下は翻訳です：", ""),
        ("ja", "日本語：", ""),
        ("de", "", " (Note: this is the formal form.)"),
        ("de", "", " (Anmerkung: wörtlich „zu“)"),
        ("ja", "", "（注：丁寧な表現です）"),
        ("de", "", "\n\nNote: this is the formal form."),
        ("fr", "", "\n\n**Explanation:** « fermé » is an adjective.\nIt agrees with the noun."),
        ("de", "```\n", "\n```"),
        ("de", "```text\n", "\n```"),
        ("de", "„", "“"),
        ("fr", "« ", " »"),
        ("ja", "「", "」"),
        ("de", '"', '"'),
        ("de", "**", "**"),
        ("de", 'Sure, here it is: "', '"'),
        ("de", "```\nTranslation: ", "\n```"),
    ],
)
def test_it_is_found_and_taken_away(target: str, before: str, after: str) -> None:
    output = before + SAID[target] + after
    assert has_chatter(SOURCE, output, target)
    assert without_chatter(SOURCE, output, target) == SAID[target]


@pytest.mark.parametrize(
    ("source", "output", "target"),
    [
        ("Translation: English", "Übersetzung: Englisch", "de"),
        ("Note: the disk is full", "Hinweis: Die Platte ist voll", "de"),
        ("Sure, no problem", "Bien sûr, pas de problème", "fr"),
        ("Here are the files: a, b", "Here: a, b", "fr"),
        ("The price (note: net)", "Der Preis (Hinweis: netto)", "de"),
        ('"Closed"', "„Geschlossen“", "de"),
        ("It's called 'Moby Dick'", "« Moby Dick »", "fr"),
        ("The `code` is here", "`code`", "de"),
        ("Language: German", "Sprache: Deutsch", "de"),
        ("Translate this page", "Diese Seite übersetzen", "de"),
        ("one\ntwo", "eins\nzwei", "de"),
    ],
)
def test_what_the_source_has_too_is_no_chatter(source: str, output: str, target: str) -> None:
    assert not has_chatter(source, output, target)
    assert without_chatter(source, output, target) == output


@pytest.mark.parametrize(
    "output",
    [
        "I'm sorry, but I cannot provide a translation for this text.",
        "Der Laden ist heute geschlossen.\nHeute hat der Laden zu.",
        "Der Laden ist heute geschlossen. " + "Das bedeutet, dass man nichts kaufen kann. " * 3,
        "Here is the translation:",
    ],
)
def test_chatter_that_cannot_be_told_from_the_translation_is_found_and_stays(output: str) -> None:
    assert has_chatter(SOURCE, output, "de")
    assert without_chatter(SOURCE, output, "de") == output


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet='ab:(Note)"“„` \n', max_size=40), st.text(alphabet='ab:(Note)"“„` \n', max_size=60))
def test_words_are_never_all_taken_and_what_is_left_stood_in_the_output(source: str, output: str) -> None:
    left = without_chatter(source, output, "de")
    assert left in output
    assert any(map(str.isalnum, left)) == any(map(str.isalnum, output))

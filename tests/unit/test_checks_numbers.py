"""Numbers come back as they were, in whatever way the language writes them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.text.checks.numbers import number
from dragoman.types import Pair

PAIR = Pair("en", "de")


@pytest.mark.parametrize(
    ("source", "output"),
    [
        ("It costs 1,000.50 dollars", "Es kostet 1.000,50 Dollar"),
        ("It costs 1,234,567 dollars", "Cela coûte 1 234 567 dollars"),
        ("10,000 people", "10'000 Personen"),
        ("12,34,567 rupees", "1,234,567 Rupien"),
        ("15 members of 240", "240 में से 15 सदस्य"),
        ("15 members of 240", "١٥ عضوا من ٢٤٠"),
        ("15 members", "１５名"),
        ("2 files", "zwei Dateien"),
        ("twelve files", "12 Dateien"),
        ("the last twenty years", "die letzten 20 Jahre"),
        ("twenty-four hours", "24 Stunden"),
        ("May 3, 2024", "3. Mai 2024"),
        ("12/31/2024", "31.12.2024"),
        ("May 3, 2024", "2024年5月3日"),
        ("at 3:30 pm", "um 15:30 Uhr"),
        ("at 17:00", "a las 5:00 p. m."),
        ("at 15:30", "下午三點半"),
        ("30 members", "三十名委員"),
        ("the 19th century", "le XIXe siècle"),
        ("the 19th century", "XIX век"),
        ("Louis XIV", "Ludwig 14"),
        ("the 1990s", "die 90er"),
        ("1.5 million people", "150万人"),
        ("2.5 million people", "2 500 000 personas"),
        ("5 thousand", "5000 Tausend"),
        ("see page 007", "siehe Seite 7"),
        ("no numbers", "keine Zahlen"),
    ],
)
def test_other_ways_to_write_a_number_pass(source: str, output: str) -> None:
    assert number(source, output, PAIR) is None


@pytest.mark.parametrize(
    ("source", "output", "named"),
    [
        ("It costs 1,500 dollars", "Es kostet 1.300 Dollar", "1500"),
        ("It takes 45 minutes", "Es dauert einige Minuten", "45"),
        ("It takes some minutes in 2024", "Es dauert 45 Minuten im Jahr 2024", "45"),
        ("at most 150 characters", "最大15文字", "150"),
        ("3 of the members", "5 der Mitglieder", "3"),
        ("240 members", "٢٥٠ عضوا", "250"),
        ("born in 1987", "родился в 1978 году", "1987"),
        ("call 555 0199", "appelez le 555 0198", "199"),
        ("nobody came", "1234 kamen nicht", "1234"),
    ],
)
def test_a_lost_or_invented_number_is_found_and_named(source: str, output: str, named: str) -> None:
    found = number(source, output, PAIR)
    assert found is not None
    assert found.kind == "number"
    assert named in found.message


@settings(max_examples=50)
@given(st.lists(st.integers(13, 99_999), max_size=8))
def test_order_does_not_matter(numbers: list[int]) -> None:
    words = " and ".join(map(str, numbers))
    assert number(words, " und ".join(map(str, reversed(numbers))), PAIR) is None


def test_a_number_of_any_length_is_compared() -> None:
    digits = "9" * 5000  # more than Python makes an int of
    assert number(digits, digits, PAIR) is None
    assert number(digits, digits + "1", PAIR) is not None

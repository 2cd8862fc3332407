"""How many tokens a text costs a model of the Gemma family, estimated without its tokenizer."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate

# What one character costs, in hundredths of a token, from each code point up to the next one listed. Whatever has no
# vocabulary of its own falls apart into its UTF-8 bytes, one token each.
_COSTS = (
    (0x0000, 100),
    (0x0020, 5),  # a space is part of the word after it
    (0x0021, 70),
    (0x0030, 100),  # every digit is a token
    (0x003A, 70),
    (0x0041, 50),
    (0x005B, 70),
    (0x0061, 30),
    (0x007B, 70),
    (0x007F, 100),
    (0x00C0, 60),  # Latin letters with marks
    (0x0250, 100),
    (0x0370, 45),  # Greek
    (0x0400, 45),  # Cyrillic
    (0x0530, 65),  # Armenian
    (0x0590, 50),  # Hebrew
    (0x0600, 45),  # Arabic
    (0x0700, 100),  # Syriac, Thaana
    (0x07C0, 200),
    (0x0900, 35),  # Devanagari, Bengali
    (0x0A00, 55),  # Gurmukhi
    (0x0A80, 40),  # Gujarati
    (0x0B00, 75),  # Odia
    (0x0B80, 35),  # Tamil
    (0x0C00, 42),  # Telugu, Kannada, Malayalam
    (0x0D80, 50),  # Sinhala
    (0x0E00, 38),  # Thai
    (0x0E80, 68),  # Lao
    (0x0F00, 75),  # Tibetan
    (0x1000, 52),  # Burmese, Georgian
    (0x1100, 100),
    (0x1200, 75),  # Ethiopic
    (0x13A0, 120),  # Cherokee, Canadian syllabics
    (0x1680, 300),
    (0x1780, 58),  # Khmer
    (0x1800, 150),  # Mongolian
    (0x18B0, 300),
    (0x1E00, 60),  # Latin letters with two marks, as in Vietnamese
    (0x1F00, 100),
    (0x2000, 100),  # punctuation and symbols
    (0x2C00, 300),
    (0x3000, 75),
    (0x3040, 55),  # kana
    (0x3100, 300),
    (0x4E00, 75),  # Han
    (0xA000, 300),
    (0xAC00, 65),  # Hangul
    (0xD7B0, 300),
    (0xFF00, 100),
    (0x10000, 400),
    (0x1F000, 150),  # emoji
    (0x20000, 400),
)
_STARTS = [start for start, _ in _COSTS]
TOKEN_COST = 100


class _CharacterCosts(dict[str, int]):
    """Cost by character, filled as characters are met; those beyond U+FFFF are not kept, so that it stays small."""

    def __missing__(self, character: str) -> int:
        cost = _COSTS[bisect_right(_STARTS, ord(character)) - 1][1]
        if character <= "\uffff":
            self[character] = cost
        return cost


_character_cost = _CharacterCosts().__getitem__


def estimate_tokens(text: str) -> int:
    """Return about how many tokens `text` costs, on the high side; 0 only for "".

    A sum over characters, by script, so a part never costs more than the whole. Against Gemma 3's own tokenizer, on
    a sentence or two of prose in 43 languages: 0.76 to 1.53 times the truth but for Welsh (0.67), the median 1.08.
    English is 1.5, German 1.3, Chinese 1.2, Arabic 1.3, Hindi 1.2, Thai 1.1, Japanese 1.1, Finnish and Korean 1.0,
    Swahili 0.9, Icelandic 0.76: Latin letters are priced for languages that the vocabulary knows less well than
    English. Letters in no language's order are the worst, 0.5.
    """
    return -(-total_cost(text) // TOKEN_COST)


def total_cost(text: str) -> int:
    """Return what `text` costs in hundredths of a token."""
    return sum(map(_character_cost, text))


def running_cost(text: str) -> list[int]:
    """Return the cost of every beginning of `text` in hundredths of a token: len(text) + 1 rising numbers from 0."""
    return list(accumulate(map(_character_cost, text), initial=0))

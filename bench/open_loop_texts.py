"""Sentences without end, each different from all others, so that no memory and no flight can spare the engine one."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from bench.sentences import SENTENCES

_numbers = itertools.count(1)


def sentence(number: int) -> str:
    """The sentence of this number, always the same one; some 20 tokens long, and one segment."""
    return f"Order {number:07d}: {SENTENCES[number % len(SENTENCES)]}"


def new_sentences(count: int) -> list[str]:
    """So many sentences that no one in this process was given before."""
    return [sentence(number) for number in itertools.islice(_numbers, count)]


def new_notes(count: int) -> list[str]:
    """The same with texts of some six tokens, where the engine is not what shall take the time."""
    return [f"Order {number:07d} has arrived." for number in itertools.islice(_numbers, count)]


def endless_sentences() -> Iterator[str]:
    """New sentences, one at a time."""
    return map(sentence, _numbers)

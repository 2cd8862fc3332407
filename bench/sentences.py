"""Ordinary English sentences, many and all different, for benches."""

from __future__ import annotations

from itertools import product

_WHO = ("The customer", "My neighbour", "Our new colleague", "The technician", "Her brother", "The shop")
_DOES = (
    "ordered a blue jacket",
    "returned the broken kettle",
    "asked about the delivery date",
    "repaired the washing machine",
    "sent three photos of the parcel",
    "found a cheaper pair of shoes",
)
_WHEN = (
    "last Monday.",
    "two weeks ago, before the holidays.",
    "this morning, and we are still waiting for an answer.",
    "in March, although the warranty had ended.",
    "without saying a word about the price.",
)

SENTENCES = tuple(f"{who} {does} {when}" for who, does, when in product(_WHO, _DOES, _WHEN))

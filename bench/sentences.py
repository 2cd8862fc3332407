"""Ordinary English sentences, and short labels as a catalogue has them: many and all different, for benches."""

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

_COLOURS = ("Red", "Blue", "Black", "White", "Green", "Brown", "Grey", "Yellow")
_THINGS = (
    "leather shoes",
    "kitchen chair",
    "winter jacket",
    "wool scarf",
    "desk lamp",
    "school bag",
    "tea cup",
    "door",
)

LABELS = tuple(f"{colour} {thing}" for colour, thing in product(_COLOURS, _THINGS))

"""Languages so near to each other that a text may be right in both, or be taken for the other."""

from __future__ import annotations

from functools import cache

from dragoman import languages

_FAMILIES = (
    {"da", "nb", "nn", "no"},
    {"bs", "hr", "sr"},
    {"cs", "sk"},
    {"gl", "pt"},
    {"id", "ms", "jv", "su"},
    {"fil", "tl"},
    {"bg", "mk"},
    {"az", "tr"},
    {"ga", "gd"},
    {"xh", "zu"},
    {"rw", "rn"},
    {"hi", "mr", "ne"},
    {"ba", "tt"},
    {"fo", "is"},
)


@cache
def are_near(one: str, other: str) -> bool:
    """Say whether they are one language or near ones: Danish and Norwegian, Czech and Slovak."""
    bases = {languages.base(one), languages.base(other)}
    return len(bases) == 1 or any(bases <= family for family in _FAMILIES)

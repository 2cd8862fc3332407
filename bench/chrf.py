"""chrF, how alike two texts are by their character n-grams (Popović, 2015), counted as sacrebleu does by default."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import fmean

MAX_LENGTH = 6
BETA = 2.0
"""How much more recall counts than precision."""


def chrf(pairs: Sequence[tuple[str, str]]) -> float:
    """0 to 100 for outputs, each with its reference, over the whole corpus; white space does not count."""
    precisions: list[float] = []
    recalls: list[float] = []
    for length in range(1, MAX_LENGTH + 1):
        counted = [(_grams(output, length), _grams(reference, length)) for output, reference in pairs]
        matching = sum((found & wanted).total() for found, wanted in counted)
        found_count = sum(found.total() for found, _ in counted)
        wanted_count = sum(wanted.total() for _, wanted in counted)
        if found_count and wanted_count:
            precisions.append(matching / found_count)
            recalls.append(matching / wanted_count)
    return _f_score(fmean(precisions), fmean(recalls)) if precisions else 0.0


def _grams(text: str, length: int) -> Counter[str]:
    letters = "".join(text.split())
    return Counter(letters[start : start + length] for start in range(len(letters) - length + 1))


def _f_score(precision: float, recall: float) -> float:
    weighted = BETA**2 * precision + recall
    return 100 * (1 + BETA**2) * precision * recall / weighted if weighted else 0.0

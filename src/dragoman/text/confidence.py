"""How sure one may be of a translation: what its model thought of it, and what the checks found."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from dragoman.types import Finding, FindingKind

# What is left of the confidence after a finding of each kind: little where hardly anything of the text can be right,
# most where a reader may not mind, all where the text is as it should be.
FACTORS: Mapping[FindingKind, float] = {
    "empty": 0.0,
    "echo": 0.2,
    "wrong_language": 0.2,
    "wrong_script": 0.3,
    "loop": 0.3,
    "truncated": 0.4,
    "control_token": 0.5,
    "number": 0.5,
    "placeholder": 0.5,
    "chatter": 0.6,
    "untranslated": 0.2,
    "unbalanced": 0.9,
    "formality_ignored": 0.9,
    "repaired": 0.9,
    "script_converted": 1.0,
}


def score(logprobs: Sequence[tuple[float, int]], findings: Iterable[Finding]) -> float:
    """The geometric mean of the tokens' probabilities times a factor for each kind of finding, 0 to 1.

    `logprobs` holds, for each segment, the mean natural logarithm of its tokens' probabilities and how many they are;
    a count of 0 (unknown) weighs as one. Without segments nothing can have been mistranslated: only findings count.
    """
    tokens = sum(max(count, 1) for _, count in logprobs)
    total = sum(min(logprob, 0.0) * max(count, 1) for logprob, count in logprobs)
    return math.exp(total / max(tokens, 1)) * math.prod(
        FACTORS[kind] for kind in sorted({each.kind for each in findings})
    )

"""How much a model may write for one segment."""

from __future__ import annotations

_LEAST_TOKENS = 64
_TOKENS_PER_CHARACTER = 2
_SPARE_TOKENS = 32


def output_tokens(text: str, most: int) -> int:
    """`min(most, max(64, 2 * characters + 32))`: the cap in use with TranslateGemma, far above any true translation.

    It is there to end loops; an answer that reaches it is no translation.
    """
    return min(most, max(_LEAST_TOKENS, _TOKENS_PER_CHARACTER * len(text) + _SPARE_TOKENS))

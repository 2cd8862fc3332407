"""Control tokens of language models that came out as text."""

from __future__ import annotations

import re

from dragoman.types import Finding, Pair

# Only what can be nothing else: `<s>` is HTML, `[INST]` may be an abbreviation.
_CONTROL = re.compile(
    r"<(?:bos|eos|pad|unk|mask|unused\d{1,4}|(?:start|end)_of_(?:turn|image|audio))>"
    r"|<\|[a-z][a-z0-9_]{1,30}\|>"
    r"|<｜[^｜<>]{1,30}｜>"
)


def control_token(source: str, output: str, pair: Pair) -> Finding | None:
    """A control token stands in the output and not in the source."""
    stray = next((token[0] for token in _CONTROL.finditer(output) if token[0] not in source), None)
    return None if stray is None else Finding("control_token", f"A control token came out as text: {stray}")

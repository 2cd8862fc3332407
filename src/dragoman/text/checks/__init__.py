"""What can be said against a translation without knowing the language: pure functions from texts to findings.

Each looks for one fault, on words without markers (one sentence or label), and is made to keep quiet about what people
write: on the translations in Django's catalogues in ten languages each fires on fewer than 1 in 100. All take time in
proportion to the length of the texts, and any str.
"""

from __future__ import annotations

from dragoman.text.checks.balance import unbalanced
from dragoman.text.checks.chatter import chatter, without_chatter
from dragoman.text.checks.echo import echo, empty
from dragoman.text.checks.language import wrong_language, wrong_script
from dragoman.text.checks.length import cut_short
from dragoman.text.checks.loops import loop
from dragoman.text.checks.numbers import number
from dragoman.text.checks.tokens import control_token
from dragoman.types import Finding, Pair

__all__ = ["check", "without_chatter"]

_CHECKS = (echo, chatter, wrong_script, wrong_language, loop, number, control_token, unbalanced)


def check(source: str, output: str, pair: Pair, *, truncated: bool = False) -> tuple[Finding, ...]:
    """Everything that is wrong with `output` as a translation of `source`, at most one finding of a kind.

    `truncated` says that the engine ran into its output limit. Chinese in the wrong script is not looked for here:
    `script.in_script` converts it.
    """
    if nothing := empty(source, output):
        return (nothing,)
    short = Finding("truncated", "The engine reached its output limit.") if truncated else None
    found = (short or cut_short(source, output, pair), *(each(source, output, pair) for each in _CHECKS))
    return tuple(finding for finding in found if finding is not None)

"""From a prompt back to what it asks: which text, from which language, into which.

A real model reads any prompt. This one reads Dragoman's three styles, and takes every other prompt whole for the text.
"""

from __future__ import annotations

import re
from functools import cache

from dragoman import languages
from dragoman.engines.simulated import Work
from dragoman.engines.simulated_text import estimate_tokens
from dragoman.errors import UnknownLanguage
from dragoman.prompts.exemplar_sentences import SENTENCES
from dragoman.types import Pair

UNKNOWN = "und"
"""The standard's code for a language that nobody determined."""

_STYLES = (
    # TranslateGemma's form, as a raw prompt or as the turn alone
    re.compile(
        r"\bprofessional [^\n]*? \((?P<source>[\w-]+)\) to [^\n]*? \((?P<target>[\w-]+)\) translator\..*?\n\n\n"
        r"(?P<text>.*?)(?:<end_of_turn>\s*(?:<start_of_turn>model\s*)?)?\Z",
        re.DOTALL,
    ),
    # the request for chat models
    re.compile(
        r"\ATranslate the [^\n]*? \((?P<source>[\w-]+)\) text below into [^\n]*? \((?P<target>[\w-]+)\)\.[^\n]*\n\n"
        r"(?:Between the two fences [^\n]*\n---\n[^\n]*\n---\n\n)?(?P<text>.*)\Z",
        re.DOTALL,
    ),
    # the examples for base models
    re.compile(
        r"\ATranslate from (?P<source>[^\n]+?) to (?P<target>[^\n]+?)\.\n\n(?:.*\n\n)?"
        r"(?P=source): (?P<text>[^\n]*)\n(?P=target):\s*\Z",
        re.DOTALL,
    ),
)


def read_prompt(
    prompt: str,
    *,
    max_tokens: int | None = None,
    stop: tuple[str, ...] = (),
    attempt: int = 0,
    logprob: bool = False,
) -> Work:
    """Return the work that `prompt` asks for. What stands before the text is the prefix that others may share."""
    asked = next(filter(None, (style.search(prompt) for style in _STYLES)), None)
    start = asked.start("text") if asked else 0
    prefix = prompt[:start]
    return Work(
        text=asked["text"] if asked else prompt,
        pair=Pair(_code(asked["source"]), _code(asked["target"])) if asked else Pair(UNKNOWN, UNKNOWN),
        prefix=prefix,
        prefix_tokens=estimate_tokens(prefix) if prefix else 0,
        prompt_tokens=estimate_tokens(prompt),
        max_tokens=max_tokens,
        stop=stop,
        attempt=attempt,
        logprob=logprob,
    )


def attempt_of(temperature: float, seed: int | None) -> int:
    """Which of a text's translations is asked for: at temperature 0 the first, else the one of this seed."""
    return (seed or 0) if temperature > 0 else 0


def _code(said: str) -> str:
    """The canonical code for a code, or for an English name as the examples use it: `German`, `German (de-AT)`."""
    code = _code_of_name().get(said) or said.rpartition("(")[2].rstrip(")")
    try:
        return languages.resolve(code)
    except UnknownLanguage:
        return UNKNOWN


@cache
def _code_of_name() -> dict[str, str]:
    return {languages.english_name(code): languages.base(code) for code in SENTENCES}

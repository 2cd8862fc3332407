"""ICU messages whose wording depends on a number or a keyword: `{count, plural, one {# file} other {# files}}`.

Only their outline is read: where a message ends and where the bodies of its branches are, which are texts of their own.
Apostrophes quote as ICU's default mode has it: `''` is an apostrophe, and one before a brace or `#` begins a stretch
that is literal up to the next one. Everywhere else an apostrophe is just that.
(https://unicode-org.github.io/icu/userguide/format_parse/messages/)
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from dragoman.text.parts import Spelling

WORDS = Spelling((("{", "'{'"), ("}", "'}'")))
"""How the words of a branch are written: their braces begin nothing."""

HEAD = re.compile(
    r"\{\s*+[\w.-]{1,100}+\s*+,\s*+(?P<type>plural|selectordinal|select)\s*+,\s*+(?:offset:\s*+\d{1,9}+\s*+)?"
)
"""How such a message begins, up to its first branch."""

_BRANCH = re.compile(r"\s*+(?:=\d{1,9}+|[^\s{}#'=,]{1,100}+)\s*+\{")
_CLOSE = re.compile(r"\s*+\}")
_TOKEN = re.compile(r"''|'[{}#][^']*+(?:''[^']*+)*+'?|[{}#]")
# An attempt that fails may have read to the end of the text. After this many the rest is no text in this format.
_MOST_FAILURES = 10


class Message(Struct, frozen=True):
    """A message at `text[start:end]`, and where the bodies of its branches are.

    With `counts`, a `#` in a body stands for the number.
    """

    start: int
    end: int
    counts: bool
    bodies: tuple[tuple[int, int], ...]


def messages(text: str) -> Iterator[Message]:
    """Every well-formed plural, selectordinal and select of the text, the outermost ones only."""
    end = failures = 0
    for head in HEAD.finditer(text):
        if head.start() < end:
            continue
        message = _read(text, head)
        if message is not None:
            yield message
            end = message.end
        elif (failures := failures + 1) == _MOST_FAILURES:
            return


def syntax_in(body: str, *, counts: bool) -> Iterator[tuple[int, int]]:
    """What is no words in the body of a branch: arguments, quoted stretches and, with `counts`, each `#`."""
    depth = start = 0
    for token in _TOKEN.finditer(body):
        if token.group() == "{":
            start = start if depth else token.start()
            depth += 1
        elif token.group() == "}":
            depth -= 1
            if depth == 0:
                yield start, token.end()
        elif depth == 0 and token.group() != "''" and (counts or token.group() != "#"):
            yield token.span()


def _read(text: str, head: re.Match[str]) -> Message | None:
    at = head.end()
    bodies: list[tuple[int, int]] = []
    while branch := _BRANCH.match(text, at):
        end = _body_end(text, branch.end())
        if end is None:
            return None
        bodies.append((branch.end(), end))
        at = end + 1
    close = _CLOSE.match(text, at)
    if close is None or not bodies:
        return None
    return Message(head.start(), close.end(), head["type"] != "select", tuple(bodies))


def _body_end(text: str, start: int) -> int | None:
    depth = 0
    for token in _TOKEN.finditer(text, start):
        if token.group() == "{":
            depth += 1
        elif token.group() == "}":
            if depth == 0:
                return token.start()
            depth -= 1
    return None

"""What a caller names to come back as it is: regular expressions that run in linear time, and words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Protocol

import re2  # type: ignore[import-untyped]

from dragoman.errors import InvalidRequest
from dragoman.text.parts import Kind
from dragoman.text.shapes import IN_WORD
from dragoman.types import Wishes

MOST_PATTERNS = 50
MOST_PATTERN_CHARACTERS = 1_000
MOST_PATTERN_STEPS = 5_000
MOST_KEPT = 500
MOST_KEPT_CHARACTERS = 200

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False  # or they go to standard error
_OPTIONS.max_mem = 2**20
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_IN_WORD = re.compile(IN_WORD)


class _Match(Protocol):
    def span(self) -> tuple[int, int]: ...


class _Pattern(Protocol):
    """A compiled RE2 pattern; `programsize` grows with the time it takes per character at worst."""

    @property
    def programsize(self) -> int: ...
    def finditer(self, text: str) -> Iterator[_Match]: ...


class Protections:
    """What a caller names to come back as it is: regular expressions (RE2) and words.

    Words are found whole where their script sets words apart, the longest first, in the case given. Raises
    InvalidRequest, with the field `protect` or `keep`, for what is no regular expression, too long or too much.
    """

    def __init__(self, patterns: Sequence[str] = (), keep: Sequence[str] = ()) -> None:
        self._patterns = _compiled(patterns)
        self._kept = [re.compile(pattern) for pattern in _word_patterns(_checked(keep))]

    @staticmethod
    def of(wishes: Wishes) -> Protections:
        """The protections that a request wishes for."""
        return Protections(wishes.protect, wishes.keep) if wishes.protect or wishes.keep else NO_MORE

    def found_in(self, text: str) -> Iterator[tuple[int, int, Kind]]:
        """Where the text holds something that is to come back as it is; they may overlap."""
        if self._patterns:
            shown = _LONE_SURROGATE.sub("\ufffd", text)  # RE2 reads UTF-8, which has none
            for pattern in self._patterns:
                yield from ((*match.span(), "pattern") for match in pattern.finditer(shown))
        for words in self._kept:
            yield from ((*match.span(), "kept") for match in words.finditer(text))


def _compiled(patterns: Sequence[str]) -> list[_Pattern]:
    if len(patterns) > MOST_PATTERNS:
        raise InvalidRequest(
            f"{len(patterns)} patterns are more than the {MOST_PATTERNS} that 'protect' may hold; join some with |.",
            field="protect",
            limit=MOST_PATTERNS,
        )
    compiled = [_pattern(pattern) for pattern in patterns]
    if sum(one.programsize for one in compiled) > MOST_PATTERN_STEPS:
        raise InvalidRequest(
            "The patterns of 'protect' are too large with their repetitions counted out; use fewer or smaller {n,m}.",
            field="protect",
        )
    return compiled


def _pattern(pattern: str) -> _Pattern:
    if not pattern or len(pattern) > MOST_PATTERN_CHARACTERS:
        raise InvalidRequest(
            f"A pattern of 'protect' must have 1 to {MOST_PATTERN_CHARACTERS} characters, not {len(pattern)}.",
            field="protect",
            limit=MOST_PATTERN_CHARACTERS,
        )
    try:
        compiled: _Pattern = re2.compile(pattern, _OPTIONS)
    except (re2.error, UnicodeEncodeError) as error:
        raise InvalidRequest(
            f"'{pattern}' in 'protect' is no regular expression that RE2 takes (it has no look-around and no "
            f"back-references): {_reason(error)}.",
            field="protect",
        ) from error
    return compiled


def _reason(error: Exception) -> str:
    reason = error.args[0] if error.args else ""
    return reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)


def _checked(keep: Sequence[str]) -> Sequence[str]:
    if len(keep) > MOST_KEPT:
        raise InvalidRequest(
            f"{len(keep)} words are more than the {MOST_KEPT} that 'keep' may hold; use a glossary for more.",
            field="keep",
            limit=MOST_KEPT,
        )
    for words in keep:
        if not words.strip() or len(words) > MOST_KEPT_CHARACTERS:
            raise InvalidRequest(
                f"What 'keep' names must have 1 to {MOST_KEPT_CHARACTERS} characters and not be blank.",
                field="keep",
                limit=MOST_KEPT_CHARACTERS,
            )
    return keep


def _word_patterns(keep: Sequence[str]) -> Iterator[str]:
    """A pattern for all words that are alike in whether a letter may stand before and after them, the longest first."""
    alike: dict[tuple[bool, bool], list[str]] = {}
    for words in sorted(set(keep), key=lambda words: (-len(words), words)):
        edges = (_IN_WORD.match(words) is not None, _IN_WORD.match(words[-1]) is not None)
        alike.setdefault(edges, []).append(re.escape(words))
    for (begins, ends), escaped in alike.items():
        before, after = f"(?<!{IN_WORD})" if begins else "", f"(?!{IN_WORD})" if ends else ""
        yield f"{before}(?:{'|'.join(escaped)}){after}"


NO_MORE = Protections()
"""Nothing beyond what is held of itself."""

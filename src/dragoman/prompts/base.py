"""What a prompt style is: how one model family is asked for one segment, and how its answer is read."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from dragoman.types import Segment


class Prompt(Struct, frozen=True, kw_only=True):
    """One segment as a model is shown it.

    `raw` is the whole prompt for a raw completion endpoint, without `<bos>`: such endpoints add it themselves, and two
    of them spoil the output. `chat` is the user turn for endpoints that apply the model's own template. A style that
    cannot be said in one of the two ways leaves it None. Decoding is always greedy.
    """

    raw: str | None
    chat: str | None
    stop: tuple[str, ...]
    stop_token_ids: tuple[int, ...] = ()
    max_tokens: int


class PromptStyle(Protocol):
    """Belongs to a model family; stateless. For one pair, everything before the text is byte-identical."""

    @property
    def name(self) -> str: ...

    @property
    def max_segment_tokens(self) -> int:
        """The longest source text one segment may hold, in tokens as `text.segment.estimate_tokens` counts them."""
        ...

    def render(self, segment: Segment) -> Prompt: ...

    def clean(self, output: str) -> str:
        """The translation inside a model's answer: control tokens and outer white space removed."""
        ...

"""What a prompt style is: how one model family is asked for one segment, and how its answer is read."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from dragoman.types import Asking, Capability, Segment

SAMPLED_TEMPERATURE = 0.7
SAMPLED_TOP_P = 0.95


class Decoding(Struct, frozen=True, kw_only=True):
    """How a model picks its tokens: greedily at temperature 0, else by lot with `seed` (None while greedy).

    `logprob`: the log-probability of each token is wanted too.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None
    logprob: bool = False

    @classmethod
    def of(cls, asking: Asking) -> Decoding:
        """The first attempt is greedy; each later one is sampled with its own number for the seed."""
        if asking.attempt == 0:
            return cls(logprob=asking.logprob)
        return cls(temperature=SAMPLED_TEMPERATURE, top_p=SAMPLED_TOP_P, seed=asking.attempt, logprob=asking.logprob)


GREEDY = Decoding()


class Prompt(Struct, frozen=True, kw_only=True):
    """One segment as a model is shown it.

    `raw` is the whole prompt for a raw completion endpoint, without `<bos>`: such endpoints add it themselves, and two
    of them spoil the output. `chat` is the user turn for endpoints that apply the model's own template. A style that
    cannot be said in one of the two ways leaves it None.
    """

    raw: str | None
    chat: str | None
    stop: tuple[str, ...]
    stop_token_ids: tuple[int, ...] = ()
    max_tokens: int
    decoding: Decoding = GREEDY


class PromptStyle(Protocol):
    """Belongs to a model family; stateless.

    For one pair, everything before the text is byte-identical among segments that are asked for plainly.
    """

    @property
    def name(self) -> str: ...

    @property
    def max_segment_tokens(self) -> int:
        """The longest source text one segment may hold, in tokens as `text.segment.estimate_tokens` counts them."""
        ...

    @property
    def can(self) -> frozenset[Capability]:
        """What it gives an engine: `instructions` where a model is told of formality and context, else nothing."""
        ...

    def render(self, segment: Segment) -> Prompt: ...

    def clean(self, output: str) -> str:
        """The translation inside a model's answer: control tokens and outer white space removed."""
        ...

"""The values that travel through Dragoman. All are immutable; none knows how to do I/O."""

from __future__ import annotations

from enum import IntEnum
from typing import Literal

from msgspec import Struct

Format = Literal["text"]
Capability = Literal["stream", "logprobs", "images"]


class Lane(IntEnum):
    """Who waits: a person or a job. The lower number goes first."""

    INTERACTIVE = 0
    BULK = 1


class Pair(Struct, frozen=True):
    """Source and target language, both as canonical codes of `dragoman.languages`."""

    source: str
    target: str

    def __str__(self) -> str:
        return f"{self.source}->{self.target}"


class Segment(Struct, frozen=True):
    """What an engine translates in one go. `text` is one line without outer white space, and never empty."""

    text: str
    pair: Pair


class Tokens(Struct, frozen=True):
    """Tokens counted by the engine (0 where it does not say). `cached` is the part of `prompt` it did not recompute."""

    prompt: int = 0
    cached: int = 0
    output: int = 0

    def __add__(self, other: Tokens) -> Tokens:
        return Tokens(self.prompt + other.prompt, self.cached + other.cached, self.output + other.output)


class Output(Struct, frozen=True):
    """An engine's finished translation of one segment."""

    text: str
    tokens: Tokens = Tokens()


class EngineInfo(Struct, frozen=True, kw_only=True):
    """What an engine is and what it can do. What it cannot do is data here, never a surprise later.

    `slots` is how many segments it works on at once; where `slots_known` is false that is a first guess, and the best
    number is found while it works. One `translate` call may hold `max_batch` segments and, padded to the longest,
    `max_batch_tokens`; `max_segment_tokens` is the longest source text of one segment. `pairs` is None where any pair
    may be asked.
    """

    name: str
    model: str
    revision: str | None = None
    style: str | None = None
    slots: int
    slots_known: bool = True
    max_batch: int = 1
    max_batch_tokens: int | None = None
    max_segment_tokens: int
    pairs: frozenset[Pair] | None = None
    can: frozenset[Capability] = frozenset()


class TranslateRequest(Struct, frozen=True, kw_only=True):
    """Texts to translate. Codes may be any alias that `languages.resolve` knows.

    `source` None asks for detection, per text. `timeout_s` None takes the configured time. With `no_store` nothing of
    it is kept when it is answered.
    """

    texts: tuple[str, ...]
    targets: tuple[str, ...]
    source: str | None = None
    format: Format = "text"
    timeout_s: float | None = None
    lane: Lane = Lane.INTERACTIVE
    no_store: bool = False


class Finding(Struct, frozen=True):
    """What a check says of an output."""

    kind: str
    message: str


class Detected(Struct, frozen=True):
    """The language a text was found to be in, with a confidence of 0 to 1."""

    language: str
    confidence: float


class Timings(Struct, frozen=True):
    """Where the time of one translation went, in milliseconds.

    `queue_ms` and `engine_ms` are those of its slowest segment: sentences fly together, so they do not add up.
    """

    prepare_ms: float = 0.0
    queue_ms: float = 0.0
    engine_ms: float = 0.0
    total_ms: float = 0.0


class Translation(Struct, frozen=True, kw_only=True):
    """One text in one target language. `remembered` segments of it came from the memory, without the engine."""

    text: str
    source: str
    target: str
    detected: Detected | None = None
    engine: str
    model: str
    tokens: Tokens = Tokens()
    remembered: int = 0
    findings: tuple[Finding, ...] = ()
    timings: Timings = Timings()


class Readiness(Struct, frozen=True):
    """Whether the engine answered its last probe; `reason` says, for the operator, why not."""

    ready: bool
    reason: str = ""

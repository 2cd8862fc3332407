"""The values that travel through Dragoman. All are immutable; none knows how to do I/O."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Literal

from msgspec import Struct

Format = Literal["text", "html", "xml", "markdown"]
Split = Literal["sentences", "newlines", "off"]
Formality = Literal["more", "less"]
Capability = Literal["stream", "logprobs", "images", "instructions", "sampling"]


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


class Asking(Struct, frozen=True):
    """How a segment is asked for beyond its text and pair. All defaults are the plain way.

    `formality` and `context` (the sentence before) reach only engines that can follow `instructions`. `attempt` 0 is
    the most likely answer; each higher number is another answer to the same question, sampled with its own seed by
    engines that can do `sampling`. `logprob` asks those that can tell `logprobs` how sure they were, which takes them
    longer.
    """

    formality: Formality | None = None
    context: str = ""
    attempt: int = 0
    logprob: bool = False


PLAINLY = Asking()


class Segment(Struct, frozen=True):
    """What an engine translates in one go. `text` is one line without outer white space, and never empty."""

    text: str
    pair: Pair
    asking: Asking = PLAINLY


class Tokens(Struct, frozen=True):
    """Tokens counted by the engine (0 where it does not say). `cached` is the part of `prompt` it did not recompute."""

    prompt: int = 0
    cached: int = 0
    output: int = 0

    def __add__(self, other: Tokens) -> Tokens:
        return Tokens(self.prompt + other.prompt, self.cached + other.cached, self.output + other.output)


class Output(Struct, frozen=True):
    """An engine's finished translation of one segment.

    `logprob` is the mean natural logarithm of its tokens' probabilities, 0 or less, where the engine can tell.
    """

    text: str
    tokens: Tokens = Tokens()
    logprob: float | None = None


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


class TagRules(Struct, frozen=True, kw_only=True):
    """How XML is cut into what is translated on its own, after DeepL's options of the same names.

    With `outline` the structure is found from the text: a tag that stands beside text, not around other blocks, is
    inline. `splitting` tags always end a sentence, `non_splitting` ones never do, and what stands in `ignored` ones is
    not translated. Without `outline` only `splitting` tags end one.
    """

    splitting: frozenset[str] = frozenset()
    non_splitting: frozenset[str] = frozenset()
    ignored: frozenset[str] = frozenset()
    outline: bool = True


class Term(Struct, frozen=True):
    """A source term and what it becomes, both in the case and inflection in which they are to stand."""

    source: str
    target: str


class Glossary(Struct, frozen=True):
    """Terms that bind a translation, by pair of base languages (`en`, not `en-GB`). `name` is for messages."""

    name: str
    terms: Mapping[Pair, tuple[Term, ...]]


class Wishes(Struct, frozen=True, kw_only=True):
    """What a caller may ask of a translation beyond its languages; the defaults are what most want.

    `protect` are regular expressions (RE2) and `keep` words that come back as they are; `terms` bind every pair of the
    request, `glossaries` each its own pairs, and the earlier goes before the later. Where `formality` cannot be
    followed it is refused, or, with `formality_preferred`, noted as a finding. With `strict` a translation that keeps
    a fault is an error. `alternatives` is how many other translations are wanted beside the best. `confidence` asks
    engines that can how sure they are, which takes some of them longer.
    """

    tags: TagRules = TagRules()
    split: Split = "sentences"
    protect: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    terms: tuple[Term, ...] = ()
    glossaries: tuple[Glossary, ...] = ()
    formality: Formality | None = None
    formality_preferred: bool = False
    context: str = ""
    strict: bool = False
    alternatives: int = 0
    confidence: bool = False


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
    wishes: Wishes = Wishes()


FindingKind = Literal[
    "empty", "echo", "chatter", "wrong_language", "wrong_script", "script_converted", "truncated", "loop", "number",
    "placeholder", "untranslated", "control_token", "unbalanced", "formality_ignored", "repaired",
]  # fmt: skip


class Finding(Struct, frozen=True):
    """What a check says of an output."""

    kind: FindingKind
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
    """One text in one target language. `remembered` segments of it came from the memory, without the engine.

    `confidence` (0 to 1) is there where the engine tells how sure it was of every segment.
    """

    text: str
    source: str
    target: str
    detected: Detected | None = None
    engine: str
    model: str
    tokens: Tokens = Tokens()
    remembered: int = 0
    findings: tuple[Finding, ...] = ()
    confidence: float | None = None
    alternatives: tuple[str, ...] = ()
    timings: Timings = Timings()


class Readiness(Struct, frozen=True):
    """Whether the engine answered its last probe; `reason` says, for the operator, why not."""

    ready: bool
    reason: str = ""

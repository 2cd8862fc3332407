"""How much machine a corpus needs: arithmetic only, over the machines that the simulator plays.

A decode step of a full engine gives each of its sequences one token, and it stands still for every newcomer's prefill.
So one segment takes the engine

    new prompt tokens / prefill tokens a second  +  output tokens * step of a full engine / sequences in it

seconds, and its inverse is the segments a second of one machine. `bench/sizing.py` holds that against the simulator
behind the real Translator.
"""

from __future__ import annotations

import math

from msgspec import Struct

from dragoman.core.planner import BULK_FILL
from dragoman.engines.simulated_profiles import Profile
from dragoman.errors import ConfigurationError

PREFIX_TOKENS = 70
"""TranslateGemma's prompt before the text; the same for every segment of a pair, so that an engine caches it."""
SUFFIX_TOKENS = 5
"""The prompt behind the text. Both are those of most pairs: 75 to 89 in all."""
CHARACTERS_PER_TOKEN = 4.6
"""Of English. 52 strings of 60 to 180 characters in Django 5.2's catalogue, counted with Gemma 3's own tokenizer; prose
has 5.4, German 4.4, Russian 4.2, Arabic 3.1, Japanese 2.4, simplified Chinese 1.8.
"""
GROWTH = 1.25
"""Tokens of a translation for each token of an English text. The same strings: German 1.24, French 1.40, Spanish 1.10,
Russian 1.26, Arabic 1.30, Turkish 1.38, Japanese 0.93, Chinese 0.85.
"""
SEGMENT_TOKENS = 22
"""What a longer text is cut into, on average, each with a prompt of its own: 100 English characters. Paragraphs of four
English manuals (git, aptitude, click, the Debian FAQ; 5,000 in all) cut by `text.segment`: 85 to 113.
"""
CPU_S_PER_SEGMENT = 0.002
"""What a segment costs Dragoman on one core, with HTTP to the engine: `python -m bench proxy_cost`."""


class Corpus(Struct, frozen=True, kw_only=True):
    """What is to be translated. `characters` are those of one row, on average.

    `targets` languages are made of each row. `duplicates` is the share of rows, 0 up to but not 1, that cost no call:
    their text came before in the job, is in the memory, or holds nothing to translate.
    """

    rows: int
    characters: float
    targets: int = 1
    duplicates: float = 0.0
    characters_per_token: float = CHARACTERS_PER_TOKEN
    growth: float = GROWTH

    @property
    def segments_a_row(self) -> float:
        """How many calls a row takes for one target, on average."""
        return max(1.0, self._row_tokens / SEGMENT_TOKENS)

    @property
    def segments(self) -> float:
        """All calls that have to be made."""
        return self.rows * (1 - self.duplicates) * self.targets * self.segments_a_row

    @property
    def segment_tokens(self) -> float:
        """Tokens of the text of one segment."""
        return self._row_tokens / self.segments_a_row

    @property
    def _row_tokens(self) -> float:
        return self.characters / self.characters_per_token


class Call(Struct, frozen=True, kw_only=True):
    """The tokens of one call, on average. `cached` is the part of `prompt` that the engine need not compute."""

    prompt: float
    cached: int
    output: float


class Sizing(Struct, frozen=True, kw_only=True):
    """What a corpus takes: so many machines for so many hours.

    `prompt_tokens` are all that go in, `cached_tokens` those of them that are not computed. Rates without `_machine`
    are those of all machines together; `rows_per_s` counts duplicates too. `processes` is how many cores' worth of
    Dragoman carry the calls.
    """

    profile: str
    machines: int
    hours: float
    rows: int
    segments: float
    prompt_tokens: float
    cached_tokens: float
    output_tokens: float
    rows_per_s: float
    segments_per_s: float
    segments_per_s_machine: float
    prompt_tokens_per_s_machine: float
    output_tokens_per_s_machine: float
    processes: int
    assumptions: tuple[str, ...]

    def cost(self, price_per_hour: float) -> float:
        """All machines for all hours, at the price of one machine for one hour."""
        return self.machines * self.hours * price_per_hour


def machines_for(corpus: Corpus, profile: Profile, hours: float) -> int:
    """The fewest machines that are done within `hours`; at least 1. ConfigurationError for a profile without times."""
    machine_hours = corpus.segments / segments_per_s(call_of(corpus, profile), profile) / 3600
    return max(1, math.ceil(machine_hours / hours - 1e-9))


def size(corpus: Corpus, profile: Profile, machines: int = 1) -> Sizing:
    """What the corpus takes on so many machines. ConfigurationError for a profile that has no times."""
    call = call_of(corpus, profile)
    each_per_s = segments_per_s(call, profile)
    seconds = corpus.segments / each_per_s / machines
    return Sizing(
        profile=profile.name,
        machines=machines,
        hours=seconds / 3600,
        rows=corpus.rows,
        segments=corpus.segments,
        prompt_tokens=corpus.segments * call.prompt,
        cached_tokens=corpus.segments * call.cached,
        output_tokens=corpus.segments * call.output,
        rows_per_s=corpus.rows / seconds,
        segments_per_s=machines * each_per_s,
        segments_per_s_machine=each_per_s,
        prompt_tokens_per_s_machine=each_per_s * call.prompt,
        output_tokens_per_s_machine=each_per_s * call.output,
        processes=math.ceil(machines * each_per_s * CPU_S_PER_SEGMENT),
        assumptions=_assumptions(corpus, profile, call),
    )


def call_of(corpus: Corpus, profile: Profile) -> Call:
    """What one segment of the corpus asks of the engine."""
    return Call(
        prompt=PREFIX_TOKENS + corpus.segment_tokens + SUFFIX_TOKENS,
        cached=_cached_tokens(profile, corpus.targets),
        output=corpus.segment_tokens * corpus.growth,
    )


def segments_per_s(call: Call, profile: Profile) -> float:
    """Segments a second of one machine whose slots, as far as bulk may fill them, are always full.

    ConfigurationError for a profile that takes no time.
    """
    sequences = bulk_slots(profile)
    prefill_s = (call.prompt - call.cached) / profile.prefill_tokens_per_s
    segment_s = prefill_s + call.output * profile.batch_step_s(sequences) / sequences
    if segment_s == 0:
        raise ConfigurationError(
            f"the profile {profile.name} takes no time and is for tests; name the machine you have, such as h100-27b"
        )
    return 1 / segment_s


def bulk_slots(profile: Profile) -> int:
    """How many slots a job fills: the rest stay free for people, as `core.planner` has it."""
    return max(1, math.floor(profile.slots * BULK_FILL))


def _cached_tokens(profile: Profile, pairs: int) -> int:
    # Rows fly into all targets at once: with one pair more than it can keep, an engine forgets each before its turn.
    block = profile.prefix_block_tokens
    return PREFIX_TOKENS // block * block if pairs <= profile.max_prefixes else 0


def _assumptions(corpus: Corpus, profile: Profile, call: Call) -> tuple[str, ...]:
    slots = bulk_slots(profile)
    return (
        f"{corpus.characters_per_token:g} characters are a token, and each becomes {corpus.growth:g} tokens of "
        f"translation; English into other European languages has {CHARACTERS_PER_TOKEN:g} and {GROWTH:g}",
        f"a text of more than {SEGMENT_TOKENS} tokens is cut into sentences of that length: "
        f"{corpus.segments_a_row:.3g} segments a row, each of {corpus.segment_tokens:.3g} tokens that become "
        f"{call.output:.3g}",
        f"a prompt has {PREFIX_TOKENS + SUFFIX_TOKENS} tokens around the text, of which {call.cached} are cached",
        f"{slots} of {profile.slots} slots are always full and the rest free for people (bulk fill {BULK_FILL:g}); "
        "whoever else uses the machine comes on top",
        f"a token takes {profile.batch_step_s(slots) * 1e3:.3g} ms in a batch of {slots}, "
        f"{profile.prefill_tokens_per_s:,.0f} new prompt tokens are read a second: derived from the card's bandwidth "
        "and peak, not measured on it",
        f"{corpus.duplicates:.0%} of the rows cost no call: duplicates are translated once",
        "no text is asked for twice, no machine fails, and loading the model takes no time",
        f"{CPU_S_PER_SEGMENT * 1e3:g} ms of a core for each segment in Dragoman",
    )

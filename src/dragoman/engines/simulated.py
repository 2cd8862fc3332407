"""An engine that plays a machine: it takes the time a real one would take, and says what `simulated_text` makes up.

`simulated://h100-27b` names a profile; options are `slots`, `speed` (10 is ten times as fast as the real machine),
`failure_rate`, `stall_rate` with `stall_s`, `mischief` (`0.1` or `loop:0.05,echo:0.1`, see `simulated_mischief`), and
`seed`, which decides which calls fail or stall and which outputs come out wrong.
`SimulatedModel` is shared with `dragoman.simulator`, which puts the same behaviour behind HTTP.
"""

from __future__ import annotations

import random
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from pathlib import Path

import msgspec
from msgspec import Struct

from dragoman.engines import simulated_timing as timing
from dragoman.engines.base import Hear, HearOne, translate_each
from dragoman.engines.completion import CAN, mean_logprob
from dragoman.engines.simulated_mischief import NO_MISCHIEF, Mischief, read_mischief
from dragoman.engines.simulated_profiles import Profile, profile_named
from dragoman.engines.simulated_text import estimate_tokens, pseudo_logprobs, pseudo_translate
from dragoman.engines.url import EngineURL
from dragoman.errors import BadOutput, ConfigurationError, EngineError, EngineUnavailable
from dragoman.types import Capability, EngineInfo, Output, Pair, Segment, Tokens

NAME = "simulated"
MAX_SEGMENT_TOKENS = 512
_PREFIX_TOKENS = 70
_SUFFIX_TOKENS = 5
"""TranslateGemma's prompt around the text, for most pairs."""
_TELLS: frozenset[Capability] = frozenset({"logprobs"})


class Faults(Struct, frozen=True, kw_only=True):
    """How often calls go wrong, each rate 0 to 1. `seed` decides which: the n-th call fares the same in every run.

    A call that fails does so at its first token. One that stalls holds its slot for `stall_s` of the machine's time.
    `mischief` spoils outputs, by what they say and not by when they are asked for.
    """

    failure_rate: float = 0.0
    stall_rate: float = 0.0
    stall_s: float = 30.0
    mischief: Mischief = NO_MISCHIEF
    seed: int = 0


NO_FAULTS = Faults()


class Work(Struct, frozen=True, kw_only=True):
    """One segment as the model gets it. `prefix` is what its prompt shares with others of its pair.

    `attempt` is the sampling seed, 0 for greedy decoding: each says something else. `logprob`: log-probabilities are
    wanted.
    """

    text: str
    pair: Pair
    prefix: str
    prefix_tokens: int
    prompt_tokens: int
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    attempt: int = 0
    logprob: bool = False


class Said(Struct, frozen=True):
    """A piece of an answer: some characters, and the log-probabilities of the tokens that came since the last piece."""

    text: str
    logprobs: tuple[float, ...]


class Generation:
    """One answer on its way. `text` and `truncated` are decided from the start; only time has to pass."""

    def __init__(self, steps: timing.StepLoop, work: Work, faults: Faults, *, stalls: bool, fails: bool) -> None:
        self.text, output_tokens, self.truncated = _answer(work, faults)
        self._fails = fails
        self._tells_logprobs = work.logprob
        self._steps = steps
        self._sequence = timing.Sequence(
            prompt_tokens=work.prompt_tokens,
            output_tokens=1 if fails else output_tokens,
            prefix=work.prefix,
            prefix_tokens=work.prefix_tokens,
            stall_s=faults.stall_s if stalls else 0.0,
        )

    @property
    def finished(self) -> bool:
        return self._sequence.finished

    @property
    def tokens(self) -> Tokens:
        """What was counted; right once the answer is complete."""
        sequence = self._sequence
        return Tokens(sequence.prompt_tokens, sequence.cached_tokens, sequence.generated)

    @property
    def logprobs(self) -> tuple[float, ...]:
        """The log-probability of each token of the complete answer; none where they were not asked for."""
        return pseudo_logprobs(self.text, self._sequence.output_tokens) if self._tells_logprobs else ()

    @property
    def durations_s(self) -> tuple[float, float]:
        """How long the prompt took, and how long it has been decoding since."""
        prefill_s = self._sequence.prefill_s / self._steps.speed
        return prefill_s, max(0.0, time.monotonic() - self._sequence.started_at_s - prefill_s)

    async def complete(self) -> None:
        """Wait for the last token. A cancelled wait frees the slot at once. Raises EngineUnavailable on a failure."""
        try:
            self._steps.enter(self._sequence)
            await self._progress()
        finally:
            self._steps.leave(self._sequence)

    async def pieces(self) -> AsyncGenerator[Said, None]:
        """Yield the answer as its tokens come; at the last piece it is `finished`. `aclose` frees the slot at once."""
        self._sequence.watched = True
        sent = told = 0
        logprobs = self.logprobs
        try:
            self._steps.enter(self._sequence)
            while True:
                await self._progress()
                generated = self._sequence.generated
                ready = len(self.text) * generated // self._sequence.output_tokens
                if ready > sent or self.finished:
                    yield Said(self.text[sent:ready], logprobs[told:generated])
                    sent, told = ready, generated
                if self.finished and sent == len(self.text):
                    return
        finally:
            self._steps.leave(self._sequence)

    def abort(self, error: Exception) -> None:
        """Free the slot now; whoever waits for the answer gets `error`."""
        self._steps.abort(self._sequence, error)

    async def _progress(self) -> None:
        await self._steps.progress(self._sequence)
        if self._fails:
            raise EngineUnavailable("the simulated engine failed, as failure_rate asks; try again", engine=NAME)


class SimulatedModel:
    """A model on a simulated machine: slots, a queue without bound, and faults by lot."""

    def __init__(self, profile: Profile, *, speed: float = 1.0, faults: Faults = NO_FAULTS) -> None:
        self._steps = timing.StepLoop(profile, speed=speed)
        self._faults = faults
        self._lots = random.Random(faults.seed)

    @property
    def running(self) -> int:
        return self._steps.batch.running

    @property
    def waiting(self) -> int:
        return self._steps.batch.waiting

    def generation(self, work: Work) -> Generation:
        """Prepare an answer; it takes its place in the queue when it is waited for."""
        faults = self._faults
        fails = self._lots.random() < faults.failure_rate
        stalls = self._lots.random() < faults.stall_rate
        return Generation(self._steps, work, faults, stalls=stalls, fails=fails)

    def abort_all(self, error: Exception) -> None:
        self._steps.abort_all(error)


class SimulatedEngine:
    """The simulator behind the engine seam, without HTTP."""

    def __init__(self, profile: Profile, *, speed: float = 1.0, faults: Faults = NO_FAULTS) -> None:
        self._model = SimulatedModel(profile, speed=speed, faults=faults)
        self._closed = False
        self._info = EngineInfo(
            name=NAME,
            model=profile.name,
            slots=profile.slots,
            max_segment_tokens=MAX_SEGMENT_TOKENS,
            can=CAN | _TELLS,
        )

    def __repr__(self) -> str:
        return f"<SimulatedEngine {self._info.model}: {self.running} running, {self.waiting} waiting>"

    @property
    def info(self) -> EngineInfo:
        return self._info

    @property
    def running(self) -> int:
        """Segments in a slot now."""
        return self._model.running

    @property
    def waiting(self) -> int:
        """Segments that wait for a slot now."""
        return self._model.waiting

    async def probe(self) -> EngineInfo:
        self._check_open()
        return self._info

    async def translate(self, batch: Sequence[Segment], hear: Hear | None = None) -> Sequence[Output | EngineError]:
        return await translate_each(batch, self._translate_one, hear)

    async def aclose(self) -> None:
        self._closed = True
        self._model.abort_all(_closed())

    async def _translate_one(self, segment: Segment, hear: HearOne | None) -> Output:
        self._check_open()
        generation = self._model.generation(_work(segment))
        await (generation.complete() if hear is None else _told(generation, hear))
        _check_text(generation)
        return Output(generation.text, generation.tokens, mean_logprob(generation.logprobs))

    def _check_open(self) -> None:
        if self._closed:
            raise _closed()


async def open_engine(url: EngineURL, data_dir: Path) -> SimulatedEngine:
    """Open the profile that the URL's host names. ConfigurationError for an unknown profile or a wrong option."""
    if url.path.strip("/") or url.port is not None or "style" in url.options:
        raise ConfigurationError(
            "a simulated engine is addressed by its profile alone, without port, path or style: "
            "simulated://h100-27b?slots=64"
        )
    url.check_options("speed", "seed", "failure_rate", "stall_rate", "stall_s", "mischief")
    profile = profile_named(url.host or "")
    profile = msgspec.structs.replace(profile, slots=url.int_option("slots", profile.slots))
    return SimulatedEngine(profile, speed=_speed(url), faults=_faults(url))


def _speed(url: EngineURL) -> float:
    speed = url.float_option("speed", 1.0)
    if speed == 0:
        raise ConfigurationError("the option speed=0 of simulated:// would stand still; 1 is the real machine's speed")
    return speed


def _faults(url: EngineURL) -> Faults:
    return Faults(
        failure_rate=_rate(url, "failure_rate"),
        stall_rate=_rate(url, "stall_rate"),
        stall_s=url.float_option("stall_s", NO_FAULTS.stall_s),
        mischief=read_mischief(url.text_option("mischief", "0")),
        seed=url.int_option("seed", NO_FAULTS.seed, minimum=0),
    )


def _rate(url: EngineURL, name: str) -> float:
    rate = url.float_option(name, 0.0)
    if rate > 1:
        raise ConfigurationError(f"the option {name}={rate:g} of simulated:// is a share of the calls: 0 to 1")
    return rate


async def _told(generation: Generation, hear: HearOne) -> None:
    """As `complete`, and tell what is there at each token."""
    so_far = ""
    async with aclosing(generation.pieces()) as pieces:
        async for piece in pieces:
            so_far += piece.text
            hear(so_far)


def _work(segment: Segment) -> Work:
    text_tokens = estimate_tokens(segment.text)
    return Work(
        text=segment.text,
        pair=segment.pair,
        prefix=str(segment.pair),
        prefix_tokens=_PREFIX_TOKENS,
        prompt_tokens=_PREFIX_TOKENS + text_tokens + _SUFFIX_TOKENS,
        attempt=segment.asking.attempt,
        logprob=segment.asking.logprob,
    )


def _answer(work: Work, faults: Faults) -> tuple[str, int, bool]:
    """The text, its tokens, and whether the output limit cut it."""
    good = pseudo_translate(work.text, work.pair, work.attempt)
    text = faults.mischief.done_to(good, work.text, work.pair, attempt=work.attempt, seed=faults.seed)
    for stop in work.stop:
        text = text.partition(stop)[0]
    tokens = estimate_tokens(text)
    if work.max_tokens is None or tokens <= work.max_tokens:
        return text, tokens, False
    return text[: len(text) * work.max_tokens // tokens], work.max_tokens, True


def _check_text(generation: Generation) -> None:
    if not generation.text:
        raise BadOutput("the simulated engine answered with no text, as mischief asks; try again", engine=NAME)


def _closed() -> EngineUnavailable:
    return EngineUnavailable("the simulated engine is closed; open it again", engine=NAME)

"""Callers behind a limiter before one simulated engine, in virtual time: a minute of load passes in a moment.

The engine is the simulator's own `Batch`. Nothing sleeps, and a run comes out the same each time. The bench of the
limiter and its tests share this.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable
from collections.abc import Sequence as Many
from dataclasses import dataclass

from msgspec import Struct

from dragoman.core.limiter import Limiter
from dragoman.engines.simulated_profiles import Profile
from dragoman.engines.simulated_timing import Batch, Sequence

PROMPT_TOKENS = 87
PREFIX_TOKENS = 70
IDLE_S = 0.01
ENOUGH_CALLERS = 4096


def uniform(rng: random.Random) -> float:
    return rng.uniform(5, 50)


def log_normal(rng: random.Random) -> float:
    """A median of 20 tokens and a mean of 25, as the sentences of running text."""
    return rng.lognormvariate(3.0, 0.65)


class Load(Struct, frozen=True, kw_only=True):
    """What the callers bring.

    `callers` is how many of them there are at a time; each wants one call in flight, always. A call's true length is
    the one it reports times a log-normal `jitter`. A share `stall_rate` of the calls first holds its slot for
    `stall_s`. `round_trip_s` is the network's part at a time. An engine with `max_queue` refuses a call that finds so
    many waiting.
    """

    lengths: Callable[[random.Random], float] = log_normal
    callers: Callable[[float], int] = lambda _: ENOUGH_CALLERS
    jitter: float = 0.0
    stall_rate: float = 0.0
    stall_s: float = 5.0
    round_trip_s: Callable[[float], float] = lambda _: 0.001
    max_queue: int | None = None


class Moment(Struct, frozen=True):
    """How things stood for the `lasted_s` before `now_s`, and the tokens of the calls that landed at its end."""

    now_s: float
    lasted_s: float
    limit: int
    waiting: int
    tokens: int


@dataclass(slots=True, eq=False)
class Call:
    """One call; `tokens` is what it reports. One of a tenant is somebody else's, and unknown to the limiter."""

    sequence: Sequence
    tokens: int
    sent_s: float
    of_tenant: bool


class ClosedLoop:
    """The mutable state is the clock, the engine, the calls on their way to it and inside, and the history."""

    def __init__(self, limiter: Limiter, profile: Profile, load: Load | None = None, *, seed: int = 1) -> None:
        self.limiter = limiter
        self.load = load or Load()
        self.now_s = 0.0
        self.flying = 0
        self.history: list[Moment] = []
        self._batch = Batch(profile)
        self._rng = random.Random(seed)
        self._numbers = itertools.count()
        self._arriving: list[tuple[float, int, Call]] = []
        self._inside: dict[Sequence, Call] = {}

    def restart(self, profile: Profile) -> None:
        """The engine comes back as another one; what was inside begins anew."""
        self._batch = Batch(profile)
        for sequence in self._inside:
            self._batch.enter(sequence)

    def admit_tenants(self, calls: int) -> None:
        """From now on so many more calls of somebody else are always in the engine."""
        for _ in range(calls):
            self._send(of_tenant=True)

    def run(self, seconds: float) -> None:
        end_s = self.now_s + seconds
        while self.now_s < end_s:
            self._fill()
            self._arrive()
            began_s, limit = self.now_s, self.limiter.limit
            finished = self._step(end_s)
            tokens = sum(self._inside[sequence].tokens for sequence in finished)
            self.history.append(Moment(self.now_s, self.now_s - began_s, limit, self._batch.waiting, tokens))
            self._land(finished)

    def _fill(self) -> None:
        while self.flying < min(self.limiter.limit, self.load.callers(self.now_s)):
            self.flying += 1
            self._send(of_tenant=False)

    def _send(self, *, of_tenant: bool) -> None:
        tokens = max(1, round(self.load.lengths(self._rng)))
        truly = max(1, round(tokens * self._rng.lognormvariate(0, self.load.jitter)))
        stall_s = self.load.stall_s if self._rng.random() < self.load.stall_rate else 0.0
        sequence = Sequence(PROMPT_TOKENS, truly, "en->de", PREFIX_TOKENS, stall_s)
        call = Call(sequence, tokens, self.now_s, of_tenant)
        arrives_s = self.now_s + self.load.round_trip_s(self.now_s)
        heapq.heappush(self._arriving, (arrives_s, next(self._numbers), call))

    def _arrive(self) -> None:
        while self._arriving and self._arriving[0][0] <= self.now_s:
            call = heapq.heappop(self._arriving)[2]
            if self.load.max_queue is not None and self._batch.waiting >= self.load.max_queue:
                self._end(call, ok=False)
            else:
                self._inside[call.sequence] = call
                self._batch.enter(call.sequence)

    def _step(self, end_s: float) -> Many[Sequence]:
        """One decode step, or the time until there may be one."""
        prefill_s = self._batch.admit(self.now_s)
        if self._batch.decoding:
            steps, decode_s = self._batch.plan()
            self.now_s += prefill_s + decode_s
            return self._batch.complete(steps)
        next_arrival_s = self._arriving[0][0] if self._arriving else self.now_s + IDLE_S
        self.now_s = min(end_s, max(next_arrival_s, self.now_s + 1e-6))
        return ()

    def _land(self, finished: Many[Sequence]) -> None:
        for sequence in finished:
            self._end(self._inside.pop(sequence), ok=True)

    def _end(self, call: Call, *, ok: bool) -> None:
        if call.of_tenant:
            self._send(of_tenant=True)
            return
        took_s = self.now_s - call.sent_s
        tokens = call.tokens if ok else 0
        self.limiter.landed(self.now_s, took_s=took_s, tokens=tokens, flying=self.flying, ok=ok)
        self.flying -= 1
        self._fill()  # at once, as a permit passes from caller to caller


def average_limit(history: Many[Moment]) -> float:
    return sum(moment.limit * moment.lasted_s for moment in history) / _lasted_s(history)


def average_waiting(history: Many[Moment]) -> float:
    """Calls in the engine's own queue."""
    return sum(moment.waiting * moment.lasted_s for moment in history) / _lasted_s(history)


def tokens_per_s(history: Many[Moment]) -> float:
    return sum(moment.tokens for moment in history) / _lasted_s(history)


def _lasted_s(history: Many[Moment]) -> float:
    return sum(moment.lasted_s for moment in history)

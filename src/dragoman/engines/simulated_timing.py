"""When a continuously batching engine has which token ready.

`Batch` is the model, in plain synchronous code: sequences wait, take a slot, are prefilled, and gain one token a step
together. `StepLoop` lets it run in real time with one timer for the whole engine, however many sequences it carries;
an idle engine has no timer at all.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
import time
from collections import OrderedDict
from dataclasses import dataclass, field

from dragoman.engines.simulated_profiles import Profile

COALESCE_S = 0.001
"""Steps that end within this time of each other are taken in one go: a timer for each would only burn the CPU."""
DELTA_INTERVAL_S = 0.005
"""A watched sequence reports no more often than this; hardly a profile steps faster, so it shows when sped up."""
_MAX_LAG_S = 0.05
"""A process that was stopped for longer does not catch up: the machine it plays would have stood still too."""

_order = itertools.count()


@dataclass(slots=True, eq=False)
class Sequence:
    """One prompt on its way through the batch.

    `prefix` names the opening of the prompt that others share and `prefix_tokens` its length; `stall_s` is how long it
    holds its slot before anything happens; `watched` asks for news of every token and not only of the last.
    """

    prompt_tokens: int
    output_tokens: int
    prefix: str
    prefix_tokens: int
    stall_s: float = 0.0
    watched: bool = False
    cached_tokens: int = 0
    generated: int = 0
    first_step: int = 0
    stalled_until_s: float = 0.0
    started_at_s: float = 0.0
    prefill_s: float = 0.0
    reported_at_s: float = -math.inf
    news: asyncio.Future[None] | None = None
    error: Exception | None = None
    order: int = field(default_factory=lambda: next(_order))

    @property
    def finished(self) -> bool:
        return self.generated >= self.output_tokens


class Batch:
    """Sequences in the slots of one engine, and those that wait for a slot, without bound as in the real engines.

    The mutable state is: who waits, who holds a slot but stalls, who decodes, a heap of when they finish, the count
    of steps taken, and the prefixes that are still in the cache.
    """

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._waiting: OrderedDict[Sequence, None] = OrderedDict()
        self._stalled: set[Sequence] = set()
        self._decoding: set[Sequence] = set()
        self._finishing: list[tuple[int, int, Sequence]] = []
        self._steps = 0
        self._prefixes: OrderedDict[str, None] = OrderedDict()

    def __repr__(self) -> str:
        return f"<Batch {self._profile.name}: {self.running} of {self._profile.slots} slots, {self.waiting} waiting>"

    @property
    def running(self) -> int:
        return len(self._decoding) + len(self._stalled)

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @property
    def decoding(self) -> int:
        return len(self._decoding)

    def enter(self, sequence: Sequence) -> None:
        self._waiting[sequence] = None

    def remove(self, sequence: Sequence) -> None:
        """Forget a sequence wherever it is; its slot is free at once. One that has gone already is fine."""
        self._waiting.pop(sequence, None)
        self._stalled.discard(sequence)
        self._decoding.discard(sequence)
        if not self._decoding:
            self._finishing.clear()

    def everyone(self) -> list[Sequence]:
        """Who holds a slot and who waits for one."""
        return [*self._decoding, *self._stalled, *self._waiting]

    def admit(self, now_s: float, speed: float = 1.0) -> float:
        """Fill the free slots in order of arrival; return the seconds that the newcomers' prefill takes."""
        ready = [sequence for sequence in self._stalled if sequence.stalled_until_s <= now_s]
        self._stalled.difference_update(ready)
        free = self._profile.slots - self.running - len(ready)
        for _ in range(min(free, len(self._waiting))):
            sequence, _none = self._waiting.popitem(last=False)
            if sequence.stall_s:
                sequence.stalled_until_s = now_s + sequence.stall_s / speed
                self._stalled.add(sequence)
            else:
                ready.append(sequence)
        return sum(self._start(sequence, now_s) for sequence in ready)

    def plan(self, at_most_s: float = 0.0) -> tuple[int, float]:
        """How many steps may run before somebody finishes, one or as many as fit `at_most_s`, and their seconds."""
        step_s = self._profile.batch_step_s(len(self._decoding))
        until_finish = self._next_finish() - self._steps
        steps = until_finish if step_s == 0 else min(until_finish, max(1, math.floor(at_most_s / step_s)))
        return steps, steps * step_s

    def complete(self, steps: int) -> list[Sequence]:
        """Take these steps, and return the sequences that finished; their slots are free."""
        self._steps += steps
        finished = []
        while self._finishing and self._finishing[0][0] <= self._steps:
            sequence = heapq.heappop(self._finishing)[2]
            if sequence in self._decoding:
                self._decoding.discard(sequence)
                sequence.generated = sequence.output_tokens
                finished.append(sequence)
        return finished

    def generated_by(self, sequence: Sequence) -> int:
        """Tokens that a decoding sequence has so far."""
        return self._steps - sequence.first_step if sequence in self._decoding else sequence.generated

    def next_stall_end_s(self) -> float | None:
        return min((sequence.stalled_until_s for sequence in self._stalled), default=None)

    def _start(self, sequence: Sequence, now_s: float) -> float:
        sequence.cached_tokens = self._reused(sequence)
        sequence.prefill_s = (sequence.prompt_tokens - sequence.cached_tokens) / self._profile.prefill_tokens_per_s
        sequence.started_at_s = now_s
        sequence.first_step = self._steps
        self._decoding.add(sequence)
        heapq.heappush(self._finishing, (self._steps + sequence.output_tokens, sequence.order, sequence))
        return sequence.prefill_s

    def _reused(self, sequence: Sequence) -> int:
        known = sequence.prefix in self._prefixes
        self._prefixes[sequence.prefix] = None
        self._prefixes.move_to_end(sequence.prefix)
        if len(self._prefixes) > self._profile.max_prefixes:
            self._prefixes.popitem(last=False)
        block = self._profile.prefix_block_tokens
        return sequence.prefix_tokens // block * block if known else 0

    def _next_finish(self) -> int:
        while self._finishing[0][2] not in self._decoding:
            heapq.heappop(self._finishing)
        return self._finishing[0][0]


class StepLoop:
    """A batch in real time, `speed` times as fast as the machine it plays.

    Every step's end is reckoned from the one before and not from when the timer rang, so nothing drifts.
    """

    def __init__(self, profile: Profile, *, speed: float = 1.0) -> None:
        self.batch = Batch(profile)
        self.speed = speed
        self._watched: set[Sequence] = set()
        self._due_s = 0.0
        self._planned_steps = 0
        self._timer: asyncio.TimerHandle | None = None

    def enter(self, sequence: Sequence) -> None:
        """Queue a sequence. Must be followed by `leave`, however it ends."""
        self.batch.enter(sequence)
        if sequence.watched:
            self._watched.add(sequence)
        self._restart_unless_decoding()

    def leave(self, sequence: Sequence) -> None:
        """Take a sequence out, finished or not. Whoever waits for a slot moves up."""
        self._watched.discard(sequence)
        if not sequence.finished:
            self.batch.remove(sequence)
            self._restart_unless_decoding()

    def abort(self, sequence: Sequence, error: Exception) -> None:
        """Take a sequence out; whoever waits for its progress gets `error`."""
        sequence.error = error
        self.leave(sequence)
        _tell(sequence)

    def abort_all(self, error: Exception) -> None:
        for sequence in self.batch.everyone():
            self.abort(sequence, error)

    async def progress(self, sequence: Sequence) -> None:
        """Wait until `sequence` has more tokens than it last said: any if it is watched, otherwise all of them.

        Returns at once when it is finished, and raises what it was aborted with.
        """
        if not (sequence.finished or sequence.error):
            sequence.news = asyncio.get_running_loop().create_future()
            await sequence.news
        if sequence.error:
            raise sequence.error

    def _restart_unless_decoding(self) -> None:
        # A stall may last long, and a step under way ends soon: only the first has to be broken off.
        if not self.batch.decoding:
            self._stop_timer()
            self._due_s = time.monotonic()
            self._advance()

    def _stop_timer(self) -> None:
        self._planned_steps = 0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ring(self) -> None:
        self._timer = None
        self._due_s = max(self._due_s, time.monotonic() - _MAX_LAG_S)
        self._take_steps()
        self._advance()

    def _advance(self) -> None:
        """Plan ahead, taking at once what would end within `COALESCE_S`, and set the timer for the end of the rest."""
        soon_s = self._due_s + COALESCE_S
        while True:
            prefill_s = self.batch.admit(time.monotonic(), self.speed)
            if not self.batch.decoding:
                self._wait_for_stall_end()
                return
            self._planned_steps, decode_s = self.batch.plan(COALESCE_S * self.speed)
            self._due_s += (prefill_s + decode_s) / self.speed
            if self._due_s > soon_s:
                self._set_timer(self._due_s)
                return
            self._take_steps()

    def _take_steps(self) -> None:
        for sequence in self.batch.complete(self._planned_steps):
            _tell(sequence)
        self._planned_steps = 0
        if self._watched:
            self._report(time.monotonic())

    def _report(self, now_s: float) -> None:
        for sequence in self._watched:
            generated = self.batch.generated_by(sequence)
            if generated > sequence.generated and now_s - sequence.reported_at_s >= DELTA_INTERVAL_S:
                sequence.generated = generated
                sequence.reported_at_s = now_s
                _tell(sequence)

    def _wait_for_stall_end(self) -> None:
        end_s = self.batch.next_stall_end_s()
        if end_s is not None:
            self._due_s = end_s
            self._set_timer(end_s)

    def _set_timer(self, due_s: float) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(max(0.0, due_s - time.monotonic()), self._ring)


def _tell(sequence: Sequence) -> None:
    if sequence.news is not None and not sequence.news.done():
        sequence.news.set_result(None)

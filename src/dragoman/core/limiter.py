"""How many calls may be in flight to one replica, in plain synchronous code: time comes in as a number.

An engine that batches continuously works on as many calls at once as it has slots, and the best limit is just that
many. Below it every call adds throughput although it makes the others longer, so that latency by itself misleads;
above it calls queue inside the engine, where nothing can be reordered or dropped. Where the engine does not tell its
slots, two things that can be seen from outside do:

- Throughput. While slots are free, twice the calls bring nearly twice the tokens; with none free they bring nothing.
  This is plain to see among few slots, and hardly any more among hundreds.
- What a call takes however short its text is. A step's time grows with the batch and a text's time with its length,
  but a call without a slot waits as long for a short text as for a long one. By Little's law the calls in the
  engine's own queue are `flying * waiting time / whole time`, and the others hold its slots. This needs some dozens of
  calls, and is the sharper the more slots there are.

failsafe-go's adaptive limiter, which correlates throughput with concurrency, is a relative of the first.
"""

from __future__ import annotations

import math
from typing import NamedTuple, Protocol

from dragoman.core.limiter_model import Before, Window

_USED = 0.8
"""Calls in flight relative to the limit, below which they say nothing about a higher one."""
_STEP_SLOPE = 0.015
"""How much longer a decode step takes per further sequence, as published for vLLM 0.13 (see the simulated profiles)."""
_NO_GAIN = 0.3
_FULL_GAIN = 0.7
_GAIN_RISE = 1.4
"""A rise of the limit below this changes the throughput less than chance does."""
_SETTLED, _SETTLED_ALIKE = 2, 3
"""Calls that have to land, for each one in flight, before the throughput under a new limit can be trusted."""
_QUEUE_SHARE = 0.06
_QUEUE_CALLS = 0.4
"""The engine's queue that passes for none: so much of the calls in flight, and at least so many."""
_SURE = 2.0
"""Standard errors that a conclusion needs."""
_FIRST_FLOOR = 0.2
_FLOOR_DOWN, _FLOOR_UP, _FLOOR_UP_QUEUED = 0.5, 0.25, 0.1
_MIN_LOOK, _MAX_LOOKS, _MIN_LAST = 16, 4, 32
_PROBE, _RAMP = 1.1, 2.0
_HOLDS = 2
"""Windows without a queue between a probe that found one and the next."""
_DIP_EVERY = 8
"""Among so many times that the limit settles, one goes by way of half of it, to see a high floor without a queue."""
_MAX_REFUSED = 0.1
_BACK_OFF = 0.7


class Limiter(Protocol):
    """Decides how many calls may be in flight to one replica; `limit` is at least 1 and may change at any landing."""

    @property
    def limit(self) -> int: ...

    def landed(self, now: float, *, took_s: float, tokens: int, flying: int, ok: bool) -> None:
        """Learn from a call that ended at `now`; any clock will do that never goes back.

        `tokens` is what it wrote, or an estimate; `flying` counts the calls in flight when it ended, itself included.
        Not `ok` is one that timed out or was refused for load. Cancelled calls and refused texts are not reported.
        """
        ...


class FixedLimit:
    """The limit of an engine that tells its slots."""

    def __init__(self, limit: int) -> None:
        self._limit = limit

    def __repr__(self) -> str:
        return f"<FixedLimit: {self._limit}>"

    @property
    def limit(self) -> int:
        return self._limit

    def follow(self, limit: int) -> None:
        """Use as many slots as the engine's latest probe told."""
        self._limit = limit

    def landed(self, now: float, *, took_s: float, tokens: int, flying: int, ok: bool) -> None:
        """Nothing to learn."""


class _Rung(NamedTuple):
    """A limit without a queue, and its throughput."""

    limit: int
    tokens_per_s: float


class AdaptiveLimit:
    """Finds the slots of an engine that does not tell them, and follows when they change.

    It measures in windows of calls, each under one limit. The limit doubles until throughput stops rising or calls
    queue, then holds where none does, probing a tenth higher every third window, and by ever larger steps as long as
    no queue shows. It rises only while it is used, so it stays below two and a half times what was ever in flight.
    If all texts have one length, only throughput is left, and the limit is within some three times the slots.

    The mutable state is the limit, the window, the step of the next rise, how long the limit has been held, how often
    it settled, where to return to from a dip, the last rung below, and the floor: the share of a call's time that
    passes before its first token when nothing queues.
    """

    def __init__(self, start: int = 1, ceiling: int = 1024) -> None:
        self._limit = start
        self._ceiling = ceiling
        self._window = Window(-math.inf)
        self._rise = _RAMP
        self._held = 0
        self._settled = 0
        self._above_dip: int | None = None
        self._rung: _Rung | None = None
        self._floor: float | None = None

    def __repr__(self) -> str:
        return f"<AdaptiveLimit: {self._limit}, next x{self._rise:.1f}, {self._window!r}>"

    @property
    def limit(self) -> int:
        return self._limit

    def landed(self, now: float, *, took_s: float, tokens: int, flying: int, ok: bool) -> None:
        """Learn from a call that ended, as `Limiter.landed` says."""
        if now - took_s < self._window.began_s:
            return  # sent under another limit
        if not ok:
            self._refused(now)
            return
        self._window.add(took_s, tokens, flying)
        if self._window.calls % self._look_calls == 0:
            self._look(now)

    @property
    def _look_calls(self) -> int:
        """Calls between two looks at a window. With few slots they are slow to come, and each says more."""
        return max(min(_MIN_LOOK, 2 + 2 * self._limit), self._limit // 2)

    def _refused(self, now: float) -> None:
        window = self._window
        window.refused += 1
        # Some calls time out for reasons of their own; a load that is too high makes many.
        if window.refused > _MAX_REFUSED * max(window.calls, self._limit):
            self._settle(now, int(self._limit * _BACK_OFF))

    def _look(self, now: float) -> None:
        used = self._window.mean_flying >= _USED * self._limit
        gain = self._gain() if used else None
        if gain is not None and gain < _NO_GAIN and self._rung:
            self._settle(now, self._rung.limit)
            return
        queued = self._queued(gain)
        if queued is None:
            return
        if queued:
            self._settle(now, self._without(queued))
        elif used:
            self._climb(now)
        else:
            self._measure(now, self._limit)

    def _gain(self) -> float | None:
        """What the rise since the last rung brought in tokens/s: 0 nothing, 1 what the batch model promises."""
        if self._rung is None or self._limit < _GAIN_RISE * self._rung.limit:
            return None
        more = math.log(self._window.tokens_per_s / self._rung.tokens_per_s)
        return more / math.log(self._limit / self._rung.limit) * (1 + _STEP_SLOPE * self._limit)

    def _queued(self, gain: float | None) -> float | None:
        """Calls in the engine's own queue, 0 for few enough; None when more calls have to land before it is clear."""
        window = self._window
        before = window.before()
        if before is None:  # the throughput decides, once it tells
            return 0.0 if window.calls >= _SETTLED_ALIKE * self._limit else None
        flying = window.mean_flying
        floor = self._floor_under(before, flying)
        queued = flying * (before.share - floor) / (1 - floor) if floor < 1 else 0.0
        error = before.error * flying
        few = max(_QUEUE_CALLS, _QUEUE_SHARE * flying)
        # Texts that land early are short and had luck: they feign a throughput that only later ones put right.
        gained = gain is not None and gain > _FULL_GAIN and window.calls >= _SETTLED * self._limit
        found = not gained and queued > max(few, _SURE * error)
        plain = gained or (abs(queued - few) >= _SURE * error and (found or gain is None or gain > _FULL_GAIN))
        if not plain and not self._is_last_look:
            return None
        self._learn_floor(before, floor, found)
        return queued if found else 0.0

    @property
    def _is_last_look(self) -> bool:
        return self._window.calls >= max(_MAX_LOOKS * self._look_calls, _MIN_LAST)

    def _floor_under(self, before: Before, flying: float) -> float:
        """The floor as known, raised to what is certain: of n calls in flight no more than n - 1 can queue."""
        known = min(before.share, _FIRST_FLOOR) if self._floor is None else self._floor
        return max(known, 1 - (1 - before.share) * flying)

    def _learn_floor(self, before: Before, floor: float, queued: bool) -> None:
        # Quickly down and slowly up: a queue raises the share, and nothing lowers it below the floor but chance.
        # Up even so, for a prompt that became longer would otherwise pass for a queue for ever.
        up = _FLOOR_UP_QUEUED if queued else _FLOOR_UP
        self._floor = floor + (before.share - floor) * (_FLOOR_DOWN if before.share < floor else up)

    def _without(self, queued: float) -> int:
        """The limit that leaves no queue. What had none a window ago is not undercut on a first suspicion."""
        limit = round(self._window.mean_flying - queued)
        if self._rung and self._rung.limit < self._limit:
            return max(limit, self._rung.limit)
        return limit

    def _climb(self, now: float) -> None:
        rung = self._rung
        if rung is None or self._limit == rung.limit or self._limit >= _GAIN_RISE * rung.limit:
            self._rung = _Rung(self._limit, self._window.tokens_per_s)
        if self._above_dip is not None:
            limit, self._above_dip = self._above_dip, None
            self._measure(now, limit)
            return
        if self._rise == _PROBE and self._held < _HOLDS:
            self._held += 1
            self._measure(now, self._limit)
            return
        higher = max(self._limit + 1, round(self._limit * self._rise))
        self._rise = min(_RAMP, 1 + 2 * (self._rise - 1))
        self._measure(now, higher)

    def _settle(self, now: float, limit: int) -> None:
        self._rise = _PROBE
        self._held = 0
        self._rung = None
        self._above_dip = None
        self._settled += 1
        # Calls before a cold engine, or a slow network's first ones, set the floor too high, and a queue hides below.
        if self._floor is not None and self._floor > _FIRST_FLOOR and self._settled % _DIP_EVERY == 1:
            self._above_dip = limit
            limit //= 2
        self._measure(now, limit)

    def _measure(self, now: float, limit: int) -> None:
        self._limit = max(1, min(self._ceiling, limit))
        self._window = Window(now)

"""How far a job is, as people are told: rows, rate, time left, what it cost."""

from __future__ import annotations

import math
from collections import deque

import msgspec
from msgspec import Struct

from dragoman.jobs.cells import Tally
from dragoman.jobs.spec import Counts, JobState
from dragoman.types import Tokens

WINDOW_S = 300.0
"""The rate is that of the last five minutes: engines and inputs change in the course of a night."""

MILLION = 1_000_000


class Prices(Struct, frozen=True, kw_only=True):
    """What a million tokens cost, in whatever currency; None where nobody said."""

    input: float | None = None
    output: float | None = None

    def cost(self, tokens: Tokens) -> float | None:
        """What so many tokens cost; None where no price is known."""
        if self.input is None and self.output is None:
            return None
        return (tokens.prompt * (self.input or 0.0) + tokens.output * (self.output or 0.0)) / MILLION


NO_PRICES = Prices()


class Progress(Struct, frozen=True, kw_only=True):
    """How far a job is. `rows` are those committed; `cells` also counts those of shards that are being worked on.

    `hit_rate` is the share of cells that needed no call, as they came again or were remembered. `rate` is in cells
    per second, `tokens_per_s` counts those in and out; they and `seconds_remaining` are None until something is known.
    `cost` is None where no price is given.
    """

    state: JobState
    reason: str = ""
    rows: int
    rows_total: int
    ok: int = 0
    passthrough: int = 0
    error: int = 0
    cells: int
    cells_total: int
    tokens: Tokens = Tokens()
    hit_rate: float | None = None
    rate: float | None = None
    tokens_per_s: float | None = None
    seconds_remaining: int | None = None
    cost: float | None = None
    at: float = 0.0

    def as_note(self) -> bytes:
        """As it stands in a ledger, for other processes."""
        return msgspec.msgpack.encode(self)


def progress_in(note: bytes) -> Progress | None:
    """The progress of a note; None where nothing was noted yet."""
    return msgspec.msgpack.decode(note, type=Progress) if note else None


class Meter:
    """Makes progress out of counts; the mutable state is what was done when in the last five minutes."""

    def __init__(self, cells_total: int, cells_before: int, tokens_before: Tokens, prices: Prices) -> None:
        self._total = cells_total
        self._before = cells_before
        self._tokens_before = tokens_before
        self._prices = prices
        self._marks: deque[tuple[float, int, int]] = deque()

    def read(self, now: float, state: JobState, reason: str, rows_total: int, counts: Counts, tally: Tally) -> Progress:
        """The progress at `now`, in seconds since the epoch; `counts` are those of what is committed."""
        cells = min(self._total, self._before + tally.settled)
        tokens = self._tokens_before + tally.tokens
        rate, tokens_per_s = self._rates(now, cells, tokens.prompt + tokens.output)
        return Progress(
            state=state,
            reason=reason,
            rows=counts.rows,
            rows_total=rows_total,
            ok=counts.ok,
            passthrough=counts.passthrough,
            error=counts.error,
            cells=cells,
            cells_total=self._total,
            tokens=tokens,
            hit_rate=_hit_rate(tally),
            rate=rate,
            tokens_per_s=tokens_per_s,
            seconds_remaining=math.ceil((self._total - cells) / rate) if rate else None,
            cost=self._prices.cost(tokens),
            at=now,
        )

    def _rates(self, now: float, cells: int, tokens: int) -> tuple[float | None, float | None]:
        self._marks.append((now, cells, tokens))
        while len(self._marks) > 2 and self._marks[1][0] < now - WINDOW_S:
            self._marks.popleft()
        since, cells_before, tokens_before = self._marks[0]
        if now <= since or cells <= cells_before:
            return None, None
        return (cells - cells_before) / (now - since), (tokens - tokens_before) / (now - since)


def _hit_rate(tally: Tally) -> float | None:
    asked = tally.settled - tally.copied
    calls = max(0, tally.called - tally.flying - tally.remembered)
    return max(0.0, 1 - calls / asked) if asked > 0 else None

"""Limits of concurrency against each other, before the same simulated engine with the same texts.

The adaptive limit, one fixed number for all engines, and a limiter that watches latency (Gradient2 of Netflix's
concurrency-limits, with a minimum of 1). All in virtual time: the figures are the same on every machine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from bench.closed_loop import ClosedLoop, Load, Moment, average_limit, average_waiting, tokens_per_s
from bench.report import Report
from dragoman.core.limiter import AdaptiveLimit, FixedLimit, Limiter
from dragoman.engines.simulated_profiles import Profile, profile_named

RUN_S = 60.0
SETTLED_S = 15.0
SUSTAINED_S = 5.0
FIXED = 20
MACHINES = (("ollama-1", 1), ("4090-27b", 4), ("h100-27b", 16), ("h100-27b", 64), ("h100-4b", 256))
LOADS = {"even": Load(), "jitter and stalls": Load(jitter=0.2, stall_rate=0.01, stall_s=2.0)}


class Gradient2:
    """Shrinks the limit when calls take longer than they long did. Windows of a second, the constants published."""

    def __init__(self) -> None:
        self._limit = float(FIXED)
        self._long_s = 0.0
        self._windows = 0
        self._began_s = 0.0
        self._took_s: list[float] = []

    @property
    def limit(self) -> int:
        return int(self._limit)

    def landed(self, now: float, *, took_s: float, tokens: int, flying: int, ok: bool) -> None:
        self._took_s.append(took_s)
        if now - self._began_s >= 1 and len(self._took_s) >= 10:
            self._update(sum(self._took_s) / len(self._took_s), flying)
            self._took_s, self._began_s = [], now

    def _update(self, short_s: float, flying: int) -> None:
        self._windows += 1
        weight = 1 / self._windows if self._windows <= 10 else 2 / 601
        self._long_s += weight * (short_s - self._long_s)
        if self._long_s > 2 * short_s:
            self._long_s *= 0.95
        if flying >= self._limit / 2:
            gradient = max(0.5, min(1.0, 1.5 * self._long_s / short_s))
            self._limit = max(1.0, min(1024.0, 0.8 * self._limit + 0.2 * (self._limit * gradient + 4)))


LIMITERS: dict[str, Callable[[], Limiter]] = {
    "adaptive": AdaptiveLimit,
    f"fixed {FIXED}": lambda: FixedLimit(FIXED),
    "Gradient2": Gradient2,
}


async def run() -> Report:
    """Takes some seconds."""
    return Report(
        name="limiter",
        title="Finding an engine's slots from outside",
        columns=("engine", "slots", "load", "limiter", "limit", "at the slots after", "queue", "throughput"),
        rows=[
            row
            for machine, slots in MACHINES
            for load in LOADS
            for row in _rows(replace(profile_named(machine), slots=slots), load)
        ],
        notes=(
            f"Simulated, {RUN_S:.0f} s with always enough callers; limit, queue and throughput are averages after "
            f"{SETTLED_S:.0f} s.",
            f"At the slots after: from then on the average limit of any {SUSTAINED_S:.0f} s is within 20 % of them, or "
            "one call. Never is never in this run.",
            "The queue is the engine's own, in shares of its slots; the throughput that of a limit fixed at the slots.",
        ),
    )


def _rows(profile: Profile, load: str) -> list[tuple[str, ...]]:
    best = tokens_per_s(_settled(_history(FixedLimit(profile.slots), profile, load)))
    return [_row(name, _history(make(), profile, load), profile, load, best) for name, make in LIMITERS.items()]


def _row(name: str, history: Sequence[Moment], profile: Profile, load: str, best: float) -> tuple[str, ...]:
    settled = _settled(history)
    return (
        profile.name,
        str(profile.slots),
        load,
        name,
        f"{average_limit(settled):.1f}",
        _found_after(history, profile.slots),
        f"{average_waiting(settled) / profile.slots:.0%}",
        f"{tokens_per_s(settled) / best:.1%}",
    )


def _history(limiter: Limiter, profile: Profile, load: str) -> Sequence[Moment]:
    loop = ClosedLoop(limiter, profile, LOADS[load])
    loop.run(RUN_S)
    return loop.history


def _settled(history: Sequence[Moment]) -> Sequence[Moment]:
    return [moment for moment in history if moment.now_s >= SETTLED_S]


def _found_after(history: Sequence[Moment], slots: int) -> str:
    """The last time that the average of the next few seconds is off, plus one."""
    starts = range(int(RUN_S - SUSTAINED_S))
    averages = (average_limit([m for m in history if start <= m.now_s < start + SUSTAINED_S]) for start in starts)
    off = [start for start, limit in zip(starts, averages, strict=True) if abs(limit - slots) > max(1, 0.2 * slots)]
    if not off:
        return "0 s"
    return "never" if off[-1] == starts[-1] else f"{off[-1] + 1} s"

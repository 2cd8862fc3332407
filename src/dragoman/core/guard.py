"""The memory guard: gives RAM back, and then takes less work, before the system kills the process.

It watches the resident size of this process alone. An engine's own process has memory of its own, which its model and
its slots bound.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from enum import IntEnum
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil
from msgspec import Struct

from dragoman.core.scheduler import Scheduler
from dragoman.memory.tiers import TieredMemory

log = logging.getLogger(__name__)

SOFT_SHARE, HARD_SHARE = 0.7, 0.9
"""Where the limits are when none are set, as shares of the memory this process may have at all."""

RELIEF = 0.95
"""A limit counts as passed until the resident size is below this share of it, so that nothing flutters at the edge."""

WATCH_EVERY_S = 1.0

KEPT_SHARE = 0.9
"""What each look past the soft limit leaves in the hot tier: not less at once, for the event loop waits meanwhile.

A tenth of half a million entries goes in some 40 ms.
"""


class Pressure(IntEnum):
    """How short of memory the process is."""

    NORMAL = 0
    """Everything goes its way."""
    SOFT = 1
    """The hot tier shrinks and bulk waits."""
    HARD = 2
    """New work is refused as well; what was admitted goes on."""


class RSSLimits(Struct, frozen=True):
    """Resident sizes at which the guard acts, in bytes; 0 switches one off."""

    soft_bytes: int
    hard_bytes: int


def limits_of(soft_bytes: int | None, hard_bytes: int | None) -> RSSLimits:
    """The limits as they are set, and for None the usual share of the memory there is.

    Where only the hard limit is set, the soft one keeps its distance from it.
    """
    memory_bytes = hard_bytes / HARD_SHARE if hard_bytes else allowed_memory_bytes()
    return RSSLimits(
        int(memory_bytes * SOFT_SHARE) if soft_bytes is None else soft_bytes,
        int(memory_bytes * HARD_SHARE) if hard_bytes is None else hard_bytes,
    )


def pressure_at(rss_bytes: int, limits: RSSLimits, before: Pressure) -> Pressure:
    """The pressure that a resident size means, where it was `before`."""
    if _passed(rss_bytes, limits.hard_bytes, before >= Pressure.HARD):
        return Pressure.HARD
    if _passed(rss_bytes, limits.soft_bytes, before >= Pressure.SOFT):
        return Pressure.SOFT
    return Pressure.NORMAL


def _passed(rss_bytes: int, limit_bytes: int, passed_before: bool) -> bool:
    return 0 < limit_bytes * (RELIEF if passed_before else 1.0) <= rss_bytes


def own_rss_bytes() -> int:
    """The resident size of this process."""
    return int(psutil.Process().memory_info().rss)


class MemoryGuard:
    """Watches the resident size once a second and acts on it. An async context manager that owns only that task."""

    def __init__(
        self,
        scheduler: Scheduler,
        memory: TieredMemory | None,
        limits: RSSLimits,
        *,
        rss_bytes: Callable[[], int] = own_rss_bytes,
    ) -> None:
        self._scheduler = scheduler
        self._memory = memory
        self._rss_bytes = rss_bytes
        self.limits = limits
        self.pressure = Pressure.NORMAL

    @property
    def rss_bytes(self) -> int:
        """The resident size of this process just now."""
        return self._rss_bytes()

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._watch(), name="memory guard")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])

    def look(self) -> None:
        """Measure once, and act on it."""
        rss_bytes = self.rss_bytes
        pressure = pressure_at(rss_bytes, self.limits, self.pressure)
        if pressure is not self.pressure:
            self._change(pressure, rss_bytes)
        if pressure >= Pressure.SOFT and self._memory is not None:
            self._memory.shrink_hot(KEPT_SHARE)

    def _change(self, pressure: Pressure, rss_bytes: int) -> None:
        self.pressure = pressure
        self._scheduler.pause_bulk(pressure >= Pressure.SOFT)
        self._scheduler.refuse(_REFUSAL if pressure is Pressure.HARD else None)
        log.log(
            logging.INFO if pressure is Pressure.NORMAL else logging.WARNING,
            "The process holds %d MB of RAM (limits %d and %d): %s",
            rss_bytes // 2**20,
            self.limits.soft_bytes // 2**20,
            self.limits.hard_bytes // 2**20,
            _DONE[pressure],
        )

    async def _watch(self) -> None:
        while True:
            try:
                self.look()
            except Exception:  # a guard that fell asleep unnoticed would be worse than none
                log.critical("The memory guard could not do its work. This is a bug.", exc_info=True)
            await asyncio.sleep(WATCH_EVERY_S)


_REFUSAL = "The server is short of memory and takes no new work for now. Try again in a moment."

_DONE = {
    Pressure.NORMAL: "all work goes on.",
    Pressure.SOFT: "the hot tier of the memory shrinks and bulk waits. Lower --memory-bytes if this comes often.",
    Pressure.HARD: "new work is refused. Lower --max-waiting-segments and --max-body-bytes if this comes often.",
}


def allowed_memory_bytes(root: Path = Path("/")) -> int:
    """The memory this process may have: the machine's, or less where its container or service is bounded."""
    bounds = (_read_bound(path) for path in _bound_files(root))
    return min([psutil.virtual_memory().total, *(bound for bound in bounds if bound is not None)])


def _bound_files(root: Path) -> list[Path]:
    """Where cgroups bound memory: v2 for its own group and each above it, v1 as containers see it."""
    cgroups = root / "sys/fs/cgroup"
    own = next((line[3:] for line in _lines(root / "proc/self/cgroup") if line.startswith("0::")), "/")
    group = Path(own.strip("/"))
    return [
        *(cgroups / above / "memory.max" for above in (group, *group.parents)),
        cgroups / "memory/memory.limit_in_bytes",
    ]


def _read_bound(path: Path) -> int | None:
    words = "".join(_lines(path))
    return int(words) if words.isdecimal() else None  # v2 says "max" where there is no bound


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except OSError:  # not every system has cgroups
        return []

"""How many processor cores this process may keep busy."""

from __future__ import annotations

import math
import os
from pathlib import Path

SYSTEM = Path("/")


def usable_cores(root: Path = SYSTEM) -> int:
    """Physical cores this process may run on, within the CPU quota of its container; at least 1.

    Two threads on one core's hyper-threads gain nothing in matrix work, and threads beyond a quota are stopped by the
    kernel in the middle of a step. Where the system does not say (no /sys, no cgroup v2), every logical CPU counts.
    """
    cores = {_core_of(cpu, root) for cpu in _allowed_cpus()}
    return max(1, int(min(len(cores), _quota(root))))


def _allowed_cpus() -> set[int]:
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


def _core_of(cpu: int, root: Path) -> str:
    """The CPUs that share a core with `cpu`, as the kernel writes them: the same words for all of them."""
    return _read(root / f"sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list") or str(cpu)


def _quota(root: Path) -> float:
    """CPUs that the container may use at once, rounded down; infinite where there is no quota."""
    words = _read(root / "sys/fs/cgroup/cpu.max").split()
    if len(words) != 2 or words[0] == "max":
        return math.inf
    return int(words[0]) // int(words[1])


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return ""

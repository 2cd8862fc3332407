"""Pictures of what benches found."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from matplotlib.figure import Figure


class Load(Protocol):
    """What came of one offered load; `load` is its share of the capacity."""

    @property
    def load(self) -> float: ...
    @property
    def offered_per_s(self) -> float: ...
    @property
    def good_per_s(self) -> float: ...
    def latency_ms(self, share: float) -> float: ...


def plot_open_loop(path: Path, stages: Sequence[Load], *, slo_ms: float) -> None:
    """Write a PNG: above, the latency of answered requests against the offered load; below, offered and good."""
    loads = [100 * stage.load for stage in stages]
    figure = Figure(figsize=(8, 7), layout="constrained")
    latency, rate = figure.subplots(2, 1, sharex=True)
    for share, label in ((0.5, "p50"), (0.95, "p95"), (0.99, "p99")):
        latency.plot(loads, [stage.latency_ms(share) for stage in stages], marker="o", label=label)
    latency.axhline(slo_ms, color="grey", linestyle=":", label="callers leave")
    latency.set(ylabel="latency of answered requests, ms", ylim=(0, None))
    rate.plot(loads, [stage.offered_per_s for stage in stages], linestyle="--", color="grey", label="offered")
    rate.plot(loads, [stage.good_per_s for stage in stages], marker="o", label="answered in time")
    rate.set(xlabel="offered load, % of the engine's capacity", ylabel="requests/s", ylim=(0, None))
    for axes in (latency, rate):
        axes.grid(alpha=0.3)
        axes.legend()
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=120)

"""What the calls that landed under one limit tell: the throughput, and how much of a call passes before it begins.

The model is `took = before + each * tokens`. It is fitted by least squares, each call's error reckoned relative to its
length: with `span = tokens + mean tokens` the line is `took / span = each + slope / span`.
"""

from __future__ import annotations

import math
from statistics import fmean, median
from typing import NamedTuple

_MIN_CALLS = 6
_MIN_SPREAD = 1e-4
"""Variance of 1 / span, relative to its squared mean; below, all texts are as long and nothing can be told apart."""
_STALLED = 4.0
"""A call that took so many times what calls of its length take is no measure of the others."""
_MIN_TOOK_S = 1e-6


class Before(NamedTuple):
    """The share of a call's time (0 to 1) that does not depend on its length, and the standard error of it."""

    share: float
    error: float


class Window:
    """Calls that were both sent and landed under one limit.

    The mutable state is what each of them told, and how many were refused.
    """

    def __init__(self, began_s: float) -> None:
        self.began_s = began_s
        self.refused = 0
        self._flying = 0
        self._tokens: list[int] = []
        self._took_s: list[float] = []

    def __repr__(self) -> str:
        return f"<Window since {self.began_s:.1f} s: {self.calls} calls, {self.refused} refused>"

    @property
    def calls(self) -> int:
        return len(self._took_s)

    def add(self, took_s: float, tokens: int, flying: int) -> None:
        """Count a call that was answered; `flying` is how many were in flight when it landed."""
        self._flying += flying
        self._tokens.append(max(1, tokens))
        self._took_s.append(max(_MIN_TOOK_S, took_s))

    @property
    def mean_flying(self) -> float:
        return self._flying / self.calls

    @property
    def tokens_per_s(self) -> float:
        """Throughput by Little's law: pauses between bursts do not lower it."""
        return self.mean_flying * sum(self._tokens) / sum(self._took_s)

    def before(self) -> Before | None:
        """The fitted share; None where the calls are too few, or too much alike in length, for a fit."""
        if self.calls < _MIN_CALLS:
            return None
        mean_tokens = fmean(self._tokens)
        points = self._points(mean_tokens)
        mean_x, mean_y = fmean(x for x, _ in points), fmean(y for _, y in points)
        spread = sum((x - mean_x) ** 2 for x, _ in points)
        if spread < _MIN_SPREAD * len(points) * mean_x**2:
            return None
        slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / spread
        each_s = mean_y - slope * mean_x
        before_s = slope + each_s * mean_tokens
        whole_s = before_s + each_s * mean_tokens
        variance = sum((y - each_s - slope * x) ** 2 for x, y in points) / (len(points) - 2)
        lever = 1 - mean_x * mean_tokens  # before_s = mean_y * mean_tokens + slope * lever
        error_s = math.sqrt(variance * (mean_tokens**2 / len(points) + lever**2 / spread))
        return Before(min(1.0, max(0.0, before_s / whole_s)), error_s / whole_s)

    def _points(self, mean_tokens: float) -> list[tuple[float, float]]:
        """1 / span and took / span of every call that did not stall."""
        points = [
            (1 / (tokens + mean_tokens), took_s / (tokens + mean_tokens))
            for tokens, took_s in zip(self._tokens, self._took_s, strict=True)
        ]
        most = _STALLED * median(y for _, y in points)
        return [(x, y) for x, y in points if y <= most]

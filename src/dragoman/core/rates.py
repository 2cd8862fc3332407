"""Two small measures the scheduler decides by: how fast work drains, and how many retries that pays for."""

from __future__ import annotations


class DrainRate:
    """How many segments a second are finished, as an average over about the last 16."""

    def __init__(self) -> None:
        self._interval_s: float | None = None
        self._last_s: float | None = None

    def count(self, now: float, segments: int = 1) -> None:
        """Note that so many segments were finished at `now` (seconds of any steady clock)."""
        for _ in range(segments):
            if self._last_s is not None:
                interval_s = min(now - self._last_s, 10.0)
                known_s = interval_s if self._interval_s is None else self._interval_s
                self._interval_s = known_s + (interval_s - known_s) / 16
            self._last_s = now

    def seconds_for(self, segments: int) -> float:
        """Time to finish so many segments, 1 to 120 s; 5 s while nothing is known yet."""
        if self._interval_s is None:
            return 5.0
        return min(120.0, max(1.0, segments * self._interval_s))


class RetryBudget:
    """Retries are load: at most one for `PER_CALLS` calls, and a few from the start (Finagle's and failsafe's 20 %)."""

    PER_CALLS = 5
    RESERVE = 10.0

    def __init__(self) -> None:
        self._left = self.RESERVE

    def earn(self, calls: int = 1) -> None:
        """Note first tries."""
        self._left = min(self.RESERVE, self._left + calls / self.PER_CALLS)

    def spend(self) -> bool:
        """Take one retry out of the budget; False if there is none left."""
        if self._left < 1:
            return False
        self._left -= 1
        return True

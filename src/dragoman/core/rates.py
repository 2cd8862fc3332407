"""Small measures the scheduler decides by: how fast work drains, how many retries that pays for, what is slow."""

from __future__ import annotations

from collections import deque


class DrainRate:
    """How many segments a second are finished while some wait, over the last `WINDOW` of them.

    Time comes in as seconds of any steady clock. What lands while nothing waits says how much was asked for and not
    how much can be done, so `pause` leaves it out.
    """

    WINDOW = 128
    FEWEST = 8

    def __init__(self) -> None:
        self._landings: deque[float] = deque(maxlen=self.WINDOW)
        self._interval_s: float | None = None

    def count(self, now: float) -> None:
        """Note that a segment was finished at `now`."""
        self._landings.append(now)
        if len(self._landings) >= self.FEWEST:
            self._interval_s = (now - self._landings[0]) / (len(self._landings) - 1)

    def pause(self) -> None:
        """Note that nothing waits; the rate known so far is kept until there is a newer one."""
        self._landings.clear()

    def estimate_s(self, segments: int) -> float | None:
        """How long it takes to finish so many segments; None while nothing is known."""
        return None if self._interval_s is None else segments * self._interval_s

    def retry_after_s(self, segments: int) -> float:
        """A time after which so many segments should be done, fit to tell a client: 1 to 120 s, 5 s if unknown."""
        estimate_s = self.estimate_s(segments)
        return 5.0 if estimate_s is None else min(120.0, max(1.0, estimate_s))


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


class SlowCall:
    """The time that 19 of 20 of the last `WINDOW` calls did not take; None until there are enough to tell."""

    WINDOW = 256
    EVERY = 32

    def __init__(self) -> None:
        self._took_s: deque[float] = deque(maxlen=self.WINDOW)
        self._observed = 0
        self.seconds: float | None = None

    def observe(self, took_s: float) -> None:
        """Note a call that ended."""
        self._took_s.append(took_s)
        self._observed += 1
        if self._observed % self.EVERY == 0:
            self.seconds = sorted(self._took_s)[len(self._took_s) * 19 // 20]

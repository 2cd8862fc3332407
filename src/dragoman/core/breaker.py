"""A circuit breaker: a replica that keeps failing is left alone for a while, then tried with one call."""

from __future__ import annotations

FAILURES_TO_OPEN = 5
SHORTEST_S, LONGEST_S = 1.0, 30.0


class Breaker:
    """Closed while calls succeed; open after `FAILURES_TO_OPEN` failures in a row; then half open, for one call.

    Plain state: time comes in as seconds of any steady clock. Only failures of the replica count, never a caller's
    mistake or a caller who left.
    """

    def __init__(self) -> None:
        self._failures = 0
        self._open_until: float | None = None
        self._pause_s = SHORTEST_S

    def room(self, now: float, limit: int) -> int:
        """How many segments may fly at once: the limit, none while open, one while half open."""
        if self._open_until is None:
            return limit
        return 0 if now < self._open_until else min(limit, 1)

    @property
    def failures(self) -> int:
        """Failures in a row."""
        return self._failures

    def is_open(self, now: float) -> bool:
        """Whether calls are kept away just now."""
        return self._open_until is not None and now < self._open_until

    def retry_at(self) -> float | None:
        """When an open breaker lets one call through; None while it is closed."""
        return self._open_until

    def succeeded(self) -> None:
        """A call came back: the replica works."""
        self._failures = 0
        self._open_until = None
        self._pause_s = SHORTEST_S

    def failed(self, now: float) -> None:
        """A call failed; the pause doubles each time a half-open trial fails."""
        self._failures += 1
        if self._open_until is not None and now >= self._open_until:
            self._pause_s = min(LONGEST_S, self._pause_s * 2)
            self._open_until = now + self._pause_s
        elif self._failures >= FAILURES_TO_OPEN and self._open_until is None:
            self._open_until = now + self._pause_s

"""When a job stops by itself: too many errors, or too much spent."""

from __future__ import annotations

from dragoman.jobs.cells import Tally
from dragoman.jobs.progress import NO_PRICES, Prices
from dragoman.types import Tokens

NO_TOKENS = Tokens()

LOOKED_AT = 50
"""So many answers are looked at together: where more than half of them are errors, something is wrong with more than
the texts (a key that is refused, a model that is not there), and going on would only spoil further rows.
"""


class Brakes:
    """The limits of one run of a job, and what earlier runs have used of them.

    The mutable state is how many answers and errors there were when they were last looked at together.
    """

    def __init__(
        self,
        *,
        max_errors: int | None = None,
        max_cost: float | None = None,
        prices: Prices = NO_PRICES,
        errors_before: int = 0,
        tokens_before: Tokens = NO_TOKENS,
    ) -> None:
        self._max_errors = max_errors
        self._max_cost = max_cost
        self._prices = prices
        self._errors_before = errors_before
        self._tokens_before = tokens_before
        self._looked = (0, 0)

    def reason_to_stop(self, tally: Tally) -> str | None:
        """Why the job is to stop now, and what to do then; None where it may go on."""
        errors = self._errors_before + tally.errors
        if self._max_errors is not None and errors > self._max_errors:
            return (
                f"{errors} texts failed, more than the {self._max_errors} allowed. See why in the findings (`dragoman "
                "job status`), then `dragoman job retry-failed`, or resume with a higher --max-errors."
            )
        cost = self._prices.cost(self._tokens_before + tally.tokens)
        if self._max_cost is not None and cost is not None and cost >= self._max_cost:
            return (
                f"{cost:.2f} is spent, and no more than {self._max_cost:g} is allowed. Resume with a higher --max-cost."
            )
        return self._mostly_errors(tally)

    def _mostly_errors(self, tally: Tally) -> str | None:
        answers, errors = tally.called - self._looked[0], tally.errors - self._looked[1]
        if answers < LOOKED_AT:
            return None
        self._looked = (tally.called, tally.errors)
        if 2 * errors <= answers:
            return None
        return (
            f"{errors} of the last {answers} texts failed. See why in the findings (`dragoman job status`), mend it, "
            "and go on with `dragoman job retry-failed`."
        )

"""How the tokens of a batch are picked: greedily or by lot, row by row. Imported by the worker thread alone."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from dragoman.prompts.base import Decoding


class Lots:
    """Makes one greedy pass over several rows a sampled one for those that ask for it, each by a seed of its own.

    The likeliest token after noise of Gumbel's distribution is a token drawn by its probability, so rows that sample
    share a batch with rows that do not, and draw the same whoever is in it. The mutable state is the generators and,
    where a row wants log-probabilities, those of all tokens at this step, as the model has them before any sampling.
    """

    def __init__(self, rows: Sequence[Decoding], device: torch.device) -> None:
        self._rows = rows
        self._generators = {
            place: torch.Generator(device).manual_seed(row.seed)
            for place, row in enumerate(rows)
            if row.seed is not None
        }
        self._asking = [place for place, row in enumerate(rows) if row.logprob]
        self._logprobs: torch.Tensor | None = None

    def __call__(self, _ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """The scores of all tokens for each row, so that the highest is the one to take."""
        if self._asking:
            self._logprobs = scores[self._asking].log_softmax(-1)
        for place, generator in self._generators.items():
            scores[place] = _drawn(scores[place], self._rows[place], generator)
        return scores

    def logprobs_of(self, taken: torch.Tensor) -> list[float | None]:
        """For each row the log-probability of the token it took, or None where it did not ask."""
        told: list[float | None] = [None] * len(self._rows)
        if self._logprobs is not None:
            of_taken = self._logprobs.gather(-1, taken[self._asking].unsqueeze(-1)).squeeze(-1)
            for place, logprob in zip(self._asking, of_taken.tolist(), strict=True):
                told[place] = logprob
        return told


def _drawn(scores: torch.Tensor, decoding: Decoding, generator: torch.Generator) -> torch.Tensor:
    """The scores at this temperature with noise, and without the unlikely tokens beyond `top_p`."""
    tempered = scores / decoding.temperature
    probabilities, order = tempered.softmax(-1).sort(descending=True)
    beyond = order[probabilities.cumsum(-1) - probabilities >= decoding.top_p]
    noise = torch.empty_like(tempered).exponential_(generator=generator).log()
    return (tempered - noise).index_fill(-1, beyond, -torch.inf)

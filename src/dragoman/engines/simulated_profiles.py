"""The machines that the simulator can play: how fast each computes, and how many segments it works on at once.

No figures are published for TranslateGemma on most of these cards, so the times are derived, by two rules that agree
with what has been measured (Gemma 3 Q4 on an RTX 4090 writes 195, 93 and 47 tokens/s with 4B, 12B and 27B, source
llm-speed.com; single-stream rates of the other cards follow within 3 %):

- a decode step reads every weight once, at 86 % of the card's memory bandwidth, and adds about 2 ms;
- prefill costs two operations per weight and token, at half of the card's dense bf16 peak.

A step over b sequences takes `step_s * (1 + slope * (b - 1))`. Slope 0.015 fits a published run of vLLM 0.13 with the
12B model: `vllm-12b` comes within 12 % of it at batch 1, 8, 16 and 32 (915.9 tokens/s) if the lengths, of which the
means alone are known, are spread evenly up to twice the mean. Above 32 sequences the line is drawn on, which flatters.
"""

from __future__ import annotations

import difflib
import math
from typing import Literal

from msgspec import Struct

from dragoman.errors import ConfigurationError

ModelSize = Literal["4b", "12b", "27b"]
Weights = Literal["bf16", "q4"]

_VLLM_SLOTS = 64
"""What fits: 27B in bf16 leaves an 80 GB card room for about 100 sentence-sized jobs."""
_VLLM_PREFIXES = 256
"""64 tokens each: half of the room that 27B in bf16 leaves on an 80 GB card."""
_LLAMACPP_SLOTS = 4
"""What llama-server starts with when it is not told a number."""
_SLOPE = 0.015


class Profile(Struct, frozen=True, kw_only=True):
    """How one engine on one machine behaves. All times are the machine's own, before any `speed`.

    `step_s` is one decode step of one sequence, `slope` how much longer it takes per further sequence,
    `prefix_block_tokens` the grain in which a known prefix is reused, `max_prefixes` how many prefixes are remembered.
    """

    name: str
    model_size: ModelSize
    weights: Weights
    slots: int
    step_s: float
    slope: float = _SLOPE
    prefill_tokens_per_s: float
    prefix_block_tokens: int
    max_prefixes: int

    @property
    def ollama_model(self) -> str:
        return f"translategemma:{self.model_size}"

    @property
    def hub_model(self) -> str:
        return f"google/translategemma-{self.model_size}-it"

    def batch_step_s(self, sequences: int) -> float:
        """The time of one decode step that carries this many sequences."""
        return self.step_s * (1 + self.slope * (sequences - 1))


class _Card(Struct, frozen=True):
    """A GPU: memory bandwidth and dense bf16 peak as its maker states them, and a step's fixed cost."""

    bandwidth_tb_s: float
    peak_tflops: float
    overhead_s: float = 0.002


_CARDS = {
    "h100": _Card(3.35, 989),
    "a100": _Card(2.04, 312),
    "l40s": _Card(0.86, 362),
    "l4": _Card(0.30, 121),
    "4090": _Card(1.01, 165, overhead_s=0.0023),  # the overhead is what the three measured points leave
}
_PARAMETERS_BILLION = {"4b": 4, "12b": 12, "27b": 27}
_WEIGHTS_GB = {
    ("4b", "bf16"): 8.6,
    ("12b", "bf16"): 24.4,
    ("27b", "bf16"): 54.9,
    ("4b", "q4"): 2.5,
    ("12b", "q4"): 7.3,
    ("27b", "q4"): 16.6,
}


def _on_card(card_name: str, size: ModelSize, weights: Weights) -> Profile:
    card = _CARDS[card_name]
    by_vllm = weights == "bf16"
    slots = _VLLM_SLOTS if by_vllm else _LLAMACPP_SLOTS
    return Profile(
        name=f"{card_name}-{size}",
        model_size=size,
        weights=weights,
        slots=slots,
        step_s=card.overhead_s + _WEIGHTS_GB[size, weights] / (0.86 * card.bandwidth_tb_s * 1000),
        prefill_tokens_per_s=0.5 * card.peak_tflops * 1000 / (2 * _PARAMETERS_BILLION[size]),
        prefix_block_tokens=16 if by_vllm else 1,
        max_prefixes=_VLLM_PREFIXES if by_vllm else slots,
    )


def _ollama_box(slots: int) -> Profile:
    """A small Ollama machine: 21 ms a token and 60 ms for a sentence's prompt, as 27B in Q4 on an RTX 4090."""
    return Profile(
        name=f"ollama-{slots}",
        model_size="27b",
        weights="q4",
        slots=slots,
        step_s=0.021,
        prefill_tokens_per_s=1500,
        prefix_block_tokens=1,
        max_prefixes=slots,
    )


def _vllm_12b(name: str, step_s: float) -> Profile:
    return Profile(
        name=name,
        model_size="12b",
        weights="bf16",
        slots=_VLLM_SLOTS,
        step_s=step_s,
        prefill_tokens_per_s=20_000,
        prefix_block_tokens=16,
        max_prefixes=_VLLM_PREFIXES,
    )


_SLOW_CPU = Profile(
    name="slow-cpu",
    model_size="12b",
    weights="q4",
    slots=1,
    step_s=0.170,
    prefill_tokens_per_s=25,  # half of a four-core machine's 1.2 TFLOPS
    prefix_block_tokens=1,
    max_prefixes=1,
)
_INSTANT = Profile(
    name="instant",
    model_size="4b",
    weights="q4",
    slots=64,
    step_s=0.0,
    prefill_tokens_per_s=math.inf,
    prefix_block_tokens=1,
    max_prefixes=256,
)

PROFILES: dict[str, Profile] = {
    profile.name: profile
    for profile in (
        _on_card("h100", "4b", "bf16"),
        _on_card("h100", "12b", "bf16"),
        _on_card("h100", "27b", "bf16"),
        _on_card("a100", "4b", "bf16"),
        _on_card("a100", "12b", "bf16"),
        _on_card("a100", "27b", "bf16"),
        _on_card("l40s", "4b", "bf16"),
        _on_card("l40s", "12b", "bf16"),
        _on_card("l40s", "27b", "q4"),
        _on_card("l4", "4b", "bf16"),
        _on_card("l4", "12b", "q4"),
        _on_card("l4", "27b", "q4"),
        _on_card("4090", "4b", "q4"),
        _on_card("4090", "12b", "q4"),
        _on_card("4090", "27b", "q4"),
        _vllm_12b("vllm-12b", 0.014),  # the published run, on a card it does not name; 915.9 tokens/s at batch 32
        _vllm_12b("vllm-h100-12b", 0.011),  # h100-12b, with a little for the serving stack
        _ollama_box(1),
        _ollama_box(4),
        _SLOW_CPU,
        _INSTANT,
    )
}


def profile_named(name: str) -> Profile:
    """The profile of this name. ConfigurationError lists all of them, the closest first."""
    profile = PROFILES.get(name)
    if profile is None:
        close = difflib.get_close_matches(name, PROFILES, n=1)
        hint = f"did you mean {close[0]}? " if close else ""
        raise ConfigurationError(f"the simulator has no profile {name!r}; {hint}there are {', '.join(PROFILES)}")
    return profile

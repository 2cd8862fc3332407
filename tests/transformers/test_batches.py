"""A batch gives what its prompts would give one by one, whatever their lengths, ends and failures."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from dragoman.engines.completion import Piece
from dragoman.engines.transformers_lots import Lots
from dragoman.engines.transformers_worker import Model, load
from dragoman.errors import EngineError, EngineRejected, EngineUnavailable
from dragoman.prompts.base import Decoding, Prompt
from tests.transformers.conftest import source_of
from tests.transformers.tiny_gemma import BOS, CONTEXT_TOKENS, SLIDING_WINDOW

Size = tuple[int, int]
LETTERS = "abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ.,é東"


def prompt(text: str, *, stop: tuple[str, ...] = (), max_tokens: int = 40) -> Prompt:
    return Prompt(raw=f"{text}\n", chat=text, stop=stop, max_tokens=max_tokens)


def of_length(characters: int) -> str:
    lots = random.Random(characters)
    return "".join(lots.choice(LETTERS) for _ in range(characters))


def complete(model: Model, *prompts: Prompt) -> list[Piece | EngineError]:
    return model.complete(prompts, Event())


def one_by_one(model: Model, *prompts: Prompt) -> list[Piece | EngineError]:
    return [outcome for each in prompts for outcome in complete(model, each)]


def piece(outcome: Piece | EngineError) -> Piece:
    assert isinstance(outcome, Piece), outcome
    return outcome


def written(outcome: Piece | EngineError) -> int:
    """How many tokens the answer has."""
    tokens = piece(outcome).tokens
    assert tokens is not None
    return tokens.output


def test_a_batch_over_many_lengths_gives_what_its_prompts_give_one_by_one(tiny: Model) -> None:
    prompts = [prompt(of_length(length)) for length in range(1, 3 * SLIDING_WINDOW, 9)]

    together = complete(tiny, *prompts)

    assert together == one_by_one(tiny, *prompts)
    assert all(piece(outcome).finish == "stop" for outcome in together)
    # Else this would show nothing: the answers differ in words and in length.
    assert len({piece(outcome).text for outcome in together}) > len(prompts) // 2
    assert len({written(outcome) for outcome in together}) > 3


@settings(max_examples=8, deadline=None)
@given(st.lists(st.builds(prompt, st.text(LETTERS, max_size=90), max_tokens=st.integers(1, 9)), max_size=5))
def test_any_batch_gives_what_its_prompts_give_one_by_one(endless: Model, prompts: list[Prompt]) -> None:
    assert complete(endless, *prompts) == one_by_one(endless, *prompts)


def test_the_class_for_text_alone_gives_the_same_as_the_one_that_sees_images(tiny: Model, models: Path) -> None:
    prompts = [prompt(of_length(length)) for length in (5, 60, 20)]

    assert complete(load(source_of(models / "gemma-text")), *prompts) == complete(tiny, *prompts)


def test_each_prompt_ends_at_its_own_cap(endless: Model) -> None:
    prompts = [prompt(of_length(20), max_tokens=cap) for cap in (3, 12, 7)]

    outcomes = [piece(outcome) for outcome in complete(endless, *prompts)]

    assert [(outcome.finish, written(outcome)) for outcome in outcomes] == [
        ("length", 3),
        ("length", 12),
        ("length", 7),
    ]
    assert outcomes[1].text.startswith(outcomes[2].text)


def test_a_prompt_that_stops_and_one_that_reaches_its_cap_share_a_batch(tiny: Model) -> None:
    text = of_length(30)
    whole = piece(complete(tiny, prompt(text))[0]).text

    stopped, cut = complete(tiny, prompt(text), prompt(text, max_tokens=2))

    assert (piece(stopped).text, piece(stopped).finish) == (whole, "stop")
    assert (piece(cut).text, piece(cut).finish) == (whole[:2], "length")


def test_a_stop_text_ends_the_answer_before_it(tiny: Model) -> None:
    text = of_length(30)
    whole = piece(complete(tiny, prompt(text))[0]).text
    assert len(whole) > 3

    stopped, other = complete(tiny, prompt(text, stop=(whole[2],)), prompt(text, stop=("<end_of_turn>",)))

    assert (piece(stopped).text, piece(stopped).finish) == (whole[:2], "stop")
    assert written(stopped) == 3
    assert piece(other).text == whole


@pytest.mark.parametrize("name", ["translategemma-tiny-it", "gemma-bare"])
def test_a_raw_prompt_begins_with_exactly_one_bos_whether_the_tokenizer_adds_it_or_not(models: Path, name: str) -> None:
    ids = load(source_of(models / name)).encode(prompt("Good morning."))

    assert (ids[0], ids.count(BOS), len(ids)) == (BOS, 1, 15)


def test_a_chat_prompt_goes_through_the_models_template_and_begins_with_exactly_one_bos(tiny: Model) -> None:
    chat = Prompt(raw=None, chat="Hi", stop=(), max_tokens=8)
    raw = Prompt(raw="<start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\n", chat=None, stop=(), max_tokens=8)

    assert tiny.encode(chat) == tiny.encode(raw)
    assert tiny.encode(chat).count(BOS) == 1


def test_a_prompt_that_is_too_long_fails_alone(tiny: Model) -> None:
    good = prompt(of_length(10))

    first, too_long, last = complete(tiny, good, prompt("x" * CONTEXT_TOKENS), good)

    assert isinstance(too_long, EngineRejected)
    assert f"together they may be {CONTEXT_TOKENS}" in too_long.message
    assert [first, last] == 2 * one_by_one(tiny, good)


def test_a_prompt_without_a_raw_form_fails_alone_where_there_is_no_chat_template(models: Path) -> None:
    bare = load(source_of(models / "gemma-bare"))

    rejected, good = complete(bare, Prompt(raw=None, chat="Hi", stop=(), max_tokens=8), prompt("Hi"))

    assert isinstance(rejected, EngineRejected)
    assert "?style=" in rejected.message
    assert piece(good).text


def test_it_ends_at_the_next_token_once_it_is_abandoned(endless: Model) -> None:
    abandoned = Event()

    def leave_at_the_third_token(number: int, so_far: Piece) -> None:
        if len(so_far.text) == 3:
            abandoned.set()

    outcomes = endless.complete([prompt("Hi", max_tokens=2000)], abandoned, leave_at_the_third_token)

    assert [(piece(outcome).finish, written(outcome)) for outcome in outcomes] == [(None, 3)]


def test_an_abandoned_batch_is_not_even_begun(endless: Model) -> None:
    abandoned = Event()
    abandoned.set()

    (outcome,) = endless.complete([prompt("Hi")], abandoned)

    assert (piece(outcome).text, piece(outcome).finish, written(outcome)) == ("", None, 0)


@contextmanager
def failing_passes(model: Model, fail: Callable[[list[Size]], None]) -> Iterator[list[Size]]:
    """Record the size of each pass of the model, and let `fail`, which sees them all, raise before it."""
    passes: list[Size] = []

    def before(_net: object, _args: object, inputs: dict[str, torch.Tensor]) -> None:
        rows, columns = inputs["input_ids"].shape
        passes.append((rows, columns))
        fail(passes)

    hook = model._net.register_forward_pre_hook(before, with_kwargs=True)
    try:
        yield passes
    finally:
        hook.remove()


def test_a_batch_that_does_not_fit_into_the_memory_is_halved_until_it_does(tiny: Model) -> None:
    prompts = [prompt(of_length(length)) for length in (5, 60, 20, 40, 33)]
    expected = one_by_one(tiny, *prompts)

    def two_rows_fit(passes: list[Size]) -> None:
        if passes[-1][0] > 2:
            raise torch.OutOfMemoryError

    with failing_passes(tiny, two_rows_fit) as passes:
        outcomes = complete(tiny, *prompts)

    assert outcomes == expected
    assert [rows for rows, _ in passes[:3]] == [5, 3, 2]


def test_what_was_finished_before_the_memory_ran_out_is_kept_and_the_rest_begins_anew(tiny: Model) -> None:
    prompts = [prompt(of_length(length), max_tokens=cap) for length, cap in ((5, 40), (60, 1), (20, 40))]
    expected = one_by_one(tiny, *prompts)

    def at_the_second_token(passes: list[Size]) -> None:
        if len(passes) == 2:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    with failing_passes(tiny, at_the_second_token) as passes:
        outcomes = complete(tiny, *prompts)

    assert outcomes == expected
    assert [rows for rows, _ in passes[:3]] == [3, 3, 1]


def test_a_prompt_that_does_not_fit_into_the_memory_alone_fails_alone(tiny: Model) -> None:
    good, big = prompt(of_length(10)), prompt(of_length(60))
    (expected,) = complete(tiny, good)

    def forty_columns_fit(passes: list[Size]) -> None:
        if passes[-1][1] > 40:
            raise torch.OutOfMemoryError

    with failing_passes(tiny, forty_columns_fit):
        first, failed, last = complete(tiny, good, big, good)

    assert [first, last] == [expected, expected]
    assert isinstance(failed, EngineUnavailable)
    assert "memory" in failed.message


def test_an_error_of_torch_says_what_it_was(tiny: Model) -> None:
    def fail(_: list[Size]) -> None:
        raise RuntimeError("device-side assert triggered")

    with (
        failing_passes(tiny, fail),
        pytest.raises(EngineUnavailable, match="device-side assert triggered; restart the server"),
    ):
        complete(tiny, prompt("Hi"))


GREEDY = prompt(of_length(30))


def asked(**decoding: Any) -> Prompt:  # noqa: ANN401 - whatever a Decoding holds
    return replace(GREEDY, decoding=Decoding(**decoding))


def sampled(seed: int, top_p: float = 0.95) -> Prompt:
    return asked(temperature=2.0, top_p=top_p, seed=seed)


def test_sampled_prompts_give_the_same_alone_and_in_a_batch_and_leave_the_greedy_ones_alone(tiny: Model) -> None:
    prompts = [GREEDY, *map(sampled, range(1, 9)), GREEDY]

    together = complete(tiny, *prompts)

    assert together == one_by_one(tiny, *prompts)
    assert together[0] == together[-1] == complete(tiny, GREEDY)[0]


def test_another_seed_gives_another_answer_and_the_same_seed_the_same(tiny: Model) -> None:
    first, again = (complete(tiny, *map(sampled, range(1, 9))) for _ in range(2))

    assert first == again
    assert len({piece(outcome).text for outcome in first}) > 4


def test_a_vanishing_nucleus_leaves_only_the_likeliest_token(tiny: Model) -> None:
    assert complete(tiny, sampled(1, top_p=1e-6)) == complete(tiny, GREEDY)


def test_a_token_is_drawn_as_often_as_its_probability_says() -> None:
    probabilities = torch.tensor([0.5, 0.3, 0.15, 0.05])
    lots = Lots([Decoding(temperature=1.0, top_p=0.9, seed=3)], torch.device("cpu"))

    drawn = [int(lots(torch.empty(0), probabilities.log().unsqueeze(0).clone()).argmax()) for _ in range(2000)]

    shares = [drawn.count(token) / len(drawn) for token in range(4)]
    assert shares == pytest.approx([0.5 / 0.95, 0.3 / 0.95, 0.15 / 0.95, 0.0], abs=0.04)


def test_log_probabilities_come_for_each_token_of_the_rows_that_ask_whoever_is_in_the_batch(tiny: Model) -> None:
    prompts = [GREEDY, asked(logprob=True), asked(logprob=True, temperature=2.0, seed=1)]

    silent, greedy, by_lot = (piece(outcome) for outcome in complete(tiny, *prompts))

    assert silent.logprobs == ()
    assert len(greedy.logprobs) == written(greedy)
    assert all(logprob <= 0 for logprob in (*greedy.logprobs, *by_lot.logprobs))
    assert greedy.logprobs == pytest.approx(piece(complete(tiny, prompts[1])[0]).logprobs, abs=1e-3)
    assert sum(by_lot.logprobs) / len(by_lot.logprobs) < sum(greedy.logprobs) / len(greedy.logprobs)

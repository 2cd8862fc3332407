"""What every engine promises. A test module for an engine inherits `EngineContract` and fills in the fixture."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest
from msgspec.structs import replace

from dragoman.engines.base import Engine
from dragoman.errors import EngineUnavailable
from dragoman.types import Asking, EngineInfo, Output, Pair, Segment

EN_DE = Pair("en", "de")
SENTENCES = ("Good morning.", "The train leaves at nine.", "Where is the station?", "She reads a book.")


def segments(*texts: str) -> list[Segment]:
    return [Segment(text, EN_DE) for text in texts]


class EngineContract:
    """Inherit, and give an async fixture `engine` that yields an opened engine and closes it."""

    async def test_a_probe_tells_what_the_engine_is(self, engine: Engine) -> None:
        info = await engine.probe()

        assert isinstance(info, EngineInfo)
        assert info == engine.info
        assert info.model
        assert info.slots >= 1
        assert info.max_batch >= 1
        assert info.max_segment_tokens >= 64

    async def test_outputs_come_in_the_order_and_number_of_the_segments(self, engine: Engine) -> None:
        await engine.probe()
        batch = segments(*SENTENCES)

        together = await engine.translate(batch)
        alone = [(await engine.translate([segment]))[0] for segment in batch]

        assert all(isinstance(output, Output) for output in together), together
        assert [output.text for output in alone if isinstance(output, Output)] == [
            output.text for output in together if isinstance(output, Output)
        ]

    async def test_an_output_has_no_outer_white_space_and_no_control_tokens(self, engine: Engine) -> None:
        await engine.probe()

        (output,) = await engine.translate(segments(SENTENCES[0]))

        assert isinstance(output, Output)
        assert output.text
        assert output.text == output.text.strip()
        assert "<end_of_turn>" not in output.text

    async def test_a_translation_is_deterministic(self, engine: Engine) -> None:
        await engine.probe()

        first = await engine.translate(segments(SENTENCES[1]))
        second = await engine.translate(segments(SENTENCES[1]))

        assert isinstance(first[0], Output)
        assert isinstance(second[0], Output)
        assert first[0].text == second[0].text

    async def test_an_empty_batch_gives_no_outputs(self, engine: Engine) -> None:
        await engine.probe()

        assert list(await engine.translate([])) == []

    async def test_more_calls_than_slots_are_all_answered(self, engine: Engine) -> None:
        info = await engine.probe()
        batch = segments(*(f"We need {number} more chairs." for number in range(2, info.slots + 4)))

        outputs = await asyncio.gather(*(engine.translate([segment]) for segment in batch))

        assert all(isinstance(output, Output) for (output,) in outputs), outputs

    async def test_what_is_heard_on_the_way_begins_the_translation_and_is_never_taken_back(
        self, engine: Engine
    ) -> None:
        info = await engine.probe()
        if "stream" not in info.can:
            pytest.skip("this engine does not stream")
        (segment,) = segments(SENTENCES[2])

        heard: list[str] = []

        (whole,) = await engine.translate([segment], lambda number, text: heard.append(text))
        (plain,) = await engine.translate([segment])

        assert isinstance(whole, Output)
        assert isinstance(plain, Output)
        assert heard
        assert all(later.startswith(earlier) for earlier, later in pairwise([*heard, whole.text]))
        assert (whole.text, whole.tokens.output) == (plain.text, plain.tokens.output)

    async def test_a_log_probability_comes_where_it_is_asked_for_and_the_engine_can_tell(self, engine: Engine) -> None:
        info = await engine.probe()
        if "logprobs" not in info.can:
            pytest.skip("this engine does not tell")
        (segment,) = segments(SENTENCES[0])

        plain, asked = [
            (await engine.translate([replace(segment, asking=Asking(logprob=logprob))]))[0] for logprob in (False, True)
        ]

        assert isinstance(plain, Output)
        assert isinstance(asked, Output)
        assert plain.logprob is None
        assert asked.logprob is not None
        assert -10 < asked.logprob <= 0

    async def test_further_attempts_are_answered_beside_the_first(self, engine: Engine) -> None:
        info = await engine.probe()
        if "sampling" not in info.can:
            pytest.skip("this engine has but one answer")
        (segment,) = segments(SENTENCES[0])
        attempts = [replace(segment, asking=Asking(attempt=attempt)) for attempt in range(4)]

        outputs = await asyncio.gather(*(engine.translate([attempt]) for attempt in attempts))

        assert all(isinstance(output, Output) for (output,) in outputs), outputs

    async def test_a_cancelled_call_leaves_the_engine_usable(self, engine: Engine) -> None:
        info = await engine.probe()
        calls = [
            asyncio.create_task(engine.translate(segments(f"Chapter {number} tells a long story.")))
            for number in range(2 * info.slots)
        ]
        await asyncio.sleep(0.05)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)

        (output,) = await engine.translate(segments(SENTENCES[3]))

        assert isinstance(output, Output)

    async def test_a_closed_engine_says_that_it_is_unavailable(self, engine: Engine) -> None:
        await engine.probe()
        await engine.aclose()
        await engine.aclose()

        (outcome,) = await engine.translate(segments(SENTENCES[0]))

        assert isinstance(outcome, EngineUnavailable)

"""A command waits for its engine's first answer, and no longer than until that is a no."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from dragoman.cli import session
from dragoman.core.translator import Translator
from dragoman.errors import EngineUnavailable
from dragoman.types import EngineInfo, Readiness


class Starting:
    """A translator whose engine was not asked yet; `answer` is what its first probe finds."""

    info = EngineInfo(name="slow", model="slow", slots=1, max_segment_tokens=400)

    def __init__(self, answer: Readiness) -> None:
        self.readiness = Readiness(False, "not asked yet")
        self._answer = answer

    async def ready(self) -> None:
        self.readiness = self._answer
        await asyncio.sleep(5 * session.LOOK_AGAIN_S)  # whoever waits is told some turns of the loop later


async def test_an_engine_that_has_just_become_ready_is_not_taken_for_one_that_is_away() -> None:
    await session._first_answer(cast("Translator", Starting(Readiness(True))))


async def test_an_engine_that_is_away_is_told_of_at_once() -> None:
    with pytest.raises(EngineUnavailable, match="nobody listens"):
        await session._first_answer(cast("Translator", Starting(Readiness(False, "nobody listens there"))))

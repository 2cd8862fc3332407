"""An engine that says what the test has it say."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dragoman.engines.base import Hear
from dragoman.errors import EngineError
from dragoman.types import Capability, EngineInfo, Output, Segment


class SpokenEngine:
    """Answers each segment with what `speak` makes of it, at once; `asked` are all segments, in order."""

    def __init__(self, speak: Callable[[Segment], str | EngineError], *can: Capability) -> None:
        self.info = EngineInfo(name="spoken", model="spoken-1", slots=8, max_segment_tokens=400, can=frozenset(can))
        self.asked: list[Segment] = []
        self._speak = speak

    async def probe(self) -> EngineInfo:
        return self.info

    async def translate(self, batch: Sequence[Segment], hear: Hear | None = None) -> list[Output | EngineError]:
        self.asked.extend(batch)
        said = map(self._speak, batch)
        return [one if isinstance(one, EngineError) else Output(one, logprob=-0.1) for one in said]

    async def aclose(self) -> None:
        pass

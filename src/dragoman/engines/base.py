"""The seam between Dragoman and whatever translates.

An engine is opened by a function `async def open_engine(url: EngineURL, data_dir: Path) -> Engine` in its own module,
named in `registry.BUILT_IN` or by an entry point of the group `dragoman.engines`. Opening checks what can be checked
without waiting (options, files) and raises `ConfigurationError`; `probe` is the first round trip.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Protocol

from dragoman.errors import EngineError
from dragoman.types import EngineInfo, Output, Segment

Hear = Callable[[int, str], None]
"""Is told, as it grows, the translation so far of a segment, known by its number in the batch.

What is told is settled, so that each telling begins with the one before it. Must return at once and not raise.
"""

HearOne = Callable[[str], None]
"""The same, of one segment alone."""


class Engine(Protocol):
    """An adapter to something that translates. Safe for concurrent calls from one event loop.

    Cancelling a call stops the work in the engine too, as far as the engine allows.
    """

    @property
    def info(self) -> EngineInfo:
        """What is known now; `probe` may learn more (slots, model)."""
        ...

    async def probe(self) -> EngineInfo:
        """Make sure the engine can translate, starting it if that is ours to do. Cheap when it already runs.

        Raises EngineUnavailable while it cannot be reached (a later probe may succeed) and ConfigurationError for
        what will not mend itself: a missing model, a corrupt file.
        """
        ...

    async def translate(self, batch: Sequence[Segment], hear: Hear | None = None) -> Sequence[Output | EngineError]:
        """Translate each segment: same order, same length, one bad item failing alone. Does not raise EngineError.

        `hear` is told of each translation while it comes; only engines that can `stream` are given one.
        """
        ...

    async def aclose(self) -> None:
        """Free what the engine holds. Calls under way end with EngineUnavailable. Closing twice is fine."""
        ...


async def translate_each(
    batch: Sequence[Segment],
    translate_one: Callable[[Segment, HearOne | None], Awaitable[Output]],
    hear: Hear | None = None,
) -> list[Output | EngineError]:
    """Run `translate_one` over a batch concurrently and hand EngineErrors back in the place of their item."""

    async def outcome(number: int, segment: Segment) -> Output | EngineError:
        try:
            return await translate_one(segment, None if hear is None else partial(hear, number))
        except EngineError as error:
            return error

    if len(batch) == 1:
        return [await outcome(0, batch[0])]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(outcome(number, segment)) for number, segment in enumerate(batch)]
    return [task.result() for task in tasks]

"""The seam between Dragoman and whatever translates.

An engine is opened by a function `async def open_engine(url: EngineURL, data_dir: Path) -> Engine` in its own module,
named in `registry.BUILT_IN` or by an entry point of the group `dragoman.engines`. Opening checks what can be checked
without waiting (options, files) and raises `ConfigurationError`; `probe` is the first round trip.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Protocol

from dragoman.errors import EngineError
from dragoman.types import EngineInfo, Output, Segment


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

    async def translate(self, batch: Sequence[Segment]) -> Sequence[Output | EngineError]:
        """Translate each segment: same order, same length, one bad item failing alone. Does not raise EngineError."""
        ...

    def stream(self, segment: Segment) -> AsyncIterator[str]:
        """Yield one segment's translation piece by piece; the pieces join to what `translate` would give.

        Raises EngineError, also in the middle.
        """
        ...

    async def aclose(self) -> None:
        """Free what the engine holds. Calls under way end with EngineUnavailable. Closing twice is fine."""
        ...


async def translate_each(
    batch: Sequence[Segment], translate_one: Callable[[Segment], Awaitable[Output]]
) -> list[Output | EngineError]:
    """Run `translate_one` over a batch concurrently and hand EngineErrors back in the place of their item."""

    async def outcome(segment: Segment) -> Output | EngineError:
        try:
            return await translate_one(segment)
        except EngineError as error:
            return error

    if len(batch) == 1:
        return [await outcome(batch[0])]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(outcome(segment)) for segment in batch]
    return [task.result() for task in tasks]

"""No call that blocks (a file, a lock, a sleep, SQL) is made on the event loop while it serves, whatever goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from blockbuster import BlockingError, blockbuster_ctx

from tests.faults.engines import ANSWER, BUSY, FaultyOllama, never_answers, ollamas, resets_in_the_middle
from tests.faults.service import Opener
from tests.faults.test_memory_file import overwrite

PAGES = ("/", "/health", "/ready", "/v1/languages", "/openapi.json", "/docs", "/static/docs.css", "/static/docs.js")


Watch = Callable[[], AbstractContextManager[None]]


@pytest.fixture
def no_blocking_call(caplog: pytest.LogCaptureFixture) -> Watch:
    """A context in which they raise. Much of Dragoman logs what is raised in it and goes on, so the log is read too."""

    @contextmanager
    def watch() -> Iterator[None]:
        with blockbuster_ctx(scanned_modules="dragoman"):
            yield
        raised = [record.exc_info[1] for record in caplog.records if record.exc_info]
        assert [error for error in raised if isinstance(error, BlockingError)] == []

    return watch


async def test_translating_and_remembering(open_service: Opener, no_blocking_call: Watch) -> None:
    async with ollamas(FaultyOllama()) as urls, open_service(*urls, memory_bytes=1) as service:
        with no_blocking_call():
            for _ in range(2):
                replies = await asyncio.gather(*(service.ask(f"Text {n}.") for n in range(20)))
                assert [reply.words for reply in replies] == [ANSWER] * 20


async def test_every_page(open_service: Opener, no_blocking_call: Watch) -> None:
    async with ollamas(FaultyOllama()) as urls, open_service(*urls) as service:
        with no_blocking_call():
            assert [await service.status(path) for path in PAGES] == [200] * len(PAGES)


async def test_a_long_text_in_a_language_to_be_found(open_service: Opener, no_blocking_call: Watch) -> None:
    async with ollamas(FaultyOllama()) as urls, open_service(*urls) as service:
        with no_blocking_call():
            assert (await service.ask("This is a long text. " * 1_000, source=None)).status == 200


async def test_engines_that_fail(open_service: Opener, no_blocking_call: Watch) -> None:
    engine = FaultyOllama(resets_in_the_middle, BUSY, always=never_answers)
    async with ollamas(engine) as urls, open_service(*urls) as service:
        with no_blocking_call():
            replies = await asyncio.gather(*(service.ask(f"Text {n}.", timeout_s=0.3) for n in range(8)))
            await service.until_calm()

            assert {reply.status for reply in replies} <= {502, 504}


async def test_a_memory_that_is_damaged(open_service: Opener, no_blocking_call: Watch, tmp_path: Path) -> None:
    async with ollamas(FaultyOllama()) as urls, open_service(*urls) as service:
        with no_blocking_call():
            await asyncio.to_thread(overwrite, tmp_path)

            for n in range(3):
                assert (await service.ask(f"Text {n}.")).words == ANSWER

"""Whose cancel is whose."""

from __future__ import annotations

import asyncio

import pytest
from starlette.types import Message

from dragoman.server.disconnect import ClientLeft, until_client_leaves


async def stays() -> Message:
    await asyncio.Event().wait()
    raise AssertionError("never")


async def leaves() -> Message:
    return {"type": "http.disconnect"}


async def test_the_result_is_handed_on_while_the_client_stays() -> None:
    assert await until_client_leaves(asyncio.sleep(0, "done"), stays) == "done"


async def test_no_watcher_is_left_behind() -> None:
    await until_client_leaves(asyncio.sleep(0), stays)
    await asyncio.sleep(0)

    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_client_who_leaves_is_no_cancel_of_the_handler() -> None:
    with pytest.raises(ClientLeft):
        await until_client_leaves(asyncio.sleep(10), leaves)

    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_an_error_of_the_work_is_its_own() -> None:
    async def work() -> None:
        raise ValueError("wrong")

    with pytest.raises(ValueError, match="wrong"):
        await until_client_leaves(work(), stays)


async def test_a_handler_that_is_cancelled_itself_stays_cancelled() -> None:
    handler = asyncio.create_task(until_client_leaves(asyncio.sleep(10), stays))
    await asyncio.sleep(0)

    handler.cancel()

    with pytest.raises(asyncio.CancelledError):
        await handler


async def test_a_timeout_around_the_work_goes_on_working() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await until_client_leaves(asyncio.sleep(10), stays)

"""Stops work for a caller who left."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from starlette.types import Receive

T = TypeVar("T")


class ClientLeft(Exception):
    """The client closed the connection: there is nobody to answer."""


async def until_client_leaves(work: Awaitable[T], receive: Receive) -> T:
    """Await `work`; if the client leaves first, cancel it and raise ClientLeft. The body must have been read.

    Starlette does not cancel a handler whose client left (encode/starlette issue 297).
    """
    task = asyncio.current_task()
    assert task is not None
    watcher = asyncio.create_task(_cancel_when_client_leaves(task, receive))
    try:
        return await work
    except asyncio.CancelledError:
        # As in asyncio.timeout: a cancel that came from elsewhere, as at shutdown, goes on.
        if _fired(watcher) and task.uncancel() == 0:
            raise ClientLeft from None
        raise
    finally:
        watcher.cancel()


async def _cancel_when_client_leaves(task: asyncio.Task[object], receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    task.cancel()


def _fired(watcher: asyncio.Task[None]) -> bool:
    return watcher.done() and not watcher.cancelled() and watcher.exception() is None

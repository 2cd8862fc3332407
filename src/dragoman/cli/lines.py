"""Lines in, answers out, in order: bounded in memory and in what is worked on at once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import BinaryIO, TypeVar

from msgspec import Struct

MAX_LINE_BYTES = 16 * 2**20
"""A longer line is cut to one byte more than this, so that who reads it can tell; its rest is dropped."""

READ_AHEAD = 64

T = TypeVar("T")
R = TypeVar("R")


class Line(Struct, frozen=True):
    """One input, without its line end. `place` says where it stood, as `line 3`."""

    place: str
    raw: bytes


def read_lines(file: BinaryIO, name: str = "") -> Iterator[Line]:
    """The lines of a file, which is closed at its end. Blocks as the file does; each line comes once it is there."""
    with file:
        number = 0
        while raw := _read_line(file):
            number += 1
            yield Line(f"{name}line {number}", raw.removesuffix(b"\n").removesuffix(b"\r"))


def _read_line(file: BinaryIO) -> bytes:
    raw = file.readline(MAX_LINE_BYTES + 1)
    rest = raw
    while len(rest) > MAX_LINE_BYTES and not rest.endswith(b"\n"):
        rest = file.readline(MAX_LINE_BYTES + 1)
    return raw


async def from_thread(items: Iterator[T]) -> AsyncIterator[T]:
    """Iterate in a thread, at most READ_AHEAD items ahead. What the iterator raises is raised here.

    The thread is a daemon: one that waits for a terminal's next line must not keep the command from ending.
    """
    loop = asyncio.get_running_loop()
    room = threading.Semaphore(READ_AHEAD)
    queue: asyncio.Queue[T | _End] = asyncio.Queue()

    def hand_over(item: T | _End) -> None:
        room.acquire()
        loop.call_soon_threadsafe(queue.put_nowait, item)

    def read() -> None:
        try:
            for item in items:
                hand_over(item)
            hand_over(_End(None))
        except Exception as error:
            if not loop.is_closed():  # closed: the command is over, and nobody is left to tell
                hand_over(_End(error))

    threading.Thread(target=read, name="read the input", daemon=True).start()
    while not isinstance(item := await queue.get(), _End):
        room.release()
        yield item
    if item.error is not None:
        raise item.error


async def in_order(
    items: AsyncIterator[T], work: Callable[[T], Awaitable[R]], put: Callable[[R], Awaitable[None]], *, window: int
) -> None:
    """Work on up to `window` items at once, and `put` each result as soon as all before it were put.

    The first error of any of the three ends the others and is raised.
    """
    flights: asyncio.Queue[asyncio.Task[R] | None] = asyncio.Queue()
    room = asyncio.Semaphore(window)

    async def launch() -> None:
        async for item in items:
            await room.acquire()
            flights.put_nowait(group.create_task(_call(work, item)))
        flights.put_nowait(None)

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(launch())
            while (flight := await flights.get()) is not None:
                await put(await flight)
                room.release()
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from errors


async def _call(work: Callable[[T], Awaitable[R]], item: T) -> R:
    return await work(item)


class _End(Struct, frozen=True):
    error: Exception | None

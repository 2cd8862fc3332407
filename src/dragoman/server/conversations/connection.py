"""What one WebSocket is still to be sent: bounded, so that a slow reader costs only itself its connection."""

from __future__ import annotations

import asyncio

from msgspec import Struct

MAX_FRAMES = 256


class Closing(Struct, frozen=True):
    """How a connection ends: a close code of RFC 6455, or one of ours from 4000, and a word for people."""

    code: int
    reason: str


LEFT = Closing(1000, "left")
OVER = Closing(1000, "the conversation is over")
TOO_SLOW = Closing(1013, "too slow a reader: join again with your token")
REPLACED = Closing(4001, "your token was used by another connection")


class Frame(Struct, frozen=True):
    """One message, encoded. Once it is sent, everything up to event `mark` has reached the reader; 0 marks nothing."""

    data: bytes
    mark: int = 0


class Connection:
    """Frames on their way to one reader, and how it ends: `ended` holds that as soon as it is to end at once."""

    def __init__(self) -> None:
        self._frames: asyncio.Queue[Frame | Closing] = asyncio.Queue()
        self.ended: asyncio.Future[Closing] = asyncio.get_running_loop().create_future()

    def put(self, frame: Frame) -> None:
        """Send a frame; a reader for whom too many wait already is cut off."""
        if self._frames.qsize() >= MAX_FRAMES:
            self.cut(TOO_SLOW)
        elif not self.ended.done():
            self._frames.put_nowait(frame)

    def close(self, closing: Closing) -> None:
        """End once everything that waits is sent."""
        self._frames.put_nowait(closing)

    def cut(self, closing: Closing) -> None:
        """End at once."""
        if not self.ended.done():
            self.ended.set_result(closing)

    async def next(self) -> Frame | Closing:
        """What is to be done next."""
        return await self._frames.get()

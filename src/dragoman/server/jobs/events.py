"""Server-sent events of one job: how far it is, about every second while that changes, until it is over."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

import msgspec
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from dragoman.errors import DragomanError
from dragoman.server.disconnect import ClientLeft, until_client_leaves
from dragoman.server.gate import Caller
from dragoman.server.jobs.jobs import Jobs
from dragoman.server.jobs.wire import ShownJob
from dragoman.server.live.stream import ALIVE, ALIVE_S, MEDIA_TYPE
from dragoman.server.problems import failure_of
from dragoman.server.request_id import request_id_of

EVERY_S = 1.0


class JobEvents(Response):
    """`progress` with the job, first as it is and then whenever it has changed; `end` with it when it is over.

    A client who leaves ends this stream and nothing else. It ends without `end` where the server stops.
    """

    def __init__(self, jobs: Jobs, first: ShownJob, caller: Caller) -> None:
        # Without the second header nginx would gather the events and send them all at the end.
        super().__init__(None, 200, {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}, MEDIA_TYPE)
        del self.headers["content-length"]
        self._jobs = jobs
        self._first = first
        self._caller = caller

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        try:
            await until_client_leaves(self._tell(send), receive)
        except (ClientLeft, asyncio.CancelledError):  # cancelled by uvicorn alone, when its grace to stop is over
            return
        except DragomanError as error:
            problem, _ = failure_of(error, request_id_of(scope))
            await _send(send, _event("error", problem))
        await _send(send, b"", more=False)

    async def _tell(self, send: Send) -> None:
        job, told, told_at = self._first, None, 0.0
        while not is_over(job):
            if job != told:
                await _send(send, _event("progress", job))
                told, told_at = job, time.monotonic()
            elif time.monotonic() - told_at >= ALIVE_S:
                await _send(send, ALIVE)
                told_at = time.monotonic()
            if await self._stops():
                return
            job = await self._jobs.show(job.id, self._caller)
        await _send(send, _event("end", job))

    async def _stops(self) -> bool:
        """Wait until it is time to look again; whether the server stops."""
        with suppress(TimeoutError):
            async with asyncio.timeout(EVERY_S):
                await self._jobs.stopping.wait()
        return self._jobs.stopping.is_set()


def is_over(job: ShownJob) -> bool:
    """Whether nothing happens to a job until somebody asks."""
    return job.state not in ("planned", "running")


def _event(name: str, data: object) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (name.encode(), msgspec.json.encode(data))


async def _send(send: Send, body: bytes, *, more: bool = True) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more})

"""A job that runs in a server while something else is measured."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

import aiohttp

from bench.jobs import write_table
from bench.open_loop_servers import PAIR
from bench.processes import ServerProcess

ROWS = 50_000
"""More than a bench has time for."""


class RunningJob:
    """A job of a server, and how fast it is. Mutable state: when `count` was called, and how many texts were done."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url
        self._counted = 0
        self._since_s = 0.0

    async def texts_done(self) -> int:
        """How many texts are translated."""
        async with self._session.get(self._url) as answer:
            shown = await answer.json()
        assert shown["state"] in ("planned", "running"), shown
        return int(shown["cells"])

    async def count(self) -> None:
        """Begin to measure the rate."""
        self._counted, self._since_s = await self.texts_done(), time.perf_counter()

    async def per_second(self) -> float:
        """Texts a second since `count`."""
        return (await self.texts_done() - self._counted) / (time.perf_counter() - self._since_s)


async def begun_job(session: aiohttp.ClientSession, server: ServerProcess) -> RunningJob:
    """Hand in a table, and return when its first texts are translated."""
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "in.parquet"
        write_table(table, ROWS)
        form = aiohttp.FormData({"columns": "title", "source": PAIR.source, "target": PAIR.target})
        form.add_field("file", table.read_bytes(), filename=table.name)
    async with session.post(f"{server.url}/v1/jobs", data=form) as answer:
        job = RunningJob(session, f"{server.url}/v1/jobs/{(await answer.json())['id']}")
    while not await job.texts_done():  # noqa: ASYNC110 - another process works on it
        await asyncio.sleep(0.1)
    return job

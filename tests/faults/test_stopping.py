"""`dragoman serve` is told to stop in the middle of its work."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from tests.faults.engines import FaultyOllama, never_answers, ollamas

DRAGOMAN = Path(sys.executable).with_name("dragoman")


@asynccontextmanager
async def serving(
    folder: Path, engine: str, *, grace_s: int = 5
) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """The installed command once it listens, and its address; killed at the end if it still runs."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("DRAGOMAN_")}
    process = await asyncio.create_subprocess_exec(
        DRAGOMAN, "serve", "--engine", engine, "--port", "0", "--shutdown-grace-s", str(grace_s),
        env={**environ, "DRAGOMAN_DATA_DIR": str(folder)}, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process, await _address(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def _address(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    async for line in process.stdout:
        if b"curl" in line and (found := re.search(r"http://[\w.]+:\d+", line.decode())):
            return found.group()
    raise AssertionError("it ended before it was ready")


async def test_sigterm_lets_running_requests_finish_and_takes_no_new_ones(tmp_path: Path) -> None:
    async with (
        serving(tmp_path, "simulated://ollama-4") as (process, address),
        aiohttp.ClientSession(address) as client,
    ):
        texts = [f"A text that takes the engine most of a second, number {n}." for n in range(8)]
        running = [asyncio.create_task(translate(client, text)) for text in texts]
        await asyncio.sleep(0.3)

        process.send_signal(signal.SIGTERM)
        told = time.perf_counter()
        await asyncio.sleep(0.3)  # the server looks for the signal ten times a second
        with pytest.raises(aiohttp.ClientConnectorError):
            await translate(client, "Too late.")

        assert not all(task.done() for task in running)
        assert await asyncio.gather(*running) == [200] * 8
        assert await asyncio.wait_for(process.wait(), 5) == 0
        assert time.perf_counter() - told < 5


async def test_sigterm_waits_for_a_silent_engine_no_longer_than_the_grace(tmp_path: Path) -> None:
    async with (
        ollamas(FaultyOllama(always=never_answers)) as (engine,),
        serving(tmp_path, engine, grace_s=1) as (process, address),
        aiohttp.ClientSession(address) as client,
    ):
        running = asyncio.create_task(translate(client, "Good morning."))
        await asyncio.sleep(0.3)

        process.send_signal(signal.SIGTERM)
        told = time.perf_counter()

        assert await running == 503
        assert await asyncio.wait_for(process.wait(), 5) == 0
        assert time.perf_counter() - told < 2


async def translate(client: aiohttp.ClientSession, text: str) -> int:
    async with client.post("/translate", json={"text": text, "target_lang": "de"}) as answer:
        return answer.status

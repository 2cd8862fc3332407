"""Servers of their own process, started for a bench and ended with it, and what they cost."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp


class ServerProcess:
    """A running server: its base URL and its process id."""

    def __init__(self, url: str, pid: int) -> None:
        self.url = url
        self.pid = pid

    def cpu_s(self) -> float:
        """CPU time the process itself has used, without its children."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    """A loopback port that nobody listens on just now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@asynccontextmanager
async def started(arguments: Sequence[str], port: int, *, ready_path: str) -> AsyncIterator[ServerProcess]:
    """Run `python arguments...`, wait until `ready_path` answers 200, and end the process at the end."""
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=asyncio.subprocess.DEVNULL)
    try:
        server = ServerProcess(f"http://127.0.0.1:{port}", process.pid)
        await _answers(server.url + ready_path, process)
        yield server
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await process.wait()


async def _answers(url: str, process: asyncio.subprocess.Process, timeout_s: float = 120.0) -> None:
    async with asyncio.timeout(timeout_s), aiohttp.ClientSession() as session:
        while process.returncode is None:
            try:
                async with session.get(url) as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.1)
    raise RuntimeError(f"the server for {url} ended with {process.returncode}")

"""Ten thousand connections open at once, each with a request: are all served, and what memory does the server need?

First all are opened, and only then does each ask for the translation of a sentence of its own.
"""

from __future__ import annotations

import asyncio
import resource
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from bench.open_loop_load import OK, UNREACHED, percentile
from bench.open_loop_servers import PAIR, simulated_pair
from bench.open_loop_texts import new_sentences
from bench.report import Report

PROFILE = "instant"
CONNECTIONS = 10_000
ROUTE = "/v1/translate"
PATIENCE_S = 60.0
OPENING_AT_ONCE = 200
"""Whoever opens more at once than the listener's backlog holds measures the kernel's retries."""
CONNECTIONS_A_SOURCE = 5_000
"""One source address has some 28,000 ports for one destination, and closed ones stay taken for a minute."""
SPARE_FILES = 200

_FAILURES = (OSError, TimeoutError, asyncio.IncompleteReadError)


class Connection(Struct, frozen=True):
    """An open connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


class Answer(Struct, frozen=True):
    """What became of one request, and when, counted from the moment at which all were sent."""

    status: int
    seconds: float


async def run() -> Report:
    """Measure for up to two minutes."""
    allow_open_files(CONNECTIONS + SPARE_FILES)
    bodies = [
        msgspec.json.encode({"text": text, "source": PAIR.source, "target": PAIR.target})
        for text in new_sentences(CONNECTIONS)
    ]
    async with simulated_pair(PROFILE) as (_, server):
        idle_mb = memory_mb(server.pid, "VmRSS")
        async with open_connections(server.url, CONNECTIONS, patience_s=PATIENCE_S) as connections:
            open_mb = memory_mb(server.pid, "VmRSS")
            open_at_server = open_files(server.pid)
            answers = await ask_all(connections, ROUTE, bodies, patience_s=PATIENCE_S)
        peak_mb = memory_mb(server.pid, "VmHWM")
    served_s = [answer.seconds for answer in answers if answer.status == OK]
    return Report(
        name="connections",
        title=f"{CONNECTIONS:,} open connections, each with a request",
        columns=(
            "opened",
            "files open in the server",
            "served",
            "errors (reach 0)",
            "half / all served after, s",
            "RSS before, MB",
            "with all open, MB",
            "at most, MB (reach 600)",
        ),
        rows=[
            (
                str(len(connections)),
                str(open_at_server),
                str(len(served_s)),
                str(CONNECTIONS - len(served_s)),
                f"{percentile(served_s, 0.5):.1f} / {percentile(served_s, 1.0):.1f}",
                f"{idle_mb:.0f}",
                f"{open_mb:.0f}",
                f"{peak_mb:.0f}",
            )
        ],
        notes=(
            f"All are opened first, then all ask at once, each for a sentence of its own, with {PATIENCE_S:.0f} s of "
            f"patience; the engine is the simulated {PROFILE!r}. The memory is that of the server's process.",
        ),
    )


def allow_open_files(count: int) -> None:
    """Raise this process's limit, which the servers it starts inherit. RuntimeError where the hard limit is lower."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        raise RuntimeError(f"this bench opens {count} files and {hard} are allowed; raise the limit (ulimit -Hn)")
    if soft != resource.RLIM_INFINITY and soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))


def open_files(pid: int) -> int:
    """How many files, sockets among them, a process has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def memory_mb(pid: int, field: str) -> float:
    """`VmRSS`, what a process holds in memory now, or `VmHWM`, the most it ever held; in millions of bytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (kib,) = (line.split()[1] for line in lines if line.startswith(f"{field}:"))
    return int(kib) * 1024 / 1e6


@asynccontextmanager
async def open_connections(url: str, count: int, *, patience_s: float) -> AsyncIterator[list[Connection]]:
    """Connect so many times, and yield the connections that came about within the time, all open at once."""
    address = urlsplit(url)
    turn = asyncio.Semaphore(OPENING_AT_ONCE)
    connections: list[Connection] = []

    async def connect(number: int) -> None:
        source = f"127.0.0.{2 + number // CONNECTIONS_A_SOURCE}"
        async with turn:
            try:
                pair = await asyncio.open_connection(address.hostname, address.port, local_addr=(source, 0))
            except OSError:
                return
        connections.append(Connection(*pair))

    try:
        opening = [asyncio.create_task(connect(number)) for number in range(count)]
        _, late = await asyncio.wait(opening, timeout=patience_s)
        for task in late:
            task.cancel()
        yield connections
    finally:
        for connection in connections:
            connection.writer.close()


async def ask_all(
    connections: Sequence[Connection], route: str, bodies: Sequence[bytes], *, patience_s: float
) -> list[Answer]:
    """Send a body over each connection and read what comes back; who waited for longer than the time was unreached."""
    began = time.perf_counter()

    async def ask(connection: Connection, body: bytes) -> Answer:
        try:
            async with asyncio.timeout(patience_s):
                status = await _exchange(connection, route, body)
        except _FAILURES:
            status = UNREACHED
        return Answer(status, time.perf_counter() - began)

    return await asyncio.gather(*map(ask, connections, bodies))


async def _exchange(connection: Connection, route: str, body: bytes) -> int:
    head = (
        f"POST {route} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    connection.writer.write(head.encode() + body)
    answer = (await connection.reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    await connection.reader.readexactly(int(answer.partition("content-length:")[2].split()[0]))
    return int(answer.split()[1])


if __name__ == "__main__":
    sys.exit("run `python -m bench connections`")

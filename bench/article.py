"""A synchronous translation server, a straightforward asynchronous one, and Dragoman, before the same engine.

Locust plays the people, by the shipped `bench/locustfile.py`. Then connections are opened, a hundred, a thousand, ten
thousand at once, and each asks for one short text: how many can there be without an error?
"""

from __future__ import annotations

import asyncio
import csv
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import msgspec
from msgspec import Struct

from bench.article_servers import WORKER_THREADS
from bench.connections import SPARE_FILES, allow_open_files, ask_all, open_connections
from bench.open_loop_load import OK
from bench.open_loop_servers import PAIR, dragoman, openai_engine, simulator
from bench.open_loop_texts import new_notes
from bench.processes import ServerProcess, free_port, started
from bench.report import Report
from dragoman.simulator import profile_named

PROFILE = "h100-4b"
USERS = 100
LOCUST_S = 15
LOCUST_OVERTIME_S = 30
CONNECTIONS = (100, 1_000, 10_000)
PATIENCE_S = 30.0
LOCUSTFILE = Path(__file__).with_name("locustfile.py")


class Contender(Struct, frozen=True):
    """A server to measure: how it is started before the engine, and locust's options for each run against it."""

    name: str
    start: Callable[[ServerProcess], AbstractAsyncContextManager[ServerProcess]]
    runs: Sequence[Sequence[str]] = ((),)


class Figures(Struct, frozen=True):
    """What locust found in one run."""

    per_second: float
    mean_ms: float
    p95_ms: float
    failed: int


async def run() -> Report:
    """Measure for about three minutes."""
    allow_open_files(max(CONNECTIONS) + SPARE_FILES)
    rows: list[tuple[str, Figures, str]] = []
    async with simulator(PROFILE) as engine:
        for contender in _contenders():
            async with contender.start(engine) as server:
                figures = [await _locust(server.url, options) for options in contender.runs]
                served = await _served(server.url)
            rows += [
                (_named(contender, options), one, served) for options, one in zip(contender.runs, figures, strict=True)
            ]
    return Report(
        name="article",
        title="A synchronous server, a straightforward asynchronous one, and Dragoman",
        columns=(
            "server",
            "requests/s",
            "mean ms",
            "p95 ms",
            "failed",
            "connections served without error",
            "requests/s against the first (reach 10)",
            "mean (reach -90 %)",
            "p95 (reach -90 %)",
        ),
        rows=[_row(name, figures, served, rows[0][1]) for name, figures, served in rows],
        notes=(
            f"All before the same simulated {PROFILE}, with the same prompts. {USERS} people of bench/locustfile.py "
            f"for {LOCUST_S} s: one text and batches of three, 1:3, 0.1 to 0.5 s between requests; {USERS} people who "
            f"are answered at once make {USERS / 0.3:.0f} requests/s and no more. Locust rounds percentiles.",
            f"The synchronous server has {WORKER_THREADS} threads. It and the asynchronous one remember nothing, so it "
            "is all the same to them whether texts come again.",
            f"Connections: {', '.join(f'{count:,}' for count in CONNECTIONS)} open at once, each asking for one "
            f"short new text with {PATIENCE_S:.0f} s of patience.",
        ),
    )


def _contenders() -> Sequence[Contender]:
    profile = profile_named(PROFILE)
    return (
        Contender("synchronous", lambda engine: _written("sync", engine)),
        Contender("asynchronous", lambda engine: _written("async", engine)),
        Contender("dragoman", lambda engine: dragoman(openai_engine(engine, profile)), (("--every-text-new",), ())),
    )


def _written(kind: str, engine: ServerProcess) -> AbstractAsyncContextManager[ServerProcess]:
    port = free_port()
    command = ["-m", "bench.article_servers", kind, str(port), engine.url, profile_named(PROFILE).hub_model]
    return started(command, port, ready_path="/health")


async def _locust(url: str, options: Sequence[str]) -> Figures:
    """Run locust in a process of its own and read the table it leaves. Failed requests are figures, not errors."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["-m", "locust", "-f", str(LOCUSTFILE), "--headless", "--only-summary", "--csv", f"{folder}/run"]
        load = ["--host", url, "-u", str(USERS), "-r", str(USERS), "-t", f"{LOCUST_S}s", "--reset-stats", *options]
        process = await asyncio.create_subprocess_exec(
            sys.executable, *command, *load, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
        )
        try:
            async with asyncio.timeout(LOCUST_S + LOCUST_OVERTIME_S):
                _, words = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return _figures(Path(folder) / "run_stats.csv", words.decode())


def _figures(table: Path, words: str) -> Figures:
    if not table.exists():
        raise RuntimeError(f"locust left no figures; it said: {words}")
    (total,) = (row for row in csv.DictReader(table.read_text().splitlines()) if row["Name"] == "Aggregated")
    return Figures(
        per_second=float(total["Requests/s"]),
        mean_ms=float(total["Average Response Time"]),
        p95_ms=float(total["95%"]),
        failed=int(total["Failure Count"]),
    )


async def _served(url: str) -> str:
    """Try more and more connections; return the last number of which all were served, and how the next one went."""
    all_of = 0
    for count in CONNECTIONS:
        served = await _served_of(count, url)
        if served < count:
            return f"{all_of:,} (of {count:,} {served:,})"
        all_of = count
    return f"{all_of:,}"


async def _served_of(count: int, url: str) -> int:
    languages = {"source_lang": PAIR.source, "target_lang": PAIR.target}
    bodies = [msgspec.json.encode({"text": text, **languages}) for text in new_notes(count)]
    async with open_connections(url, count, patience_s=PATIENCE_S) as connections:
        answers = await ask_all(connections, "/translate", bodies, patience_s=PATIENCE_S)
    return sum(answer.status == OK for answer in answers)


def _named(contender: Contender, options: Sequence[str]) -> str:
    texts = "" if len(contender.runs) == 1 else ", every text new" if options else ", texts come again"
    return contender.name + texts


def _row(name: str, figures: Figures, served: str, first: Figures) -> tuple[str, ...]:
    return (
        name,
        f"{figures.per_second:.1f}",
        f"{figures.mean_ms:.0f}",
        f"{figures.p95_ms:.0f}",
        str(figures.failed),
        served,
        f"{figures.per_second / first.per_second:.1f}",
        f"{figures.mean_ms / first.mean_ms - 1:+.0%}",
        f"{figures.p95_ms / first.p95_ms - 1:+.0%}",
    )


if __name__ == "__main__":
    sys.exit("run `python -m bench article`")

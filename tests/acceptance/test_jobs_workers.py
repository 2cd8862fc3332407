"""Jobs of a server with several processes: one of them works on each, whichever is asked, and whichever dies."""

from __future__ import annotations

import asyncio
import csv
import io
import signal
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.acceptance.test_cli import Cli
from tests.acceptance.test_workers import serving
from tests.faults.service import settles
from tests.server.job_server import shop

ROWS = 1_500
STATES = ("done", "failed", "paused", "cancelled")


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path)


async def until_over(session: aiohttp.ClientSession, job_id: str) -> dict[str, Any]:
    async with asyncio.timeout(60):
        while True:  # each request comes to whichever process is free
            async with session.get(f"/v1/jobs/{job_id}") as answer:
                job: dict[str, Any] = await answer.json()
            if job["state"] in STATES:
                return job
            await asyncio.sleep(0.3)


async def begun(session: aiohttp.ClientSession) -> str:
    form = aiohttp.FormData({"columns": "title", "source": "en", "target": "de"})
    form.add_field("file", shop(ROWS), filename="products.csv")
    async with session.post("/v1/jobs", data=form) as answer:
        assert answer.status == 202
        return str((await answer.json())["id"])


async def test_a_job_outlives_the_process_that_works_on_it(cli: Cli) -> None:
    data = cli.folder / "data"
    with serving(cli, "--engine", "simulated://instant", "--workers", "2", "--data-dir", str(data)) as service:
        async with aiohttp.ClientSession(service.address) as session:
            job_id = await begun(session)
            lock = data / "jobs" / job_id / "job" / "job.lock"
            await settles(lambda: lock.exists() and lock.read_text() != "", True, within_s=20)
            first = int(lock.read_text())
            assert first in {worker.pid for worker in service.workers()}
            next(worker for worker in service.workers() if worker.pid == first).send_signal(signal.SIGKILL)
            job = await until_over(session, job_id)
            async with session.get(f"/v1/jobs/{job_id}/result") as answer:
                rows = list(csv.DictReader(io.StringIO(await answer.text(), newline="")))

    assert (job["state"], job["ok"]) == ("done", ROWS)
    assert [row["sku"] for row in rows] == [f"{row:05}" for row in range(ROWS)]
    assert int(lock.read_text()) != first


async def test_any_process_cancels_what_another_one_works_on(cli: Cli) -> None:
    with serving(
        cli, "--engine", "simulated://instant", "--workers", "2", "--data-dir", str(cli.folder / "data")
    ) as service:
        jobs = []
        for _ in range(3):  # new connections, to one process or the other
            async with aiohttp.ClientSession(service.address) as session:
                jobs.append(await begun(session))
        for job_id in jobs:
            async with aiohttp.ClientSession(service.address) as session, session.post(f"/v1/jobs/{job_id}/cancel"):
                pass
        async with aiohttp.ClientSession(service.address) as session:
            over = [await until_over(session, job_id) for job_id in jobs]

    assert [job["state"] for job in over] == ["cancelled"] * 3

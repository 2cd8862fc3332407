"""`dragoman serve` in several processes: one address, one memory, and together never more than the engine's slots."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import aiohttp
import psutil
import pytest
from msgspec.structs import replace
from starlette.applications import Starlette

from dragoman.simulator import create_app, profile_named, running
from tests.acceptance.test_cli import DRAGOMAN, SIMULATED, Cli, address_in, assert_one_line
from tests.contract.valkey_server import Server

SLOTS = 4


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path)


class Service:
    """A running `dragoman serve`."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        self.process = process
        self.address = address_in(next(line for line in process.stdout if b"http://" in line))
        next(line for line in process.stdout if b"Ready" in line)

    def workers(self) -> list[psutil.Process]:
        with suppress(psutil.NoSuchProcess):
            return [child for child in psutil.Process(self.process.pid).children() if child.is_running()]
        return []


@contextmanager
def serving(cli: Cli, *arguments: str) -> Iterator[Service]:
    """The installed command; at its end so are its workers."""
    command = [str(DRAGOMAN), "serve", "--port", "0", *arguments]
    log = (cli.folder / "serve.log").open("ab")
    with log, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, cwd=cli.folder, env=cli.environ) as process:
        try:
            yield Service(process)
        finally:
            process.kill()


def translate(address: str, text: str) -> bool:
    return asyncio.run(_translate_once(address, text))


async def _translate_once(address: str, text: str) -> bool:
    async with aiohttp.ClientSession() as session:
        return await answered(session, address, text)


async def answered(session: aiohttp.ClientSession, address: str, text: str) -> bool:
    body = {"text": text, "source_lang": "en", "target_lang": "de"}
    async with session.post(f"{address}/translate", json=body) as answer:
        return answer.status == 200


def until(happened: Callable[[], bool], within_s: float = 15.0) -> None:
    end = time.monotonic() + within_s
    while not happened():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


# Processes


def test_a_worker_that_dies_is_replaced_while_the_other_serves(cli: Cli) -> None:
    with serving(cli, *SIMULATED, "--workers", "2") as service:
        first, second = service.workers()
        first.kill()

        assert all(translate(service.address, f"Room {number} is free.") for number in range(5))
        until(lambda: len(service.workers()) == 2 and first not in service.workers())
        assert second in service.workers()
    assert b"started again" in (cli.folder / "serve.log").read_bytes()


@pytest.mark.parametrize(("told", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_all_end_when_the_server_is_told_to_stop(cli: Cli, told: signal.Signals, code: int) -> None:
    with serving(cli, *SIMULATED, "--workers", "2") as service:
        workers = service.workers()
        service.process.send_signal(told)

        assert service.process.wait(15) == code
        assert len(workers) == 2
        assert not any(worker.is_running() for worker in workers)


def test_a_request_under_way_is_answered_before_the_stop(cli: Cli) -> None:
    async def stop_in_the_midst(service: Service) -> tuple[bool, int]:
        async with aiohttp.ClientSession() as session:
            long = "It takes a while to say " + "all of this and " * 20 + "more."
            request = asyncio.create_task(answered(session, service.address, long))
            await asyncio.sleep(0.3)
            assert not request.done()
            service.process.send_signal(signal.SIGTERM)
            return await request, await asyncio.to_thread(service.process.wait, 15)

    with serving(cli, "--engine", "simulated://ollama-4", "--workers", "2") as service:
        assert asyncio.run(stop_in_the_midst(service)) == (True, 0)


def test_workers_do_not_outlive_a_server_that_was_killed(cli: Cli) -> None:
    with serving(cli, *SIMULATED, "--workers", "2") as service:
        workers = service.workers()
        service.process.kill()

        until(lambda: not any(worker.is_running() for worker in workers))
        assert len(workers) == 2


def test_an_engine_that_would_be_loaded_by_each_worker_is_refused(cli: Cli) -> None:
    finished = cli("serve", "--engine", "llamacpp://bundled", "--workers", "2", "--port", "0")

    assert_one_line(finished, 2, "llamacpp://bundled", "--workers 1", "llama-server")


def test_what_keeps_every_worker_from_serving_is_told_once(cli: Cli) -> None:
    finished = cli("serve", "--engine", "simulated://nonesuch", "--workers", "2", "--port", "0")

    errors = [line for line in finished.stderr.decode().splitlines() if line.startswith("dragoman: ")]
    assert finished.returncode == 2
    assert len(errors) == 1
    assert "nonesuch" in errors[0]


def test_a_port_in_use_is_told_in_one_line(cli: Cli) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])

        assert_one_line(cli("serve", *SIMULATED, "--workers", "2", "--port", port), 2, port, "--port")


# Slots


class Load:
    """Callers that never rest, each with new texts; `most` is the most the engine had at once, running or waiting."""

    def __init__(self, app: Starlette) -> None:
        self._model = app.state.model
        self.most = self.now = 0

    @asynccontextmanager
    async def on(self, *addresses: str, callers: int = 8) -> AsyncIterator[None]:
        # A connection for each call: one kept open would stay with the worker that accepted it.
        headers = {"connection": "close"}
        async with aiohttp.ClientSession(headers=headers) as session, asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._call(session, address, f"{address} {caller}"))
                for address in addresses
                for caller in range(callers)
            ]
            tasks.append(group.create_task(self._watch()))
            yield
            for task in tasks:
                task.cancel()

    async def _call(self, session: aiohttp.ClientSession, address: str, name: str) -> None:
        number = 0
        while True:
            number += 1
            try:
                await answered(session, address, f"{name} says {number}.")
            except aiohttp.ClientError:
                await asyncio.sleep(0.1)

    async def _watch(self) -> None:
        while True:
            self.now = self._model.running + self._model.waiting
            self.most = max(self.most, self.now)
            await asyncio.sleep(0.005)

    async def reaches(self, calls: int, within_s: float) -> None:
        async with asyncio.timeout(within_s):
            while self.now < calls:  # noqa: ASYNC110 - the engine has no event to wait for
                await asyncio.sleep(0.01)


@asynccontextmanager
async def engine() -> AsyncIterator[tuple[Load, str]]:
    """A slow engine with a few slots, and the flags to use it."""
    app = create_app("ollama", replace(profile_named("ollama-4"), slots=SLOTS))
    async with running(app) as url:
        yield Load(app), f"{url.replace('http', 'ollama')}/translategemma:27b?slots={SLOTS}"


@asynccontextmanager
async def service(cli: Cli, *arguments: str) -> AsyncIterator[Service]:
    """`serving`, for a test whose engine runs in this event loop."""
    context = serving(cli, *arguments)
    started = await asyncio.to_thread(context.__enter__)
    try:
        yield started
    finally:
        await asyncio.to_thread(context.__exit__, None, None, None)


async def test_workers_without_valkey_take_equal_parts_of_the_slots(cli: Cli) -> None:
    async with (
        engine() as (load, url),
        service(cli, "--engine", url, "--workers", "2") as one,
        load.on(one.address, callers=24),
    ):
        await load.reaches(SLOTS, within_s=10)
        await asyncio.sleep(1)

    assert load.most == SLOTS


async def test_processes_that_share_through_valkey_use_all_slots_and_never_more(cli: Cli, valkey: Server) -> None:
    """Two processes as on two machines, and three states: one is busy, both are, one was killed."""
    async with engine() as (load, url):
        flags = ("--engine", url, "--memory-url", valkey.url, "--memory-disk-bytes", "0")
        async with service(cli, *flags) as one, service(cli, *flags) as other:
            async with load.on(one.address):
                await load.reaches(SLOTS, within_s=5)
            async with load.on(one.address, other.address):
                await asyncio.sleep(2)
                await load.reaches(SLOTS, within_s=5)
                os.kill(other.process.pid, signal.SIGKILL)
                await asyncio.sleep(0.2)
                await load.reaches(SLOTS, within_s=6)

    assert load.most == SLOTS

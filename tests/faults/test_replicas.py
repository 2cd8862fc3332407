"""Engines that stop, hang, come back, join and leave while work runs."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from dragoman.core import breaker, pool
from dragoman.engines.registry import open_engine
from dragoman.simulator import Speech, create_app, profile_named, running
from tests.faults.engines import ANSWER, FaultyOllama, ollamas, stops_in_the_middle, url_of
from tests.faults.service import Opener, Reply, Service, free_port, settles

DRAGOMAN = Path(sys.executable).with_name("dragoman")
OLLAMA = profile_named("ollama-4")


def engine_url(speech: Speech, server: str) -> str:
    """The engine URL of a simulator's own URL."""
    if speech == "openai":
        return f"openai+{server}/v1?slots={OLLAMA.slots}"
    return url_of(server.removeprefix("http://"), model=OLLAMA.ollama_model, slots=OLLAMA.slots)


def url_on(port: int) -> str:
    return url_of(f"127.0.0.1:{port}", model="translategemma:4b")


@asynccontextmanager
async def simulator(port: int) -> AsyncIterator[asyncio.subprocess.Process]:
    """An Ollama in a process of its own, killed at the end."""
    process = await asyncio.create_subprocess_exec(
        DRAGOMAN, "simulate", "--profile", "instant", "--port", str(port), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        assert b"http://" in await process.stdout.readline()
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


class Load:
    """Callers who ask one text after the other, until told to stop; what they got is in `replies`."""

    def __init__(self, service: Service, callers: int = 12, pause_s: float = 0.01) -> None:
        self._service = service
        self._callers = callers
        self._pause_s = pause_s
        self._stop = False
        self.replies: list[Reply] = []

    async def __aenter__(self) -> Load:
        self._tasks = [asyncio.create_task(self._ask(n)) for n in range(self._callers)]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop = True
        await asyncio.gather(*self._tasks)

    @property
    def statuses(self) -> set[int]:
        return {reply.status for reply in self.replies}

    async def _ask(self, caller: int) -> None:
        number = 0
        while not self._stop:
            self.replies.append(await self._service.ask(f"Caller {caller}, text {number}.", timeout_s=5))
            number += 1
            await asyncio.sleep(self._pause_s)


async def test_an_engine_that_is_killed_and_started_again_is_found_again(
    open_service: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "PROBE_AGAIN_S", 0.2)
    monkeypatch.setattr(breaker, "SHORTEST_S", 20.0)  # as after a long time down: nobody is to wait for its end
    port = free_port()
    async with AsyncExitStack() as engines:
        first = await engines.enter_async_context(simulator(port))
        async with open_service(url_on(port)) as service, Load(service) as load:
            await asyncio.sleep(0.2)
            assert load.statuses == {200}

            first.kill()
            await settles(service.replicas_ready, [False])
            assert await service.status("/ready") == 503
            assert await service.status("/health") == 200
            await asyncio.sleep(0.2)

            await engines.enter_async_context(simulator(port))
            await settles(service.replicas_ready, [True])
            assert await service.status("/ready") == 200
            failed = [reply for reply in load.replies if reply.status != 200]
            assert {(reply.status, reply.engine) for reply in failed} == {(502, "ollama")}
            assert max(reply.took_s for reply in failed) < 1

            load.replies.clear()
            await asyncio.sleep(0.2)
            assert load.statuses == {200}


async def test_an_engine_that_is_stopped_for_two_seconds_answers_late_and_fails_nobody(open_service: Opener) -> None:
    port = free_port()
    async with simulator(port) as engine, open_service(url_on(port)) as service, Load(service) as load:
        await asyncio.sleep(0.1)
        engine.send_signal(signal.SIGSTOP)
        await asyncio.sleep(2)
        load.replies.clear()
        engine.send_signal(signal.SIGCONT)
        await settles(lambda: any(reply.took_s > 1.5 for reply in load.replies), True)

        assert load.statuses == {200}


@pytest.mark.parametrize("speak", ["ollama", "openai"])
@pytest.mark.parametrize("grace_s", [0.0, 1.0])
async def test_a_replica_joins_and_leaves_under_load_and_no_request_fails(
    open_service: Opener, speak: Speech, grace_s: float
) -> None:
    async with (
        running(create_app("ollama", OLLAMA, speed=10)) as staying,
        running(create_app(speak, OLLAMA, speed=10)) as passing,
        open_service(engine_url("ollama", staying)) as service,
        Load(service) as load,
    ):
        replicas = service.translator.pool
        for _ in range(2):
            await asyncio.sleep(0.1)
            replicas.add("passing", await open_engine(engine_url(speak, passing), Path()))
            await settles(lambda: replicas["passing"].flying > 0, True)
            await replicas.remove("passing", grace_s)

        assert service.replicas_ready() == [True]
        assert load.statuses == {200}


async def test_what_a_removed_replica_had_begun_is_done_by_another_at_once(open_service: Opener) -> None:
    stuck, well = FaultyOllama(), FaultyOllama()
    async with ollamas(stuck, well) as urls, open_service(*urls) as service:
        stuck.always = stops_in_the_middle
        asking = asyncio.gather(*(service.ask(f"Text {n}.") for n in range(8)))
        await settles(lambda: stuck.busy > 0, True)

        await service.translator.pool.remove(urls[0].partition("?")[0], grace_s=0.1)

        assert [reply.words for reply in await asking] == [ANSWER] * 8
        assert max(reply.took_s for reply in await asking) < 1


async def test_callers_do_not_notice_that_one_of_two_replicas_dies(open_service: Opener) -> None:
    doomed, staying = free_port(), free_port()
    async with (
        simulator(doomed) as engine,
        simulator(staying),
        open_service(url_on(doomed), url_on(staying)) as service,
        Load(service) as load,
    ):
        await settles(service.replicas_ready, [True, True])
        engine.kill()
        await asyncio.sleep(0.5)

        assert load.statuses == {200}

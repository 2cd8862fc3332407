"""Shards on Ray: a station in an actor for each replica of the engine, or on each node.

Only shards, receipts and counts travel. The actors read rows and write parts themselves, in folders that they see under
the same paths as the driver.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

from dragoman.errors import ConfigurationError, DragomanError, MissingExtra
from dragoman.jobs.cells import Tally
from dragoman.jobs.crew import ROOM, Crew, WorkerLost
from dragoman.jobs.spec import Shard
from dragoman.jobs.station import Assignment, OpenTranslator, Outcome, Station, Told, opener

T = TypeVar("T")

OBJECT_STORE_BYTES = 100_000_000
"""Of a Ray that is started here, which else takes a third of the memory: nothing large is ever in it."""

BESIDE = 4
"""Calls that an actor answers beside its shards: how far it is, and that it is to stop."""

CLOSING_S = 30.0
"""How long the actors may take to have what flies stored, before their processes are ended."""


@asynccontextmanager
async def ray_runner(
    assignment: Assignment,
    open_translator: OpenTranslator,
    engines: Sequence[str] = (),
    *,
    address: str | None = None,
    actors: int | None = None,
    pause_for: Callable[[Tally], str | None] = lambda _: None,
) -> AsyncIterator[Crew]:
    """A runner on the Ray cluster at `address` (`ray://host:10001`, `host:6379` or `auto`), or that of RAY_ADDRESS, or
    else on a small one that is started on this machine and ended with it.

    There are as many `actors` as asked for; if that is not said, one for each of several engines, and with one engine
    or none one on each node. Raises MissingExtra, and ConfigurationError where no cluster answers.
    """
    async with _connected(address) as ray:
        nodes = await _nodes(ray)
        count = actors or (len(engines) if len(engines) > 1 else len(nodes))
        workers = [
            RayWorker(
                ray,
                _started(
                    ray, nodes[number % len(nodes)], assignment, number, opener(open_translator, engines, number, count)
                ),
            )
            for number in range(count)
        ]
        crew = Crew(workers, pause_for)
        try:
            yield crew
        finally:
            with suppress(TimeoutError):
                await asyncio.wait_for(crew.close(), CLOSING_S)
            for worker in workers:
                worker.end()


class RayWorker:
    """One actor, which Ray starts again wherever there is room when it or its node is lost."""

    room = ROOM

    def __init__(self, ray: Any, actor: Any) -> None:  # noqa: ANN401 - Ray's handles have no static type
        self._ray = ray
        self._actor = actor

    async def run(self, shard: Shard) -> Outcome:
        return await self._answer(self._actor.run.remote(shard))

    async def back(self) -> None:
        await self._answer(self._actor.tell.options(max_task_retries=-1).remote())

    async def tell(self) -> Sequence[Told]:
        return [await self._answer(self._actor.tell.remote())]

    async def stop(self, reason: DragomanError) -> Sequence[Told]:
        return [await self._answer(self._actor.stop.remote(reason))]

    async def close(self) -> None:
        await self._answer(self._actor.close.remote())

    async def forget(self) -> None:
        await self._answer(self._actor.forget.remote())

    def end(self) -> None:
        """End the actor's process, and do not start it again."""
        self._ray.kill(self._actor)

    async def _answer(self, answer: Awaitable[T]) -> T:
        """What a method of the actor returns. An error that it raises is a fault of ours, and raised as it is."""
        try:
            return await answer
        except self._ray.exceptions.RayActorError as error:
            raise WorkerLost(str(error).partition("\n")[0]) from error


@asynccontextmanager
async def _connected(address: str | None) -> AsyncIterator[Any]:
    """The ray module, connected; a program that is connected already stays so. Ray's calls that block do so in a
    thread: there Ray also leaves the process's handler of SIGTERM alone.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # else Ray warns that this will be so one day
    try:
        import ray
    except ImportError as error:
        raise MissingExtra("Jobs on Ray", extra="ray") from error
    if ray.is_initialized():
        yield ray
        return
    address = address or os.environ.get("RAY_ADDRESS")
    await asyncio.to_thread(_connect, ray, address)
    try:
        yield ray
    finally:
        await asyncio.to_thread(ray.shutdown)


def _connect(ray: Any, address: str | None) -> None:  # noqa: ANN401 - Ray is imported late
    try:
        if address is None:
            ray.init("local", include_dashboard=False, object_store_memory=OBJECT_STORE_BYTES, logging_level="error")
        else:
            ray.init(address, logging_level="error")
    except (ConnectionError, ValueError, TimeoutError) as error:
        raise ConfigurationError(
            f"No Ray cluster can be reached at {address or 'this machine'}: {error}. Name one that runs, as "
            "ray://HOST:10001, or no address to start a small one here. One that wants a token is "
            "silent without: set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN_PATH."
        ) from error


async def _nodes(ray: Any) -> list[str]:  # noqa: ANN401 - Ray is imported late
    """The nodes that work can be sent to: a head that is to do none has no cores."""
    nodes = await asyncio.to_thread(ray.nodes)
    found = sorted(node["NodeID"] for node in nodes if node["Alive"] and node["Resources"].get("CPU"))
    if not found:
        raise ConfigurationError("The Ray cluster has no node with a core to work on. Start one: ray start --address.")
    return found


def _started(ray: Any, node: str, assignment: Assignment, number: int, open_translator: Any) -> Any:  # noqa: ANN401
    """An actor, on this node while it lives. It mostly waits for its engine, so it never waits for a core."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    actor = ray.remote(
        num_cpus=0,
        max_restarts=-1,
        max_concurrency=ROOM + BESIDE,
        scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=True),
    )(Station)
    return actor.remote(assignment, open_translator, f"station-{number}")

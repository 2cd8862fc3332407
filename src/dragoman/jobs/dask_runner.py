"""Shards on Dask: a station in each of its workers, and each shard a task, for which Dask chooses the worker."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from shutil import rmtree
from typing import Any

from dragoman.errors import ConfigurationError, DragomanError, MissingExtra
from dragoman.jobs.cells import Tally
from dragoman.jobs.crew import ROOM, Crew, WorkerLost
from dragoman.jobs.spec import Shard
from dragoman.jobs.station import Assignment, OpenTranslator, Outcome, Station, Told, opener

try:
    import distributed
except ImportError as missing:
    raise MissingExtra("Jobs on Dask", extra="dask") from missing

PLUGIN = "dragoman-job"


@asynccontextmanager
async def dask_runner(
    assignment: Assignment,
    open_translator: OpenTranslator,
    engines: Sequence[str] = (),
    *,
    address: str | None = None,
    pause_for: Callable[[Tally], str | None] = lambda _: None,
) -> AsyncIterator[Crew]:
    """A runner on the Dask cluster whose scheduler is at `address` (`tcp://host:8786`), or else on one of its own with
    a single worker. Every worker has all engines, and an equal part of their slots.

    A scheduler tries a task again by itself when it has lost sight of a worker; have it not do so
    (`distributed.scheduler.allowed-failures: 0`), as shards are handed out again here. Raises ConfigurationError where
    no scheduler answers.
    """
    async with _cluster(address) as scheduler, _client(scheduler) as client:
        await client.wait_for_workers(1)
        workers: dict[str, int] = await client.nthreads()
        plugin = StationPlugin(assignment, open_translator, engines, sorted(workers))
        await client.register_plugin(plugin)
        crew = Crew([DaskWorkers(client, assignment, sum(workers.values()))], pause_for)
        try:
            yield crew
        finally:
            await crew.close()


class StationPlugin(distributed.WorkerPlugin):
    """Gives a Dask worker its station."""

    name = PLUGIN

    def __init__(
        self, assignment: Assignment, open_translator: OpenTranslator, engines: Sequence[str], workers: Sequence[str]
    ) -> None:
        self._assignment = assignment
        self._open_translator = open_translator
        self._engines = engines
        self._workers = workers

    def setup(self, worker: distributed.Worker) -> None:
        count = len(self._workers)
        number = self._workers.index(worker.address) if worker.address in self._workers else 0
        open_translator = opener(self._open_translator, self._engines, number, count)
        self.station = Station(self._assignment, open_translator, f"dask-{str(worker.name).replace('/', '_')}")

    async def teardown(self, worker: distributed.Worker) -> None:
        await self.station.close()


class DaskWorkers:
    """All workers of a cluster as one: Dask itself finds the next worker for a shard, and starts lost ones again."""

    def __init__(self, client: Any, assignment: Assignment, room: int) -> None:  # noqa: ANN401 - Dask's asynchronous client is typed as the blocking one
        self.room = room
        self._client = client
        self._assignment = assignment

    async def run(self, shard: Shard) -> Outcome:
        try:
            outcome: Outcome = await self._client.submit(_run, shard, pure=False, retries=0)
        except (distributed.KilledWorker, distributed.client.FutureCancelledError) as error:
            raise WorkerLost(f"A worker of Dask ended ({type(error).__name__}).") from error
        return outcome

    async def back(self) -> None:
        await self._client.wait_for_workers(1)

    async def tell(self) -> Sequence[Told]:
        return list((await self._client.run(_tell, on_error="ignore")).values())

    async def stop(self, reason: DragomanError) -> Sequence[Told]:
        return list((await self._client.run(_stop, reason=reason, on_error="ignore")).values())

    async def close(self) -> None:
        await self._client.unregister_worker_plugin(PLUGIN)

    async def forget(self) -> None:
        await self._client.run(rmtree, self._assignment.memos, ignore_errors=True)


def _station(worker: distributed.Worker) -> Station:
    plugin = worker.plugins[PLUGIN]
    assert isinstance(plugin, StationPlugin)
    return plugin.station


async def _run(shard: Shard) -> Outcome:
    return await _station(distributed.get_worker()).run(shard)


async def _tell(dask_worker: distributed.Worker) -> Told:
    return await _station(dask_worker).tell()


async def _stop(dask_worker: distributed.Worker, reason: DragomanError) -> Told:
    return await _station(dask_worker).stop(reason)


@asynccontextmanager
async def _cluster(address: str | None) -> AsyncIterator[Any]:
    if address is not None:
        yield address
        return
    local_cluster: Any = distributed.LocalCluster  # which has no types
    async with local_cluster(
        n_workers=1, threads_per_worker=ROOM, dashboard_address=None, asynchronous=True
    ) as cluster:
        yield cluster


@asynccontextmanager
async def _client(scheduler: Any) -> AsyncIterator[Any]:  # noqa: ANN401 - an address or a LocalCluster, which is untyped
    opened: Any = distributed.Client
    try:
        client = await opened(scheduler, asynchronous=True, set_as_default=False)
    except OSError as error:
        raise ConfigurationError(
            f"No Dask scheduler answers at {scheduler}. Start one with `dask scheduler`, and name it as "
            "dask://HOST:8786."
        ) from error
    async with client:
        yield client

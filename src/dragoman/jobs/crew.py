"""Shards handed out to workers in other processes: what is common to all clusters."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Protocol

from dragoman.errors import DragomanError, LedgerError, UnreadableTable
from dragoman.jobs.cells import Stopped, Tally
from dragoman.jobs.runner import Desk
from dragoman.jobs.spec import Receipt, Shard
from dragoman.jobs.station import Outcome, Told

log = logging.getLogger(__name__)

ROOM = 4
"""Shards that one station works on at a time, so that its engine stays full while others begin and end."""

BEAT_S = 1.0
"""Between two questions how far the workers are."""

LOSSES = 5
"""So many workers may be lost with a shard before the shard is taken for the cause."""


class WorkerLost(Exception):
    """A worker or its node is gone, and what it worked on with it; all that it stored may be there again."""


class Worker(Protocol):
    """One or more stations behind a cluster's own means. Every method raises WorkerLost where they are gone."""

    @property
    def room(self) -> int:
        """How many shards it takes at a time."""
        ...

    async def run(self, shard: Shard) -> Outcome:
        """Have a shard worked on."""
        ...

    async def back(self) -> None:
        """Return once it is there again after it was lost. Raises WorkerLost where it never will be."""
        ...

    async def tell(self) -> Sequence[Told]:
        """What its stations have counted."""
        ...

    async def stop(self, reason: DragomanError) -> Sequence[Told]:
        """Send nothing more to an engine; what was counted when nothing flies any more."""
        ...

    async def close(self) -> None:
        """Let what flies be stored, and let go of everything."""
        ...

    async def forget(self) -> None:
        """Remove what was stored beside the workers; when all are closed."""
        ...


class Crew:
    """A runner that hands shards to workers, no more to each than it has room for; `close` it at the end.

    The shards of a lost worker are given back and handed out again, with a new generation: what the lost one may still
    bring is not taken. The mutable state: `_here` are the workers that can be asked, `_returning` those that are waited
    for, `_out` the shards that are worked on, `_told` what each station counted, `_lost` how often each shard was lost,
    `_handed_out` whether the desk has no more shards for now, `_complete` whether it will have none again.
    """

    def __init__(self, workers: Sequence[Worker], pause_for: Callable[[Tally], str | None] = lambda _: None) -> None:
        self._workers = tuple(workers)
        self._pause_for = pause_for
        self._here = list(workers)
        self._returning: dict[asyncio.Task[None], Worker] = {}
        self._out: dict[asyncio.Task[Outcome], tuple[Worker, Shard]] = {}
        self._told: dict[str, Tally] = {}
        self._lost: Counter[int] = Counter()
        self._handed_out = False
        self._complete = False
        self._stopped: DragomanError | None = None
        self._stopping: asyncio.Task[None] | None = None

    @property
    def tally(self) -> Tally:
        """What all stations have counted, as of their last words."""
        total = Tally()
        for tally in self._told.values():
            for field in Tally.__struct_fields__:
                setattr(total, field, getattr(total, field) + getattr(tally, field))
        return total

    async def run(self, desk: Desk) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                listening = group.create_task(self._listen(), name="ask how far the workers are")
                await self._work(desk)
                listening.cancel()
            if self._stopping is not None:
                await self._stopping
        finally:
            for task in (*self._out, *self._returning):
                task.cancel()
        if self._stopped is not None:
            raise self._stopped
        self._complete = True

    def stop(self, reason: DragomanError) -> None:
        if self._stopped is not None:
            return
        self._stopped = reason
        self._stopping = asyncio.create_task(self._stop_all(reason), name="stop the workers")
        for task in self._returning:
            task.cancel()

    async def close(self) -> None:
        """Let the workers go. What they stored goes too if all shards are done: nobody needs it any more."""
        await asyncio.gather(*(_unless_lost(worker.close()) for worker in self._here))
        if self._complete:
            await asyncio.gather(*(_unless_lost(worker.forget()) for worker in self._here))

    async def _work(self, desk: Desk) -> None:
        while True:
            await self._hand_out(desk)
            if not self._out and (self._handed_out or self._stopped is not None):
                return
            done, _ = await asyncio.wait([*self._out, *self._returning], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                if task in self._returning:
                    self._welcome(task)
                else:
                    await self._settle(task, desk)

    async def _hand_out(self, desk: Desk) -> None:
        while self._stopped is None and not self._handed_out and (worker := self._emptiest()) is not None:
            try:
                shard = await desk.next()
            except DragomanError as error:
                self.stop(error)
                return
            if shard is None:
                self._handed_out = True
            else:
                self._out[asyncio.create_task(worker.run(shard), name=f"shard {shard.number}")] = (worker, shard)

    def _emptiest(self) -> Worker | None:
        """The worker with the fewest shards for its room; None where all are full."""
        held = Counter(id(worker) for worker, _ in self._out.values())
        free = [worker for worker in self._here if held[id(worker)] < worker.room]
        return min(free, key=lambda worker: held[id(worker)] / worker.room, default=None)

    async def _settle(self, task: asyncio.Task[Any], desk: Desk) -> None:
        """Bring what came of a shard to the desk. A fault that is nobody's mistake but ours is raised."""
        worker, shard = self._out.pop(task)
        try:
            await self._bring(task.result(), shard, desk)
        except WorkerLost as lost:
            log.warning("Rows %d to %d are handed out again: %s", shard.first + 1, shard.first + shard.rows, lost)
            self._await_return(worker)
            await self._give_back(shard, desk)
        except DragomanError as error:
            self.stop(error)

    async def _bring(self, outcome: Outcome, shard: Shard, desk: Desk) -> None:
        """Raises what ends the work as a whole."""
        self._hear([outcome.told])
        match outcome.result:
            case Receipt() as receipt:
                await desk.take(receipt)
            case UnreadableTable() as error:
                await desk.stuck(shard, error)
            case error:
                raise error

    async def _give_back(self, shard: Shard, desk: Desk) -> None:
        self._lost[shard.number] += 1
        try:
            if self._lost[shard.number] < LOSSES:
                await desk.give_back(shard)
                self._handed_out = False
            else:
                await desk.stuck(shard, UnreadableTable(f"{LOSSES} workers ended while they worked on these rows."))
        except LedgerError as error:
            self.stop(error)

    def _await_return(self, worker: Worker) -> None:
        """Several shards of a worker are lost at once; it is waited for once."""
        if worker in self._here:
            self._here.remove(worker)
            self._returning[asyncio.create_task(worker.back(), name="wait for a lost worker")] = worker

    def _welcome(self, task: asyncio.Task[Any]) -> None:
        worker = self._returning.pop(task)
        if self._stopped is not None:
            return
        try:
            task.result()
        except WorkerLost as lost:
            log.error("A worker does not come back: %s", lost)
            if not self._here and not self._returning:
                self.stop(Stopped("No worker of the cluster is left. Resume the job when there are some again."))
        else:
            self._here.append(worker)

    async def _listen(self) -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            await asyncio.gather(*(_unless_lost(self._ask(worker)) for worker in self._here))

    async def _ask(self, worker: Worker) -> None:
        self._hear(await worker.tell())

    async def _stop_all(self, reason: DragomanError) -> None:
        async def stop(worker: Worker) -> None:
            self._hear(await worker.stop(reason))

        await asyncio.gather(*(_unless_lost(stop(worker)) for worker in self._here))

    def _hear(self, told: Sequence[Told]) -> None:
        """Answers may overtake each other: the one that has counted more is the later one."""
        for one in told:
            known = self._told.get(one.station)
            if known is None or (one.tally.settled, one.tally.called) >= (known.settled, known.called):
                self._told[one.station] = one.tally
        if (reason := self._pause_for(self.tally)) is not None:
            self.stop(Stopped(reason))


async def _unless_lost(asking: Coroutine[Any, Any, None]) -> None:
    """Ask a worker that may be gone meanwhile; whoever waits for its shard is told of that."""
    try:
        await asking
    except WorkerLost as lost:
        log.debug("A worker did not answer: %s", lost)

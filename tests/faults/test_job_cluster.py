"""Workers that are lost, come back, do not come back, or fail: what a crew makes of it. No cluster is needed here."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Callable, Sequence

import pytest

from dragoman.errors import (
    DragomanError,
    EngineTimeout,
    InputChanged,
    InvalidRequest,
    LedgerError,
    MissingExtra,
    OutputTruncated,
    ShuttingDown,
    TooManyRequests,
    Unfaithful,
    UnreadableTable,
)
from dragoman.jobs.cells import Stopped, Tally
from dragoman.jobs.crew import LOSSES, Crew, WorkerLost
from dragoman.jobs.spec import Counts, Receipt, Shard
from dragoman.jobs.station import Outcome, Told
from dragoman.types import Finding

BOUND_S = 10

Answer = Receipt | DragomanError | Exception
Behaviour = Callable[[Shard], Answer]


def shard(number: int) -> Shard:
    return Shard(number=number, file=0, start=number * 10, first=number * 10, rows=10)


def receipt_of(shard: Shard) -> Receipt:
    return Receipt(
        shard=shard.number,
        generation=shard.generation,
        part=f"part-{shard.number}.{shard.generation}",
        sha256="",
        counts=Counts(rows=shard.rows),
    )


class Notebook:
    """A desk that notes what it is brought; shards given back are handed out again with a new generation."""

    def __init__(self, shards: int) -> None:
        self.pending = [shard(number) for number in range(shards)]
        self.generations: dict[int, int] = {}
        self.taken: list[tuple[int, int]] = []
        self.given_back: list[int] = []
        self.unreadable: dict[int, str] = {}

    async def next(self) -> Shard | None:
        if not self.pending:
            return None
        number = self.pending.pop(0).number
        generation = self.generations[number] = self.generations.get(number, 0) + 1
        return Shard(number=number, file=0, start=0, first=number * 10, rows=10, generation=generation)

    async def take(self, receipt: Receipt) -> None:
        self.taken.append((receipt.shard, receipt.generation))

    async def give_back(self, shard: Shard) -> None:
        self.given_back.append(shard.number)
        self.pending.insert(0, shard)

    async def stuck(self, shard: Shard, error: DragomanError) -> None:
        self.unreadable[shard.number] = error.message


class ScriptedWorker:
    """Answers as its behaviour says. It is lost with what the behaviour raises, and back at once, unless `returns` is
    False. While `gate` is closed it answers nothing; `full` tells that it once held all it has room for.
    """

    def __init__(self, behaviour: Behaviour = receipt_of, *, room: int = 2, returns: bool = True) -> None:
        self.room = room
        self.gate = asyncio.Event()
        self.gate.set()
        self.full = asyncio.Event()
        self.most_held = 0
        self.said: list[str] = []
        self._held = 0
        self._behaviour = behaviour
        self._returns = returns
        self._tally = Tally()

    async def run(self, shard: Shard) -> Outcome:
        self._held += 1
        self.most_held = max(self.most_held, self._held)
        if self._held == self.room:
            self.full.set()
        try:
            await self.gate.wait()
            answer = self._behaviour(shard)
        finally:
            self._held -= 1
        if not isinstance(answer, Receipt | DragomanError):
            raise answer
        self._tally.settled += shard.rows
        return Outcome(await self._told(), answer)

    async def back(self) -> None:
        if not self._returns:
            raise WorkerLost("It never comes back.")

    async def tell(self) -> Sequence[Told]:
        return [await self._told()]

    async def stop(self, reason: DragomanError) -> Sequence[Told]:
        self.said.append("stop")
        self.gate.set()
        self._behaviour = lambda _: reason
        return [await self._told()]

    async def close(self) -> None:
        self.said.append("close")

    async def forget(self) -> None:
        self.said.append("forget")

    async def _told(self) -> Told:
        return Told(f"station {id(self)}", Tally(settled=self._tally.settled))


def once_each(first: Callable[[Shard], Answer]) -> Behaviour:
    """The first time a shard comes it fares so; after that all is well."""
    return lambda shard: first(shard) if shard.generation == 1 else receipt_of(shard)


async def run(crew: Crew, desk: Notebook) -> None:
    """Run to the end, and let the workers go whatever comes."""
    try:
        async with asyncio.timeout(BOUND_S):
            await crew.run(desk)
    finally:
        await crew.close()


async def test_no_worker_holds_more_shards_than_it_has_room_for() -> None:
    workers = [ScriptedWorker(room=2), ScriptedWorker(room=3)]
    for worker in workers:
        worker.gate.clear()
    desk, crew = Notebook(20), Crew(workers)

    async with asyncio.timeout(BOUND_S):
        running = asyncio.create_task(crew.run(desk))
        for worker in workers:
            await worker.full.wait()
        assert len(desk.pending) == 20 - 5
        for worker in workers:
            worker.gate.set()
        await running

    assert sorted(desk.taken) == [(number, 1) for number in range(20)]
    assert [worker.most_held for worker in workers] == [2, 3]


async def test_the_shards_of_a_lost_worker_are_handed_out_again() -> None:
    desk = Notebook(6)
    worker = ScriptedWorker(once_each(lambda _: WorkerLost("Its node is gone.")))

    await run(Crew([worker]), desk)

    assert sorted(desk.given_back) == list(range(6))
    assert sorted(desk.taken) == [(number, 2) for number in range(6)]


async def test_a_shard_is_handed_out_again_although_all_others_are_done() -> None:
    lost = ScriptedWorker(lambda _: WorkerLost("Its node is gone."), room=1, returns=False)
    lost.gate.clear()

    class LosesTheLast(Notebook):
        async def take(self, receipt: Receipt) -> None:
            await super().take(receipt)
            if len(self.taken) == 2:
                lost.gate.set()

    desk = LosesTheLast(3)
    await run(Crew([lost, ScriptedWorker(room=1)]), desk)

    assert sorted(desk.taken) == [(0, 2), (1, 1), (2, 1)]


async def test_without_any_worker_left_the_job_pauses() -> None:
    desk = Notebook(3)
    crew = Crew([ScriptedWorker(lambda _: WorkerLost("Its node is gone."), returns=False)])

    with pytest.raises(Stopped, match="No worker of the cluster is left"):
        await run(crew, desk)

    assert len(desk.pending) == 3


async def test_rows_that_end_every_worker_are_left_aside_and_the_others_are_done() -> None:
    def ends_on_the_second(shard: Shard) -> Answer:
        return WorkerLost("It was killed.") if shard.number == 1 else receipt_of(shard)

    desk = Notebook(4)
    await run(Crew([ScriptedWorker(ends_on_the_second)]), desk)

    assert sorted(number for number, _ in desk.taken) == [0, 2, 3]
    assert desk.unreadable == {1: f"{LOSSES} workers ended while they worked on these rows."}
    assert desk.given_back == [1] * (LOSSES - 1)


async def test_rows_that_cannot_be_read_leave_the_others_alone() -> None:
    def unreadable(shard: Shard) -> Answer:
        return UnreadableTable("A page is broken.") if shard.number == 1 else receipt_of(shard)

    desk = Notebook(4)
    await run(Crew([ScriptedWorker(unreadable)]), desk)

    assert sorted(number for number, _ in desk.taken) == [0, 2, 3]
    assert desk.unreadable == {1: "A page is broken."}
    assert desk.given_back == []


@pytest.mark.parametrize(
    "reason", [Stopped("Enough."), LedgerError("The disk is full."), InputChanged("It is another file.")]
)
async def test_what_ends_the_work_on_one_worker_ends_it_on_all(reason: DragomanError) -> None:
    failing, other = ScriptedWorker(lambda _: reason, room=1), ScriptedWorker(room=1)
    other.gate.clear()
    desk = Notebook(9)

    with pytest.raises(type(reason)) as raised:
        await run(Crew([failing, other]), desk)

    assert raised.value is reason
    assert other.said == ["stop", "close"]
    assert len(desk.pending) == 7


async def test_a_fault_of_our_own_is_raised_and_not_tried_again() -> None:
    desk = Notebook(3)
    crew = Crew([ScriptedWorker(lambda _: ZeroDivisionError("a bug"), room=1)])

    with pytest.RaisesGroup(ZeroDivisionError):
        await run(crew, desk)

    assert desk.given_back == []
    assert len(desk.pending) == 2


async def test_the_ledger_failing_stops_the_workers() -> None:
    class FullDisk(Notebook):
        async def take(self, receipt: Receipt) -> None:
            raise LedgerError("The disk is full.")

    worker = ScriptedWorker(room=1)

    with pytest.raises(LedgerError):
        await run(Crew([worker]), FullDisk(3))

    assert worker.said == ["stop", "close"]


async def test_the_brakes_see_what_all_workers_did_together() -> None:
    workers = [ScriptedWorker(room=1), ScriptedWorker(room=1)]
    crew = Crew(workers, lambda tally: "Enough." if tally.settled >= 50 else None)
    desk = Notebook(100)

    with pytest.raises(Stopped, match="Enough"):
        await run(crew, desk)

    assert 50 <= crew.tally.settled <= 70


async def test_a_stop_does_not_wait_for_a_worker_that_is_away() -> None:
    away = asyncio.Event()

    class Away(ScriptedWorker):
        async def back(self) -> None:
            away.set()
            await asyncio.Event().wait()

    crew = Crew([Away(lambda _: WorkerLost("Its node is gone."))])

    async with asyncio.timeout(BOUND_S):
        running = asyncio.create_task(crew.run(Notebook(3)))
        await away.wait()
        crew.stop(Stopped("Somebody pressed Ctrl-C."))
        with pytest.raises(Stopped, match="Ctrl-C"):
            await running


@pytest.mark.parametrize(("shards", "said"), [(3, ["close", "forget"]), (0, ["close", "forget"])])
async def test_when_all_is_done_workers_forget_what_they_stored(shards: int, said: list[str]) -> None:
    worker = ScriptedWorker()

    await run(Crew([worker]), Notebook(shards))

    assert worker.said == said


@pytest.mark.parametrize(
    "error",
    [
        Stopped("Enough for today."),
        LedgerError("The disk is full."),
        ShuttingDown(),
        InvalidRequest("No such column.", field="columns", accepted=["title"], limit=3),
        TooManyRequests("Too many.", retry_after_s=1.5),
        EngineTimeout("No answer.", engine="simulated"),
        OutputTruncated("Cut short.", engine="simulated", partial="Guten"),
        Unfaithful([Finding("number", "A number is missing.")], engine="simulated"),
        MissingExtra("Jobs on Ray", extra="ray"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_travels_between_processes_whole(error: DragomanError) -> None:
    came = pickle.loads(pickle.dumps(error))

    assert type(came) is type(error)
    assert came.message == error.message
    assert vars(came) == vars(error)

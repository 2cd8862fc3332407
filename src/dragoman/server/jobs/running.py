"""What this process works on: it takes jobs from the index as there is room, and ends what others ask it to."""

from __future__ import annotations

import asyncio
import base64
import logging
import secrets
import time
import traceback
from datetime import UTC, datetime
from importlib import import_module
from typing import TYPE_CHECKING

import msgspec

from dragoman.errors import DragomanError, InputChanged, JobNotReady, MissingExtra
from dragoman.jobs.cells import Stopped
from dragoman.jobs.progress import Progress
from dragoman.jobs.spec import JobState
from dragoman.memory.glossaries import Glossaries
from dragoman.server.documents_file import this_process
from dragoman.server.gate import Gate
from dragoman.server.jobs.index_file import Ended, Notice, Row
from dragoman.server.jobs.progress import progress_of
from dragoman.server.jobs.store import Store
from dragoman.server.jobs.wire import JobEvent, shown

if TYPE_CHECKING:
    from dragoman.core.translator import Translator
    from dragoman.server.jobs.run import Run

log = logging.getLogger(__name__)

CANCELLED = Stopped("It was cancelled.")
STOPPING = Stopped("The server is stopping; the job goes on when it starts again.")
_FAULT = "The server failed while it worked on the job; its log says more. Resume the job to try again."


async def load_tables() -> None:
    """Load what reads tables, in a thread: it takes half a second. Raises MissingExtra."""
    await asyncio.to_thread(import_module, "dragoman.server.jobs.run")


class Running:
    """The jobs that this process works on.

    Mutable state: `_runs` by job, `_tasks`, each the work on one of them, `_stopping`, and
    `_is_missing_told`.
    """

    def __init__(self, store: Store, translator: Translator, gate: Gate, glossaries: Glossaries, at_once: int) -> None:
        self._store = store
        self._translator = translator
        self._gate = gate
        self._glossaries = glossaries
        self._at_once = at_once
        self._process = this_process()
        self._runs: dict[str, Run] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False
        self._is_missing_told = False

    async def look(self) -> None:
        """End what is to be ended, and begin what waits for its turn, as far as there is room."""
        for job_id in await self._store.run(lambda file: file.asked_of(self._process)):
            if job_id in self._runs:
                self._runs[job_id].stop(CANCELLED)
        if self._translator.readiness.ready and not self._stopping and await self._can_work():
            while not self._stopping and (row := await self._claimed()) is not None:
                self._begin(row)

    def stop(self) -> None:
        """Begin nothing more, and send nothing more to the engine."""
        self._stopping = True
        for run in self._runs.values():
            run.stop(STOPPING)

    async def drained(self, within_s: float) -> None:
        """After `stop`: return when nothing is worked on any more, without what takes longer than that."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=within_s)
            for run in self._runs.values():
                run.abandon()
            await asyncio.gather(*late, return_exceptions=True)
            await self._store.run(lambda file: file.leave(self._process))

    async def _can_work(self) -> bool:
        """Whether what reads tables is there; where it is not, the log says once what to install."""
        if not self._is_missing_told:
            try:
                await load_tables()
            except MissingExtra as error:
                log.error("Jobs wait: %s", error.message)
                self._is_missing_told = True
        return not self._is_missing_told

    async def _claimed(self) -> Row | None:
        return await self._store.run(lambda file: file.claim(self._process, self._runs.keys(), self._at_once))

    def _begin(self, row: Row) -> None:
        from dragoman.server.jobs.run import Run

        self._runs[row.id] = Run(row, self._store, self._translator, self._gate, self._glossaries)
        task = asyncio.create_task(self._work(row), name=f"job {row.id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work(self, row: Row) -> None:
        """One job from its turn to where work on it ends."""
        try:
            ended = await self._ended(row, self._runs[row.id])
            if ended is None:
                await self._store.run(lambda file: file.leave_one(row.id, self._process))
            else:
                state, reason = ended
                await end(self._store, row, self._process, state, reason)
        except DragomanError as error:  # the index cannot be written: the job is claimed again, and ends again
            log.error("Job %s: %s", row.id, error.message)
        finally:
            del self._runs[row.id]

    async def _ended(self, row: Row, run: Run) -> tuple[JobState, str] | None:
        """How work on a job ended; None where it is to be taken up again without being asked."""
        try:
            progress = await run.work()
        except InputChanged as error:
            return "failed", self._told(error, row)
        except JobNotReady as error:
            log.warning("Job %s has to wait: %s", row.id, error.message)
            return None
        except DragomanError as error:
            log.error("Job %s is paused: %s", row.id, error.message)
            return "paused", self._told(error, row)
        except Exception as error:  # its words may hold text
            frames = "".join(traceback.format_tb(error.__traceback__))
            log.error("Job %s failed. This is a bug: %s at\n%s", row.id, type(error).__name__, frames)
            return "failed", _FAULT
        return self._concluded(row, run, progress)

    def _concluded(self, row: Row, run: Run, progress: Progress) -> tuple[JobState, str] | None:
        if progress.state == "paused" and run.reason is STOPPING:
            return None
        if progress.state == "paused" and run.reason is CANCELLED:
            return "cancelled", CANCELLED.message
        return progress.state, self._without_folder(progress.reason, row)

    def _told(self, error: DragomanError, row: Row) -> str:
        return self._without_folder(error.message, row)

    def _without_folder(self, words: str, row: Row) -> str:
        """Where the server keeps the job's files is nothing to its owner."""
        return words.replace(f"{self._store.folder(row.id)}/", "")


async def end(store: Store, row: Row, process: str, state: JobState, reason: str) -> None:
    """Write down how work on a job ended, and that its webhook is due if it has one."""
    notice = None
    if row.plan.webhook is not None:
        now = time.time()
        ended = msgspec.structs.replace(row, state=state, reason=reason, finished_at=now)
        job = shown(ended, await progress_of(store, row))
        event = JobEvent(f"job.{state}", datetime.fromtimestamp(now, UTC), job)
        notice = Notice(_new_id(), row.id, msgspec.json.encode(event), 0)
    await store.run(lambda file: file.end(row.id, process, Ended(state, reason, notice)))


def _new_id() -> str:
    return "msg_" + base64.b32encode(secrets.token_bytes(15)).decode().lower()

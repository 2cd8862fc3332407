"""The jobs of a server: taken in, worked on in the bulk lane of its translator, watched, ended and forgotten."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from msgspec import Struct

from dragoman.errors import DragomanError, EngineUnavailable, InvalidRequest, JobNotReady, UnknownJob
from dragoman.jobs.job_file import FILE_NAME, JobFile
from dragoman.jobs.output import hold
from dragoman.memory.glossaries import Glossaries
from dragoman.server.gate import Caller, Gate
from dragoman.server.jobs.index_file import Plan, Row
from dragoman.server.jobs.progress import progress_of
from dragoman.server.jobs.running import CANCELLED, Running, end, load_tables
from dragoman.server.jobs.store import Store
from dragoman.server.jobs.webhooks import Webhooks, check_webhook, new_secret
from dragoman.server.jobs.wire import JobFromPath, JobFromUpload, ShownJob, request_of, shown
from dragoman.server.problems import IdempotencyKeyReused
from dragoman.settings import DAY_S, Settings, data_path

if TYPE_CHECKING:
    from dragoman.core.translator import Translator

log = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0
"""How late a process sees what another one was asked."""
CLEAR_EVERY_S = 60.0


class Table(Struct, frozen=True):
    """A table to make a job of. `filename` is what its owner calls it, `digest` that of the whole request."""

    path: Path
    filename: str
    digest: bytes


class Jobs:
    """The jobs of all callers. An async context manager: what it leaves undone goes on when the server starts again.

    The processes of one server share them through an index in the data directory, and each job is worked on by one of
    them. Each belongs to its owner, `caller.key_id`; to anybody else it is unknown: every method raises UnknownJob.

    Mutable state: `_looking` wakes what looks for work; `stopping` is set when the server begins to stop.
    """

    def __init__(self, translator: Translator, gate: Gate, glossaries: Glossaries, settings: Settings) -> None:
        self.max_bytes = settings.max_job_bytes
        self.stopping = asyncio.Event()
        self._translator = translator
        self._gate = gate
        self._glossaries = glossaries
        self._grace_s = settings.shutdown_grace_s
        self._input_dir = None if settings.jobs_input_dir is None else Path(settings.jobs_input_dir).expanduser()
        self._hosts = (settings.webhook_hosts or "").split()
        self._store = Store(
            data_path(settings),
            max_bytes=settings.jobs_disk_bytes,
            max_age_s=settings.jobs_max_age_days * DAY_S,
        )
        self._running = Running(self._store, translator, gate, glossaries, settings.jobs_at_once)
        self._webhooks = Webhooks(self._store, self._hosts)
        self._work = asyncio.Event()
        self._news = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._loops = [
            asyncio.create_task(self._keep_on(self._look, LOOK_EVERY_S, self._work), name="look for jobs"),
            asyncio.create_task(self._keep_on(self._webhooks.send_due, LOOK_EVERY_S, self._news), name="webhooks"),
            asyncio.create_task(self._keep_on(self._store.clear, CLEAR_EVERY_S, asyncio.Event()), name="old jobs"),
        ]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()
        left_s = self._stopped_at + self._grace_s - time.monotonic()
        await self._running.drained(max(0.0, left_s))
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        await self._webhooks.aclose()
        await self._store.aclose()

    def stop(self) -> None:
        """Begin to stop: nothing more is sent to the engine, and who watches is let go. Twice is fine."""
        if not self.stopping.is_set():
            self._stopped_at = time.monotonic()
            self.stopping.set()
            self._running.stop()

    @asynccontextmanager
    async def incoming(self) -> AsyncIterator[tuple[str, Path]]:
        """The id of a job that is to be, and its folder, which goes again unless the job comes to something.

        Raises MissingExtra where tables cannot be read here.
        """
        await load_tables()
        job_id = secrets.token_hex(16)
        folder = self._store.folder(job_id)
        await asyncio.to_thread(folder.mkdir, parents=True)
        try:
            yield job_id, folder
        finally:
            if await self._store.run(lambda file: file.find(job_id)) is None:
                await self._store.discard(job_id)

    async def make_room(self, needed_bytes: int) -> None:
        """Have room for an upload. Raises Overloaded."""
        await self._store.make_room(needed_bytes)

    async def input_file(self, path: str) -> Path:
        """The file at a path in the operator's folder. Raises InvalidRequest for anything elsewhere."""
        if self._input_dir is None:
            raise InvalidRequest(
                "This server takes tables as uploads only: send the file in a form. Whoever runs it can open a folder "
                "with jobs_input_dir.",
                field="path",
            )
        return await asyncio.to_thread(_inside, self._input_dir, path)

    async def submit(
        self, job_id: str, asked: JobFromPath | JobFromUpload, table: Table, caller: Caller, key: str | None
    ) -> tuple[Row, bool]:
        """Plan a job and have it wait for its turn; whether it is new, or was made with this idempotency key before.

        Raises InvalidRequest (also UnknownLanguage, UnsupportedPair, UnknownGlossary, UnreadableTable) for what cannot
        be done, IdempotencyKeyReused, EngineUnavailable while the engine is not known yet, LedgerError, and what the
        gate refuses.
        """
        if key is not None and (made := await self._store.run(lambda file: file.find_by_key(caller.key_id, key))):
            return _same(made, table), False
        if asked.webhook is not None:
            check_webhook(asked.webhook, self._hosts)
        await self._gate.charge(caller, 0)
        rows = await self._plan(job_id, asked, table, caller)
        row = Row(
            id=job_id,
            owner=caller.key_id,
            created_at=time.time(),
            idempotency_key=key,
            plan=Plan(
                filename=table.filename,
                rows=rows,
                columns=tuple(asked.columns),
                targets=tuple(asked.target),
                digest=table.digest,
                max_errors=asked.max_errors,
                webhook=asked.webhook,
                secret=None if asked.webhook is None else new_secret(),
            ),
        )
        kept = await self._store.run(lambda file: file.add(row))
        self._work.set()
        return _same(kept, table), kept.id == job_id

    async def list_all(self, caller: Caller) -> list[ShownJob]:
        """The jobs of a caller, the newest first."""
        if not await self._store.is_there():
            return []
        return [await self._shown(row) for row in await self._store.run(lambda file: file.of(caller.key_id))]

    async def show(self, job_id: str, caller: Caller) -> ShownJob:
        """How far a job is."""
        return await self._shown(await self.find(job_id, caller))

    async def find(self, job_id: str, caller: Caller) -> Row:
        """A job."""
        row = await self._store.run(lambda file: file.find(job_id)) if await self._store.is_there() else None
        if row is None or row.owner != caller.key_id:
            raise UnknownJob("There is no such job, or no longer.", field="id")
        return row

    def work_folder(self, row: Row) -> Path:
        """Where a job's ledger and its parts are."""
        return self._store.work_folder(row.id)

    async def cancel(self, job_id: str, caller: Caller) -> ShownJob:
        """End a job; what is done stays. Raises JobNotReady for one that is done."""
        row = await self.find(job_id, caller)
        if row.state == "done":
            raise JobNotReady("The job is done: there is nothing to cancel.", field="id")
        if row.state == "running":
            await self._store.run(lambda file: file.ask(job_id, "cancel"))
        elif row.state != "cancelled":
            await end(self._store, row, "", "cancelled", CANCELLED.message)
        self._wake()
        return await self.show(job_id, caller)

    async def resume(self, job_id: str, caller: Caller) -> ShownJob:
        """Have a job that is paused, failed or cancelled wait for its turn. Raises JobNotReady for one that is done."""
        row = await self.find(job_id, caller)
        if row.state == "done":
            raise JobNotReady("The job is done. To try the rows that failed again, ask for retry-failed.", field="id")
        return await self._again(job_id, caller)

    async def retry_failed(self, job_id: str, caller: Caller) -> ShownJob:
        """Have a job that is over try again what failed. Raises JobNotReady where nothing did."""
        row = await self.find(job_id, caller)
        if not row.is_over:
            raise JobNotReady("The job is being worked on. Wait until it is over, or cancel it first.", field="id")
        failed = await asyncio.to_thread(_retry_failed, self.work_folder(row))
        if row.state == "done" and not failed:
            raise JobNotReady("No row of the job failed.", field="id")
        return await self._again(job_id, caller)

    async def delete(self, job_id: str, caller: Caller) -> None:
        """Delete a job and all its files; if it is being worked on, that ends first."""
        await self.find(job_id, caller)
        await self._store.run(lambda file: file.ask(job_id, "delete"))
        self._work.set()

    async def _plan(self, job_id: str, asked: JobFromPath | JobFromUpload, table: Table, caller: Caller) -> int:
        """Plan a job in its folder; how many rows it has."""
        from dragoman.server.jobs import run

        readiness = self._translator.readiness
        if not readiness.ready:
            raise EngineUnavailable("The engine is not ready; send the request again later.", engine="the engine")
        info = self._translator.info
        glossaries = [await self._glossaries.load(name, caller.key_id) for name in asked.glossary]
        request = request_of(asked, glossaries)
        await asyncio.to_thread(run.check_wanted, request, info)
        try:
            return await asyncio.to_thread(
                run.plan_upload,
                table.path,
                self._store.work_folder(job_id),
                info,
                request,
                glossaries,
                columns=asked.columns,
                names=asked.glossary,
                name=asked.name,
                limit=asked.limit,
            )
        except InvalidRequest as error:  # where the server keeps the file is nothing to its owner
            error.args = (error.message.replace(str(table.path), table.filename),)
            raise

    async def _shown(self, row: Row) -> ShownJob:
        return shown(row, await progress_of(self._store, row))

    async def _again(self, job_id: str, caller: Caller) -> ShownJob:
        await self._store.run(lambda file: file.plan_again(job_id))
        self._wake()
        return await self.show(job_id, caller)

    def _wake(self) -> None:
        self._work.set()
        self._news.set()

    async def _look(self) -> None:
        await self._running.look()
        await self._store.remove_deleted()

    async def _keep_on(self, work: Callable[[], Awaitable[None]], every_s: float, wake: asyncio.Event) -> None:
        """Do a piece of work again and again, sooner when woken; what keeps it from being done may pass."""
        while True:
            wake.clear()
            try:
                if await self._store.is_there():
                    await work()
            except DragomanError as error:
                log.error("%s", error.message)
            with suppress(TimeoutError):
                async with asyncio.timeout(every_s):
                    await wake.wait()


def _same(row: Row, table: Table) -> Row:
    if row.plan.digest != table.digest:
        raise IdempotencyKeyReused(
            "This Idempotency-Key was sent with another request. Send a new one with each new job.",
            field="Idempotency-Key",
        )
    return row


def _inside(folder: Path, path: str) -> Path:
    """A file in a folder, wherever links and dots lead. What is elsewhere is told as what is not there."""
    try:
        root = folder.resolve(strict=True)
        found = (root / path).resolve(strict=True)
        if found.is_relative_to(root) and found.is_file():
            return found
    except (OSError, ValueError, RuntimeError):  # not there, a name with NUL, links in a circle
        pass
    raise InvalidRequest("There is no such file in the folder that this server takes tables from.", field="path")


def _retry_failed(folder: Path) -> int:
    with hold(folder), closing(JobFile(folder / FILE_NAME)) as file:
        return file.retry_failed()

"""One job at work in this process: the code that needs the extra `jobs`, loaded with the first job."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import structs

from dragoman.core import plan as planning
from dragoman.errors import DragomanError
from dragoman.jobs.brakes import Brakes
from dragoman.jobs.cells import Stopped
from dragoman.jobs.job import Before, Job, fingerprint_of, open_job, plan_job
from dragoman.jobs.progress import Progress
from dragoman.jobs.runner import LocalRunner, local_runner
from dragoman.jobs.tables.planning import plan_table
from dragoman.memory.glossaries import Glossaries
from dragoman.server.gate import Caller, Gate
from dragoman.server.jobs.index_file import Row
from dragoman.server.jobs.store import Store
from dragoman.types import EngineInfo, Glossary, TranslateRequest

if TYPE_CHECKING:
    from dragoman.core.translator import Translator

CHARGE_EVERY_S = 1.0


def check_wanted(request: TranslateRequest, info: EngineInfo) -> None:
    """Refuse what would fail every text: languages, a pair that is not translated, wishes that cannot be met.

    Raises InvalidRequest.
    """
    plan = planning.prepare(structs.replace(request, texts=("One text.",)), info)
    for item in plan.items if request.source is not None else ():
        if item.error is not None:
            raise item.error


def plan_upload(
    table: Path,
    folder: Path,
    info: EngineInfo,
    request: TranslateRequest,
    glossaries: Sequence[Glossary],
    *,
    columns: Sequence[str],
    names: Sequence[str],
    name: str,
    limit: int | None,
) -> int:
    """Plan the job over a table in a folder; how many rows it has. `names` are those of the glossaries.

    Blocks. Raises InvalidRequest, UnreadableTable and LedgerError.
    """
    spec, shards = plan_table([table], columns=columns, request=request, glossaries=names, name=name, limit=limit)
    plan_job(folder, spec, shards, fingerprint_of(info, glossaries))
    return spec.rows


class Run:
    """The work on one job, from opening its ledger to where that ends. `work` is called once.

    Mutable state: `_runner`, while there is one, and `_reason`, why it is to stop.
    """

    def __init__(self, row: Row, store: Store, translator: Translator, gate: Gate, glossaries: Glossaries) -> None:
        self._row = row
        self._store = store
        self._translator = translator
        self._gate = gate
        self._glossaries = glossaries
        self._runner: LocalRunner | None = None
        self._reason: Stopped | None = None

    @property
    def reason(self) -> Stopped | None:
        """Why it was told to stop, if it was."""
        return self._reason

    def stop(self, reason: Stopped) -> None:
        """Send nothing more to the engine; `work` ends when what flies is committed."""
        self._reason = self._reason or reason
        if self._runner is not None:
            self._runner.stop(self._reason)

    def abandon(self) -> None:
        """After `stop`: do not wait for what flies."""
        if self._runner is not None:
            self._runner.abandon()

    async def work(self) -> Progress:
        """Work until the job is done or stops.

        Raises JobNotReady where another process works on it, InputChanged where the input or the engine is not what it
        was, and what keeps it from beginning: UnknownGlossary, LedgerError, Refused.
        """
        async with open_job(self._store.work_folder(self._row.id)) as job:
            glossaries = [await self._glossaries.load(name, self._row.owner) for name in job.spec.glossaries]
            await asyncio.to_thread(job.check, fingerprint_of(self._translator.info, glossaries))
            before = await job.prepare()
            await self._charge(max(0, before.totals.characters - self._row.charged))
            async with self._open_runner(job, before, glossaries) as runner:
                return await job.run(runner, before)

    @asynccontextmanager
    async def _open_runner(
        self, job: Job, before: Before, glossaries: Sequence[Glossary]
    ) -> AsyncIterator[LocalRunner]:
        """A runner that stops when it is told to, or when its owner may have no more."""
        brakes = Brakes(
            max_errors=self._row.plan.max_errors,
            errors_before=sum((await job.ledger.failures()).values()),
            tokens_before=before.tokens,
        )
        async with local_runner(
            job.spec, job.folder, job.ledger, self._translator, glossaries, brakes.reason_to_stop
        ) as runner:
            self._runner = runner
            if self._reason is not None:
                runner.stop(self._reason)
            over = asyncio.Event()
            charging = asyncio.create_task(self._keep_charging(runner, over), name=f"charge for job {self._row.id}")
            try:
                yield runner
            finally:
                self._runner = None
                over.set()
                await charging

    async def _keep_charging(self, runner: LocalRunner, over: asyncio.Event) -> None:
        """Charge for the characters of calls, every second and at the end. A refusal stops the job, and keeps it from
        going on as long as it holds.
        """
        charged = 0
        while True:
            is_last = over.is_set()
            owed = runner.tally.characters - charged
            charged += owed
            try:
                await self._charge(owed)
            except DragomanError as error:
                runner.stop(Stopped(error.message))
            if is_last:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(CHARGE_EVERY_S):
                    await over.wait()

    async def _charge(self, characters: int) -> None:
        if characters:
            await self._store.run(lambda file: file.charge(self._row.id, characters))
        await self._gate.charge_job(Caller(self._row.owner), characters)

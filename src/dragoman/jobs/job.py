"""A job in its folder: planned once, worked on until every row is done, whoever and whatever ends the process."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager
from hashlib import blake2b
from pathlib import Path

import msgspec
from msgspec import Struct, structs

from dragoman.errors import DragomanError, InputChanged, JobNotReady, LedgerError
from dragoman.jobs.cells import Stopped, Tally
from dragoman.jobs.job_file import Totals
from dragoman.jobs.ledger import Ledger
from dragoman.jobs.output import Output, hold
from dragoman.jobs.progress import NO_PRICES, Meter, Prices, Progress, progress_in
from dragoman.jobs.runner import Runner
from dragoman.jobs.spec import Fingerprint, JobSpec, JobState, Receipt, Shard
from dragoman.jobs.tables.planning import check_unchanged
from dragoman.memory.keys import VERSION
from dragoman.types import EngineInfo, Glossary, Tokens

log = logging.getLogger(__name__)

BEAT_S = 1.0
"""Between two notes of how far the job is, which other processes read."""

_NAMES = {"engine": "engine", "model": "model", "revision": "revision", "style": "prompt style", "prompts": "prompts"}


def fingerprint_of(info: EngineInfo, glossaries: Sequence[Glossary] = ()) -> Fingerprint:
    """Who translates, as far as it decides what comes out."""
    return Fingerprint(
        engine=info.name,
        model=info.model,
        revision=info.revision,
        style=info.style,
        prompts=VERSION,
        glossaries={one.name: _digest(one) for one in glossaries},
    )


def check_engine(planned: Fingerprint, found: Fingerprint) -> None:
    """Raises InputChanged where somebody else would translate than the job was planned with."""
    changes = _changes(planned, found)
    if changes:
        raise InputChanged(
            f"The job was planned with {'; '.join(changes)}. Go on with what it was planned with, or begin a new job "
            "in another folder."
        )


def plan_job(folder: Path, spec: JobSpec, shards: Sequence[Shard], fingerprint: Fingerprint) -> None:
    """Store the plan of a job in its folder, which it makes; it is never computed again.

    Raises JobNotReady where the folder has a job already, or anything else that is not ours, and LedgerError.
    """
    check_free(folder)
    Ledger.create(folder, spec, fingerprint, shards)


def check_free(folder: Path) -> None:
    """Raises JobNotReady where no job can be planned in a folder; to be asked before the input is gone over."""
    if (folder / Ledger.FILE_NAME).exists():
        raise JobNotReady(
            f"{folder} has a job already. Go on with it by `dragoman job resume {folder}`, or name another folder."
        )
    if folder.exists() and any(folder.iterdir()):
        raise JobNotReady(f"{folder} is not empty. Name a folder that is, or a new one.")


@asynccontextmanager
async def open_job(folder: Path) -> AsyncIterator[Job]:
    """The job of a folder, for this process alone. Raises UnknownJob, JobNotReady where another process works on it,
    and LedgerError.
    """
    ledger = await Ledger.open(folder)
    try:
        with ExitStack() as held:
            await asyncio.to_thread(held.enter_context, hold(folder))
            yield Job(folder, ledger)
    finally:
        await ledger.aclose()


class Before(Struct, frozen=True):
    """What earlier runs of a job have done, and the tokens that their calls took."""

    totals: Totals
    tokens: Tokens


class Job:
    """Hands shards to a runner and commits what it brings: the desk that runners know."""

    def __init__(self, folder: Path, ledger: Ledger) -> None:
        self.folder = folder
        self.ledger = ledger
        self._output = Output(folder, ledger)

    @property
    def spec(self) -> JobSpec:
        """What is asked for."""
        return self.ledger.spec

    def check(self, fingerprint: Fingerprint) -> None:
        """Raises InputChanged where the input or the engine is another one than when the job was planned."""
        check_unchanged(self.spec)
        check_engine(self.ledger.fingerprint, fingerprint)

    async def prepare(self) -> Before:
        """Settle what an earlier process left behind, without any call; what it had done, and what that cost."""
        await self._output.recover()
        totals = await self.ledger.totals()
        noted = await self.noted()
        # The note also knows of calls whose shard was never written.
        tokens = max(
            totals.tokens, noted.tokens if noted else Tokens(), key=lambda tokens: tokens.prompt + tokens.output
        )
        return Before(totals, tokens)

    async def noted(self) -> Progress | None:
        """The progress as the latest run has noted it, in this process or another; None where none has begun."""
        return progress_in(await self.ledger.noted())

    async def run(
        self,
        runner: Runner,
        before: Before,
        prices: Prices = NO_PRICES,
        tell: Callable[[Progress], None] = lambda _: None,
    ) -> Progress:
        """Work until every row is done or something stops it; how far it is then, and why it stopped.

        `tell` is called about every second. Raises only what is a fault of Dragoman's own.
        """
        width = len(self.spec.columns) * len(self.spec.targets)
        meter = Meter(self.spec.rows * width, before.totals.counts.rows * width, before.tokens, prices)
        await self.ledger.set_state("running")
        beating = asyncio.create_task(self._beat(runner, meter, tell), name="note a job's progress")
        try:
            state, reason = await self._worked(runner)
        finally:
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)
        return await self._concluded(state, reason, runner.tally, meter)

    async def next(self) -> Shard | None:
        leased = await self.ledger.lease(1)
        return leased[0] if leased else None

    async def take(self, receipt: Receipt) -> None:
        await self._output.commit(receipt)

    async def give_back(self, shard: Shard) -> None:
        await self.ledger.give_back([shard])

    async def stuck(self, shard: Shard, error: DragomanError) -> None:
        log.error("Rows %d to %d cannot be read: %s", shard.first + 1, shard.first + shard.rows, error.message)
        await self.ledger.stick(shard.number, shard.generation, error.message)

    async def _worked(self, runner: Runner) -> tuple[JobState, str]:
        """Where a run ended. Where all shards are done, the manifest is written."""
        try:
            await runner.run(self)
            stuck = (await self.ledger.totals()).shards.get("stuck", 0)
            if stuck:
                return "failed", f"{stuck} parts of the input cannot be read; everything else is done."
            await self._output.write_manifest()
        except InputChanged as error:
            return "failed", error.message
        except (Stopped, LedgerError) as error:
            return "paused", error.message
        return "done", ""

    async def _concluded(self, state: JobState, reason: str, tally: Tally, meter: Meter) -> Progress:
        if state == "paused" and (await self.ledger.state())[0] == "cancelled":
            state, reason = "cancelled", "It was cancelled."
        progress = structs.replace(await self._progress(tally, meter), state=state, reason=reason)
        try:
            await self.ledger.set_state(state, reason)
            await self.ledger.note(progress.as_note())
        except LedgerError as error:  # the disk is full still; what is committed is known without this note
            log.error("%s", error.message)
        return progress

    async def _beat(self, runner: Runner, meter: Meter, tell: Callable[[Progress], None]) -> None:
        """Note the progress for other processes, and stop where one of them has cancelled the job."""
        while True:
            await asyncio.sleep(BEAT_S)
            try:
                progress = await self._progress(runner.tally, meter)
                await self.ledger.note(progress.as_note())
            except LedgerError as error:
                runner.stop(error)
                return
            tell(progress)
            if progress.state == "cancelled":
                runner.stop(Stopped("It was cancelled."))

    async def _progress(self, tally: Tally, meter: Meter) -> Progress:
        state, reason = await self.ledger.state()
        totals = await self.ledger.totals()
        return meter.read(time.time(), state, reason, self.spec.rows, totals.counts, tally)


def _changes(planned: Fingerprint, found: Fingerprint) -> list[str]:
    """What differs, for people."""
    changes = [
        f"{name} {getattr(planned, field)!r}, and it is {getattr(found, field)!r} now"
        for field, name in _NAMES.items()
        if getattr(planned, field) != getattr(found, field)
    ]
    names = sorted(planned.glossaries.keys() | found.glossaries.keys())
    changed = [name for name in names if planned.glossaries.get(name) != found.glossaries.get(name)]
    return [*changes, *(f"other terms in the glossary {name!r}" for name in changed)]


def _digest(glossary: Glossary) -> str:
    terms = sorted((str(pair), term.source, term.target) for pair, terms in glossary.terms.items() for term in terms)
    return blake2b(msgspec.json.encode(terms), digest_size=16).hexdigest()

"""What there is to say of a job, from any process, also while another one works on it."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path

from msgspec import Struct

from dragoman.cli.job_show import cut, duration, money, pairs, percent, rounded, tokens_in_and_out
from dragoman.cli.table import columns
from dragoman.jobs.job_file import Unfinished
from dragoman.jobs.ledger import Ledger
from dragoman.jobs.output import Output
from dragoman.jobs.progress import Progress, progress_in
from dragoman.jobs.spec import JobSpec, JobState
from dragoman.jobs.tables.findings import unreadable
from dragoman.types import Tokens

SILENT_S = 15.0
"""A process that works on a job tells so every second; one that was not heard of for so long has most likely ended."""


class Stuck(Struct, frozen=True):
    """Rows that cannot be read, counted from 1, and why."""

    first: int
    last: int
    reason: str


class Failure(Struct, frozen=True):
    """How many texts, or rows that could not be read, failed in one way; `example` says why one of them did."""

    kind: str
    count: int
    example: str


class Status(Struct, frozen=True, kw_only=True):
    """A job as it is now. `done` rows are written, `rows` all; of a job that is not `alive` nobody was heard lately."""

    folder: str
    state: JobState
    reason: str
    alive: bool
    rows: int
    done: int
    ok: int
    passthrough: int
    error: int
    cells: int
    cells_total: int
    tokens: Tokens
    hit_rate: float | None
    rate_rows_per_s: float | None
    seconds_remaining: int | None
    cost: float | None
    created_at: int
    noted_at: float
    columns: Sequence[str]
    targets: Sequence[str]
    stuck: list[Stuck]
    failures: list[Failure]


async def read_status(folder: Path) -> Status:
    """The status of the job in a folder. Raises UnknownJob and LedgerError."""
    async with aclosing(await Ledger.open(folder)) as ledger:
        spec = ledger.spec
        state, reason = await ledger.state()
        counts = (await ledger.totals()).counts
        progress = await _noted(ledger, state)
        alive = state == "running" and time.time() - progress.at < SILENT_S
        return Status(
            folder=str(folder),
            state=state,
            reason=reason,
            alive=alive,
            rows=spec.rows,
            done=counts.rows,
            ok=counts.ok,
            passthrough=counts.passthrough,
            error=counts.error,
            cells=progress.cells,
            cells_total=progress.cells_total,
            tokens=progress.tokens,
            hit_rate=progress.hit_rate,
            rate_rows_per_s=None if progress.rate is None else progress.rate / _cells_a_row(spec),
            seconds_remaining=progress.seconds_remaining if alive else None,
            cost=progress.cost,
            created_at=ledger.created_at,
            noted_at=progress.at,
            columns=spec.columns,
            targets=spec.targets,
            stuck=stuck_rows(await ledger.unfinished()),
            failures=failures_by_kind(await ledger.failures(), await _broken_rows(ledger, folder)),
        )


async def _noted(ledger: Ledger, state: JobState) -> Progress:
    """What the latest run noted; of a job that was never begun there is nothing to tell."""
    if progress := progress_in(await ledger.noted()):
        return progress
    spec = ledger.spec
    return Progress(
        state=state,
        rows=0,
        rows_total=spec.rows,
        cells=0,
        cells_total=spec.rows * _cells_a_row(spec),
        at=float(ledger.created_at),
    )


async def _broken_rows(ledger: Ledger, folder: Path) -> list[str]:
    """Why rows that were done could not be read."""
    output = Output(folder, ledger)
    parts = [output.part(receipt.shard) for receipt in await ledger.receipts() if receipt.counts.error]
    return await asyncio.to_thread(unreadable, ledger.spec, parts)


def _cells_a_row(spec: JobSpec) -> int:
    return len(spec.columns) * len(spec.targets)


def stuck_rows(unfinished: Iterable[Unfinished]) -> list[Stuck]:
    """The ranges that cannot be read."""
    return [
        Stuck(shard.first + 1, shard.first + shard.rows, reason)
        for shard, state, reason in unfinished
        if state == "stuck"
    ]


def failures_by_kind(failures: Mapping[str, int], broken: Sequence[str]) -> list[Failure]:
    """Failures of one kind together, each kind with its most frequent reason; the most frequent kind first."""
    reasons = Counter(failures) + Counter(broken)
    counts: Counter[str] = Counter()
    examples: dict[str, str] = {}
    for reason, count in reasons.most_common():
        kind, _, words = reason.partition(": ")
        counts[kind] += count
        examples.setdefault(kind, words)
    return [Failure(kind, count, examples[kind]) for kind, count in counts.most_common()]


def report(status: Status) -> str:
    """The status, for people."""
    done, came_to = percent(status.done, status.rows), f"{status.ok:,} ok, {status.passthrough:,} passed through"
    rows = [
        ("state", _state(status)),
        ("rows", f"{status.done:,} of {status.rows:,} written ({done}): {came_to}, {status.error:,} failed"),
        ("texts", f"{status.cells:,} of {status.cells_total:,} ({percent(status.cells, status.cells_total)})"),
        ("tokens", tokens_in_and_out(status.tokens)),
    ]
    if status.hit_rate is not None:
        rows.append(("known", f"{status.hit_rate:.0%} of the texts needed no call"))
    if status.rate_rows_per_s is not None:
        rows.append(("rate", f"{rounded(status.rate_rows_per_s)} rows/s"))
    if status.seconds_remaining is not None:
        rows.append(("time left", duration(status.seconds_remaining)))
    if status.cost is not None:
        rows.append(("cost", money(status.cost)))
    rows += [("stuck", f"rows {one.first:,} to {one.last:,}: {one.reason}") for one in status.stuck]
    return "\n\n".join(filter(None, [pairs(rows), _failures_table(status.failures)]))


def _state(status: Status) -> str:
    if status.state == "running" and not status.alive:
        silent = duration(time.time() - status.noted_at)
        return (
            f"running, but not heard of for {silent}. If its process has ended, go on with `dragoman job resume "
            f"{status.folder}`."
        )
    return f"{status.state}: {status.reason}" if status.reason else status.state


def _failures_table(failures: Sequence[Failure]) -> str:
    rows = [(f"{one.count:,}", one.kind, cut(one.example)) for one in failures]
    return columns(("FAILED", "WHY", "FOR EXAMPLE"), rows) if rows else ""

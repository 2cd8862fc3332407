"""`dragoman job`: a table of any length in, the same table with its translations out, whatever ends the process."""

from __future__ import annotations

import argparse
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING

from dragoman.cli.flags import Commands, add_settings, settings_from
from dragoman.cli.wishes import add_targets, add_wishes, wishes_from
from dragoman.errors import ConfigurationError, InvalidRequest, JobNotReady

if TYPE_CHECKING:
    from dragoman.cli.job_work import Bounds
    from dragoman.core.translator import Translator
    from dragoman.jobs.job_file import Unfinished
    from dragoman.jobs.sample import Estimate
    from dragoman.jobs.spec import JobSpec, Shard
    from dragoman.settings import Settings
    from dragoman.types import TranslateRequest

EXPORTS = ("csv", "jsonl", "parquet", "tmx")


def add_to(commands: Commands) -> None:
    """Declare the commands."""
    parser = commands.add_parser("job", help="translate a table of any length", allow_abbrev=False)
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    _add_run(actions)
    resume = actions.add_parser("resume", help="go on with a job", allow_abbrev=False)
    resume.set_defaults(run=run_resume, retry_failed=False)
    retry = actions.add_parser("retry-failed", help="translate what failed once more", allow_abbrev=False)
    retry.set_defaults(run=run_resume, retry_failed=True)
    for action in (resume, retry):
        _add_folder(action)
        _add_work(action)
        add_settings(action, "engine", "memory", "storage", "limits")
    status = actions.add_parser("status", help="say how far a job is, and why texts failed", allow_abbrev=False)
    status.add_argument("--json", action="store_true", help="print a JSON object, for scripts")
    status.set_defaults(run=run_status)
    cancel = actions.add_parser("cancel", help="stop a job, from any terminal", allow_abbrev=False)
    cancel.set_defaults(run=run_cancel)
    for action in (status, cancel):
        _add_folder(action)
    _add_export(actions)


def run_new(arguments: argparse.Namespace) -> int:
    """Plan a job and work on it, or only tell what it would take."""
    from dragoman import loop
    from dragoman.cli.job_work import bounds_from

    bounds = bounds_from(arguments)
    settings = settings_from(arguments)
    return loop.run((_sampled if arguments.dry_run else _planned)(arguments, settings, bounds))


def run_resume(arguments: argparse.Namespace) -> int:
    """Go on with a job."""
    from dragoman import loop
    from dragoman.cli.job_work import bounds_from

    bounds = bounds_from(arguments)
    return loop.run(_resumed(arguments, settings_from(arguments), bounds))


def run_status(arguments: argparse.Namespace) -> int:
    """Print how far a job is."""
    import msgspec

    from dragoman import loop
    from dragoman.cli.job_status import read_status, report

    status = loop.run(read_status(arguments.folder))
    print(msgspec.json.encode(status).decode() if arguments.json else report(status))
    return 0


def run_cancel(arguments: argparse.Namespace) -> int:
    """Have a job stop, whichever process works on it."""
    from dragoman import loop

    loop.run(_cancelled(arguments.folder))
    print(f"Cancelled {arguments.folder}; what was translated is kept. `dragoman job resume` would go on with it.")
    return 0


def run_export(arguments: argparse.Namespace) -> int:
    """Write a job's output as one file."""
    from dragoman import loop

    loop.run(_exported(arguments))
    return 0


def _add_run(actions: Commands) -> None:
    parser = actions.add_parser(
        "run",
        help="plan a job and work on it",
        description="Translate columns of the tables IN, which are one table in this order, into the folder OUT. "
        "The exit code is 0 if every row is translated, 1 if some failed or the job paused, 130 if it was interrupted.",
        allow_abbrev=False,
    )
    parser.add_argument("inputs", metavar="IN", nargs="+", type=Path, help="CSV, JSON Lines or Parquet, by its suffix")
    parser.add_argument(
        "--column",
        metavar="NAME[,NAME]",
        dest="columns",
        type=lambda names: names.split(","),
        action="extend",
        required=True,
        help="columns to translate, as title,description.short; may be repeated",
    )
    add_targets(parser, "one column each", required=True)
    parser.add_argument("--from", metavar="CODE", dest="source", help="language of the texts; left out, it is detected")
    parser.add_argument("--out", metavar="OUT", type=Path, help="folder of the job: a new one, or one that is empty")
    parser.add_argument("--name", default="{column}_{target}", help="name of each output column [%(default)s]")
    parser.add_argument("--limit", metavar="N", type=_count, help="take the first N rows only")
    parser.add_argument("--shard-rows", metavar="N", type=_count, help="rows of one output file [2000]")
    parser.add_argument("--dry-run", action="store_true", help="translate a sample, and say what all of it would take")
    parser.add_argument("--json", action="store_true", help="print what --dry-run found as a JSON object")
    _add_asked(parser)
    _add_work(parser)
    add_settings(parser, "engine", "memory", "storage", "limits")
    parser.set_defaults(run=run_new)


def _add_asked(parser: argparse.ArgumentParser) -> None:
    section = parser.add_argument_group("translation")
    section.add_argument(
        "--format", choices=("text", "html", "xml", "markdown"), default="text", help="what each text is written in"
    )
    add_wishes(parser, strict="fail a text rather than write it with a fault")
    section.add_argument(
        "--protect", metavar="RE2", action="append", default=[], help="pattern not to translate; may be repeated"
    )
    section.add_argument("--formality", choices=("more", "less"), help="how to address people, if the engine can")
    section.add_argument("--context", metavar="WORDS", default="", help="what the texts are about, if the engine can")
    section.add_argument("--confidence", action="store_true", help="add how sure the engine was, if it can tell")


def _add_work(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--on",
        metavar="CLUSTER",
        type=_cluster,
        help="work on ray, ray://HOST:PORT, dask or dask://HOST:PORT, not in this process",
    )
    section = parser.add_argument_group("bounds")
    section.add_argument("--max-errors", metavar="N", type=_count, help="pause when more texts than these failed")
    section.add_argument("--max-cost", metavar="C", type=_amount, help="pause when so much is spent")
    section.add_argument("--input-price", metavar="P", type=_amount, help="price of a million tokens that go in")
    section.add_argument("--output-price", metavar="P", type=_amount, help="price of a million tokens that come out")


def _add_folder(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="OUT", type=Path, help="folder of the job")


def _add_export(actions: Commands) -> None:
    parser = actions.add_parser("export", help="write a job's output as one file", allow_abbrev=False)
    _add_folder(parser)
    parser.add_argument("file", metavar="FILE", type=Path, help="file to write; one that is there is replaced")
    parser.add_argument("--format", choices=EXPORTS, help="what to write [as the suffix of FILE says]")
    parser.add_argument("--partial", action="store_true", help="write what is done, and say what is missing")
    parser.set_defaults(run=run_export)


async def _planned(arguments: argparse.Namespace, settings: Settings, bounds: Bounds) -> int:
    from dragoman.cli.job_work import work_on
    from dragoman.cli.session import open_ready
    from dragoman.jobs.job import check_free, fingerprint_of, open_job, plan_job
    from dragoman.jobs.spec import SHARD_ROWS

    folder: Path | None = arguments.out
    if folder is None:
        raise ConfigurationError("where to? name a folder with --out, as in --out translated")
    check_free(folder)
    request = await _request(arguments, settings)
    spec, shards = await _plan(arguments, request, arguments.shard_rows or SHARD_ROWS)
    async with open_ready(settings) as translator:
        _check_asked(request, translator)
        plan_job(folder, spec, shards, fingerprint_of(translator.info, request.wishes.glossaries))
        async with open_job(folder) as job:
            return await work_on(job, translator, settings, bounds, arguments.on)


async def _resumed(arguments: argparse.Namespace, settings: Settings, bounds: Bounds) -> int:
    from dragoman.cli.job_work import work_on
    from dragoman.cli.session import open_ready
    from dragoman.jobs.job import open_job

    async with open_job(arguments.folder) as job, open_ready(settings) as translator:
        return await work_on(job, translator, settings, bounds, arguments.on, retry_failed=arguments.retry_failed)


async def _sampled(arguments: argparse.Namespace, settings: Settings, bounds: Bounds) -> int:
    import msgspec

    from dragoman.cli.job_show import estimate_report

    estimate = await _estimated(arguments, settings, bounds)
    print(msgspec.json.encode(estimate).decode() if arguments.json else estimate_report(estimate))
    return 1 if estimate.errors else 0


async def _estimated(arguments: argparse.Namespace, settings: Settings, bounds: Bounds) -> Estimate:
    import asyncio

    from dragoman.cli.session import open_ready
    from dragoman.jobs import sample

    request = await _request(arguments, settings)
    spec, shards = await _plan(arguments, request, sample.SHARD_ROWS)
    rows, broken = await asyncio.to_thread(sample.read_rows, spec, shards)
    async with open_ready(settings) as translator:
        _check_asked(request, translator)
        trial = await sample.try_out(spec, rows, translator, request.wishes.glossaries)
    return sample.estimate(spec, sample.contents_of(rows, broken), trial, bounds.prices)


async def _request(arguments: argparse.Namespace, settings: Settings) -> TranslateRequest:
    """What is asked for each text. Raises UnknownLanguage and UnknownGlossary."""
    from msgspec import structs

    from dragoman.languages import resolve
    from dragoman.types import TranslateRequest

    wishes = structs.replace(
        await wishes_from(arguments, settings),
        protect=tuple(arguments.protect),
        formality=arguments.formality,
        context=arguments.context,
        confidence=arguments.confidence,
    )
    return TranslateRequest(
        texts=(),
        targets=tuple(map(resolve, arguments.targets)),
        source=None if arguments.source is None else resolve(arguments.source),
        format=arguments.format,
        wishes=wishes,
    )


async def _plan(
    arguments: argparse.Namespace, request: TranslateRequest, shard_rows: int
) -> tuple[JobSpec, list[Shard]]:
    import asyncio

    from dragoman.jobs.tables.planning import plan_table

    return await asyncio.to_thread(
        plan_table,
        arguments.inputs,
        columns=arguments.columns,
        request=request,
        glossaries=arguments.glossary,
        name=arguments.name,
        shard_rows=shard_rows,
        limit=arguments.limit,
    )


def _check_asked(request: TranslateRequest, translator: Translator) -> None:
    """Raise InvalidRequest for what would fail every row."""
    from msgspec import structs

    from dragoman.core.plan import prepare

    plan = prepare(structs.replace(request, texts=("A text.",)), translator.info)
    wrong = [item.error for item in plan.items if item.error is not None]
    if wrong and request.source is not None:
        raise wrong[0]


async def _cancelled(folder: Path) -> None:
    from contextlib import aclosing

    from dragoman.jobs.ledger import Ledger

    async with aclosing(await Ledger.open(folder)) as ledger:
        state, _ = await ledger.state()
        if state == "done":
            raise JobNotReady(f"The job in {folder} is done already.")
        await ledger.set_state("cancelled", "It was cancelled.")


async def _exported(arguments: argparse.Namespace) -> None:
    import asyncio
    from contextlib import aclosing

    from dragoman.jobs.ledger import Ledger
    from dragoman.jobs.output import Output
    from dragoman.jobs.tables.export import export

    family = arguments.format or arguments.file.suffix.lower().removeprefix(".")
    if family not in EXPORTS:
        raise InvalidRequest(f"{arguments.file} has none of the suffixes of {', '.join(EXPORTS)}. Give --format.")
    async with aclosing(await Ledger.open(arguments.folder)) as ledger:
        missing = missing_rows(await ledger.unfinished())
        if missing and not arguments.partial:
            raise JobNotReady(
                f"The job is not complete: {missing} missing. Resume it, or give --partial to have what is done."
            )
        output = Output(arguments.folder, ledger)
        parts = [output.part(receipt.shard) for receipt in await ledger.receipts()]
        rows = await asyncio.to_thread(export, ledger.spec, parts, arguments.file, family)
    print(f"Exported {rows:,} rows to {arguments.file}" + (f"; {missing} missing" if missing else ""))


def missing_rows(unfinished: list[Unfinished]) -> str:
    """Which rows are not there, counted from 1, in words; empty where all are."""
    ranges: list[list[int]] = []
    for shard, _, _ in unfinished:
        if ranges and ranges[-1][1] == shard.first:
            ranges[-1][1] += shard.rows
        else:
            ranges.append([shard.first, shard.first + shard.rows])
    listed = ", ".join(f"{first + 1:,} to {last:,}" for first, last in ranges)
    return f"rows {listed} are" if listed else ""


def _cluster(words: str) -> str:
    """Checked here, since a job is planned before its runner is opened."""
    if re.fullmatch(r"(ray|dask)(://\S+)?", words):
        return words
    raise argparse.ArgumentTypeError(f"{words!r} is not ray, ray://HOST:PORT, dask or dask://HOST:PORT")


def _count(words: str) -> int:
    if words.isdecimal():
        return int(words)
    raise argparse.ArgumentTypeError(f"{words!r} is not a whole number")


def _amount(words: str) -> float:
    try:
        amount = float(words)
    except ValueError:
        amount = math.nan
    if 0 <= amount < math.inf:
        return amount
    raise argparse.ArgumentTypeError(f"{words!r} is not an amount, as 2.5")

"""Working on a job until it is done, something stops it, or somebody does."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct

from dragoman.cli.job_show import View, open_view, summary
from dragoman.cli.wishes import load_glossaries
from dragoman.errors import ConfigurationError
from dragoman.jobs.brakes import Brakes
from dragoman.jobs.cells import Stopped
from dragoman.jobs.choosing import open_runner
from dragoman.jobs.job import Before, Job, fingerprint_of
from dragoman.jobs.progress import Prices, Progress
from dragoman.jobs.runner import Runner
from dragoman.wiring import open_translator

if TYPE_CHECKING:
    from dragoman.core.translator import Translator
    from dragoman.settings import Settings

INTERRUPTED = 130
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Bounds(Struct, frozen=True, kw_only=True):
    """What a run may cost and how much may fail."""

    prices: Prices
    max_errors: int | None
    max_cost: float | None


def bounds_from(arguments: argparse.Namespace) -> Bounds:
    """The bounds of the flags. Raises ConfigurationError for a largest cost without a price."""
    prices = Prices(input=arguments.input_price, output=arguments.output_price)
    if arguments.max_cost is not None and prices == Prices():
        raise ConfigurationError(
            "--max-cost needs a price: give --input-price, --output-price or both, for a million tokens"
        )
    return Bounds(prices=prices, max_errors=arguments.max_errors, max_cost=arguments.max_cost)


async def work_on(
    job: Job,
    translator: Translator,
    settings: Settings,
    bounds: Bounds,
    on: str | None,
    *,
    retry_failed: bool = False,
) -> int:
    """Work on a job and print what it came to; the exit code of the command.

    `on` names a cluster, as `open_runner` takes it. With `retry_failed` what failed before is tried again. Raises
    InputChanged, LedgerError and ConfigurationError.
    """
    glossaries = await load_glossaries(settings, job.spec.glossaries)
    job.check(fingerprint_of(translator.info, glossaries))
    started = time.monotonic()
    with open_view() as view:
        if retry_failed:
            texts = sum((await job.ledger.failures()).values())
            rows = await job.ledger.retry_failed()
            view.say(f"Trying again what failed: {texts:,} texts, {rows:,} written rows.")
        before = await job.prepare()
        brakes = await _brakes(job, before, bounds)
        workers = partial(open_translator, settings)
        async with open_runner(on, job, translator, settings, workers, glossaries, brakes.reason_to_stop) as runner:
            with stopped_by_signals(runner, view) as caught:
                progress = await job.run(runner, before, bounds.prices, view.tell)
    print(summary(progress, job.folder, time.monotonic() - started))
    return INTERRUPTED if caught else exit_code(progress)


async def _brakes(job: Job, before: Before, bounds: Bounds) -> Brakes:
    return Brakes(
        max_errors=bounds.max_errors,
        max_cost=bounds.max_cost,
        prices=bounds.prices,
        errors_before=sum((await job.ledger.failures()).values()),
        tokens_before=before.tokens,
    )


def exit_code(progress: Progress) -> int:
    """0 for a job that is done and in which nothing failed."""
    return 0 if progress.state == "done" and not progress.error else 1


@contextlib.contextmanager
def stopped_by_signals(runner: Runner, view: View) -> Iterator[list[signal.Signals]]:
    """While this is open the first Ctrl-C or SIGTERM drains the job, and a second one ends everything at once. Gives
    the list of those that came.
    """
    loop = asyncio.get_running_loop()
    caught: list[signal.Signals] = []

    def stop(number: signal.Signals) -> None:
        caught.append(number)
        if len(caught) == 1:
            view.say(f"Stopping: {runner.tally.flying:,} texts are under way; again to stop at once")
            runner.stop(Stopped("It was stopped."))
        else:
            view.say("Stopped at once; what is stored is kept.")
            view.close()
            # As if killed, which a job survives: to close everything would wait for what flies. Engines that are our
            # children end when they lose us.
            os._exit(INTERRUPTED)

    for number in SIGNALS:
        loop.add_signal_handler(number, stop, number)
    try:
        yield caught
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)

"""The runner that is asked for: on this event loop, on Ray or on Dask."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from dragoman.errors import ConfigurationError
from dragoman.jobs.cells import Tally
from dragoman.jobs.job import Job
from dragoman.jobs.runner import Runner, local_runner
from dragoman.jobs.station import OpenTranslator, assignment_of
from dragoman.settings import Settings, data_path
from dragoman.types import Glossary

if TYPE_CHECKING:
    from dragoman.core.translator import Translator

MEMOS = "workers"
"""Where in the data folder of its node a worker keeps the answers of a job, until the job is done."""


def open_runner(
    on: str | None,
    job: Job,
    translator: Translator,
    settings: Settings,
    open_translator: OpenTranslator,
    glossaries: Sequence[Glossary] = (),
    pause_for: Callable[[Tally], str | None] = lambda _: None,
) -> AbstractAsyncContextManager[Runner]:
    """The runner for a job: `on` None is this event loop with `translator`; `ray` and `dask` are a small cluster that
    is started here, `ray://HOST:PORT` and `dask://HOST:PORT` one that runs. The stations of a cluster open translators
    of their own by `open_translator`, which can be pickled.

    Raises ConfigurationError for any other `on`, and MissingExtra.
    """
    if on is None:
        return local_runner(job.spec, job.folder, job.ledger, translator, glossaries, pause_for)
    kind, _, place = on.partition("://")
    assignment = assignment_of(job, glossaries, data_path(settings) / MEMOS)
    engines = (settings.engine or "").split()
    if kind == "ray":
        from dragoman.jobs.cluster import ray_runner

        return ray_runner(
            assignment, open_translator, engines, address=f"ray://{place}" if place else None, pause_for=pause_for
        )
    if kind == "dask":
        from dragoman.jobs.dask_runner import dask_runner

        return dask_runner(
            assignment, open_translator, engines, address=f"tcp://{place}" if place else None, pause_for=pause_for
        )
    raise ConfigurationError(f"A job runs on ray, ray://HOST:PORT, dask or dask://HOST:PORT, and not on {on!r}.")

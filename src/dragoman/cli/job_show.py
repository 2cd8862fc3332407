"""How a job shows itself: a bar at a terminal, a line every half minute in a log, and what to do at the end."""

from __future__ import annotations

import contextlib
import logging
import math
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

from dragoman.errors import MissingExtra

if TYPE_CHECKING:
    from pathlib import Path

    from dragoman.jobs.progress import Progress
    from dragoman.jobs.sample import Estimate, Example
    from dragoman.types import Tokens

LINE_EVERY_S = 30.0
LONGEST_SHOWN = 100
"""Characters of an example; the rest of a long text says no more."""


class View(Protocol):
    """Where a running job is shown, on stderr."""

    def tell(self, progress: Progress) -> None:
        """Show how far it is."""
        ...

    def say(self, words: str) -> None:
        """Show a line that stays."""
        ...

    def close(self) -> None:
        """Leave the terminal as it was."""
        ...


@contextlib.contextmanager
def open_view() -> Iterator[View]:
    """A bar where stderr is a terminal, else lines; while it is open it also shows what jobs log, as that the engine
    is away. Raises MissingExtra.
    """
    with _open_bar() if sys.stderr.isatty() else contextlib.nullcontext(Lines()) as view, _logging_to(view):
        yield view


class Lines:
    """A line now and then. State: when the last one was, by the progress's own clock."""

    def __init__(self) -> None:
        self._last: float | None = None

    def tell(self, progress: Progress) -> None:
        self._last = progress.at if self._last is None else self._last
        if progress.at - self._last >= LINE_EVERY_S:
            self._last = progress.at
            self.say(words_of(progress))

    def say(self, words: str) -> None:
        print(words, file=sys.stderr, flush=True)

    def close(self) -> None:
        pass


@contextlib.contextmanager
def _open_bar() -> Iterator[View]:
    try:
        from rich.console import Console
        from rich.live import Live
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text
    except ModuleNotFoundError as error:
        raise MissingExtra("The progress bar", extra="jobs") from error

    console = Console(stderr=True)

    class Bar:
        def tell(self, progress: Progress) -> None:
            bar = ProgressBar(total=max(1, progress.cells_total), completed=progress.cells)
            shown = Table.grid(expand=True)
            shown.add_row(bar)
            shown.add_row(Text(words_of(progress)))
            live.update(shown, refresh=True)

        def say(self, words: str) -> None:
            console.print(Text(words))

        def close(self) -> None:
            live.stop()

    with Live(console=console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False) as live:
        yield Bar()


@contextlib.contextmanager
def _logging_to(view: View) -> Iterator[None]:
    class Told(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            view.say(self.format(record))

    told, log = Told(), logging.getLogger("dragoman.jobs")
    log.addHandler(told)
    log.setLevel(logging.WARNING)
    try:
        yield
    finally:
        log.removeHandler(told)


def words_of(progress: Progress) -> str:
    """How far a job is, in one line."""
    cells_a_row = max(1, progress.cells_total // max(1, progress.rows_total))
    done = progress.cells // cells_a_row
    parts = [f"{done:,} of {progress.rows_total:,} rows ({percent(progress.cells, progress.cells_total)})"]
    if progress.rate is not None:
        parts.append(f"{rounded(progress.rate / cells_a_row)} rows/s")
    if progress.tokens_per_s:
        parts.append(f"{rounded(progress.tokens_per_s)} tokens/s")
    if progress.hit_rate is not None:
        parts.append(f"{progress.hit_rate:.0%} known")
    parts.append(f"{progress.error:,} failed")
    if progress.seconds_remaining is not None:
        parts.append(f"{duration(progress.seconds_remaining)} left")
    if progress.cost is not None:
        parts.append(f"cost {money(progress.cost)}")
    return ", ".join(parts)


def summary(progress: Progress, folder: Path, seconds: float) -> str:
    """What a run came to, and what to do next."""
    came_to = f"{progress.ok:,} ok, {progress.passthrough:,} passed through, {progress.error:,} failed"
    parts = [f"{progress.rows:,} of {progress.rows_total:,} rows: {came_to}", f"{duration(seconds)} in this run"]
    if progress.cells < progress.cells_total:
        parts.append(f"{progress.cells:,} of {progress.cells_total:,} texts are known")
    if progress.tokens.prompt or progress.tokens.output:
        parts.append(f"tokens: {tokens_in_and_out(progress.tokens)}")
    if progress.cost is not None:
        parts.append(f"cost {money(progress.cost)}")
    head = f"{progress.state.capitalize()}. {'; '.join(parts)}."
    return "\n".join(filter(None, [head, progress.reason, next_step(progress, folder)]))


def next_step(progress: Progress, folder: Path) -> str:
    """What to do with a job that is in this state."""
    if progress.state != "done":
        on = f"Go on with `dragoman job resume {folder}`; what was translated is not asked again."
        return f"{on} `dragoman job retry-failed {folder}` also tries again what failed." if progress.error else on
    export = f"Make one file of it with `dragoman job export {folder} FILE.csv`."
    if not progress.error:
        return export
    return (
        f"`dragoman job status {folder}` says why rows failed; `dragoman job retry-failed {folder}` tries them again. "
        f"{export}"
    )


def estimate_report(estimate: Estimate) -> str:
    """What a dry run found, for people."""
    rows = [
        ("rows", f"{estimate.rows:,} ({estimate.rows_read:,} of them read, {estimate.rows_broken:,} broken)"),
        ("texts", f"{estimate.texts:,}, once for each language"),
        ("nothing to translate", f"{estimate.passthrough:.0%}"),
        ("duplicates", f"{estimate.duplicates:.0%} of the others; each is translated once"),
        ("calls", f"{estimate.calls:,}"),
        ("characters", f"{estimate.characters:,} in these"),
        ("tokens", "unknown" if estimate.tokens is None else tokens_in_and_out(estimate.tokens)),
        ("rate", f"{rounded(estimate.rate)} texts/s, {estimate.errors:,} of {estimate.tried:,} failed"),
        ("time", "unknown" if estimate.hours is None else duration(estimate.hours * 3600)),
    ]
    if estimate.cost is not None:
        rows.append(("cost", money(estimate.cost)))
    return "\n\n".join([pairs(rows), *map(_example, estimate.examples)])


def _example(example: Example) -> str:
    came_to = "; ".join(example.findings) if example.translation is None else example.translation
    return f"{example.column}: {cut(example.text)}\n{example.target}: {cut(came_to)}"


def pairs(rows: list[tuple[str, str]]) -> str:
    """Labels and what they tell, one pair a line."""
    width = max(len(label) for label, _ in rows) + 2
    return "\n".join(f"{label.ljust(width)}{value}" for label, value in rows)


def cut(text: str) -> str:
    """A text in one line, and no longer than is read at a glance."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_SHOWN else f"{line[: LONGEST_SHOWN - 1]}…"


def tokens_in_and_out(tokens: Tokens) -> str:
    """Tokens, as `1,200 in, 800 out`."""
    return f"{tokens.prompt:,} in, {tokens.output:,} out"


def percent(part: int, whole: int) -> str:
    """Never 100 % before it is all."""
    return f"{100 * part // whole if whole else 100} %"


def rounded(number: float) -> str:
    """Whole numbers from 10 on, one digit more below."""
    return f"{number:,.0f}" if number >= 10 else f"{number:.1f}"


def money(amount: float) -> str:
    """An amount in whatever currency the prices are in."""
    return "less than 0.01" if 0 < amount < 0.01 else f"{amount:,.2f}"


def duration(seconds: float) -> str:
    """A time in the two units that matter."""
    whole = math.ceil(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600:,} h {whole % 3600 // 60} min"

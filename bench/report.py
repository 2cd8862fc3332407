"""What a bench found, as a section of RESULTS.md."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from msgspec import Struct

RESULTS = Path(__file__).with_name("RESULTS.md")


class Report(Struct, frozen=True, kw_only=True):
    """A table and what there is to say about it. `name` is the bench's, as `python -m bench NAME` takes it."""

    name: str
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()

    def markdown(self) -> str:
        lines = [f"## {self.title}", "", f"`python -m bench {self.name}`, {_now()}, {_machine()}", ""]
        lines += ["| " + " | ".join(self.columns) + " |", "|" + "---|" * len(self.columns)]
        lines += ["| " + " | ".join(row) + " |" for row in self.rows]
        lines += ["", *(f"- {note}" for note in self.notes)] if self.notes else []
        return "\n".join(lines) + "\n"


def write(report: Report) -> None:
    """Put the report in RESULTS.md in the place of the same bench's last one."""
    begin, end = f"<!-- {report.name} -->\n", f"<!-- /{report.name} -->\n"
    text = RESULTS.read_text() if RESULTS.exists() else "# Results\n\nWritten by `make bench`, newest run of each.\n"
    section = f"{begin}{report.markdown()}{end}"
    if begin in text:
        head, rest = text.split(begin, 1)
        text = head + section + rest.split(end, 1)[1]
    else:
        text = f"{text}\n{section}"
    RESULTS.write_text(text)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")


def _machine() -> str:
    try:
        models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
        cpu = models[0].partition(":")[2].strip()
    except (OSError, IndexError):
        cpu = platform.machine()
    return f"{os.cpu_count()} cores {cpu}, Python {platform.python_version()}, xllamacpp {version('xllamacpp')}"

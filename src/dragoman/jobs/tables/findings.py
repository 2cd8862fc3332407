"""Why rows could not be read, as a job's parts tell: no call was made for these, so its ledger has no word of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from dragoman.jobs.spec import JobSpec
from dragoman.jobs.tables.export import tables_of

UNREADABLE = "unreadable: "


def unreadable(spec: JobSpec, parts: Iterable[Path]) -> list[str]:
    """The finding of each row that could not be read, in order. Raises LedgerError where a part is damaged."""
    column = f"{spec.output_column(spec.columns[0], spec.targets[0])}_findings"
    values = (value for table in tables_of(parts, [column]) for value in table.column(column).to_pylist())
    return [value for value in values if value is not None and value.startswith(UNREADABLE)]

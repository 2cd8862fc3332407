"""The texts of a job's output with their sound translations, as entries of a translation memory, each pair once."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from hashlib import blake2b

import pyarrow as pa

from dragoman.jobs.spec import JobSpec
from dragoman.jobs.tables import lines
from dragoman.jobs.tables.base import outputs
from dragoman.jobs.tables.columns import texts
from dragoman.memory.base import Entry, Item
from dragoman.memory.keys import key_of_human
from dragoman.types import Pair, Segment


def items(spec: JobSpec, tables: Iterable[tuple[pa.Table, int]]) -> Iterator[Item]:
    """The entries of tables, each with the Unix time at which it was made.

    They name no model: whole texts are not what an engine was asked for, and whoever imports them has looked at them.
    """
    with closing(_Seen()) as seen:
        for table, made_at in tables:
            for text, pair, translation in _pairs(spec, table):
                if seen.is_new(text, str(pair), translation):
                    yield key_of_human(Segment(text, pair)), Entry(text, pair, translation, None, made_at)


def _pairs(spec: JobSpec, table: pa.Table) -> Iterator[tuple[str, Pair, str]]:
    for column, target in outputs(spec):
        name = spec.output_column(column, target)
        originals = lines.texts(table, column) if spec.family == "jsonl" else texts(table, column)[0]
        sources = _sources(spec, table, name)
        statuses = table.column(f"{name}_status").to_pylist()
        rows = zip(originals, sources, statuses, table.column(name).to_pylist(), strict=True)
        for original, source, status, translation in rows:
            if status == "ok" and original and source and translation:
                yield original, Pair(source, target), translation


def _sources(spec: JobSpec, table: pa.Table, name: str) -> list[str | None]:
    if spec.request.source is not None:
        return [spec.request.source] * table.num_rows
    found: list[str | None] = table.column(f"{name}_source").to_pylist()
    return found


class _Seen:
    """Which pairs there were: in a temporary file, since there may be millions."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("")
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("CREATE TABLE seen (digest BLOB PRIMARY KEY) WITHOUT ROWID")

    def is_new(self, *texts: str) -> bool:
        """Whether these were not asked for before."""
        digest = blake2b("".join(f"{len(text)} {text}" for text in texts).encode(), digest_size=16).digest()
        return self._database.execute("INSERT OR IGNORE INTO seen VALUES (?)", (digest,)).rowcount == 1

    def close(self) -> None:
        self._database.close()

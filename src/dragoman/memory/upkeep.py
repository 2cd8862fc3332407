"""What an operator does with the durable tier's file while a server may use it: look what it holds, and clear it."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from dragoman.errors import ConfigurationError
from dragoman.memory import sqlite_file
from dragoman.types import Pair

CLEAR_ROWS = 500
"""Entries deleted in one go: a server that writes meanwhile waits for no more."""
EVER = 2**63 - 1

_BY_PAIR = """
SELECT source, target, count(*), sum(model IS NULL), min(made_at) FROM entry
GROUP BY source, target ORDER BY count(*) DESC, source, target
"""

# By rowid, so that a step begins where the one before ended and not at the first row again.
_NEXT = "SELECT rowid FROM entry WHERE rowid > ? AND made_at < ? ORDER BY rowid LIMIT ?"


class PairHeld(Struct, frozen=True):
    """What the memory holds of one pair: entries, those of them that people wrote, and when the oldest was made, in
    Unix seconds.
    """

    pair: Pair
    entries: int
    by_people: int
    oldest: int


class Held(Struct, frozen=True):
    """What the memory holds; `bytes` is what its size is bounded by, `pairs` begin with the one that has most."""

    entries: int
    bytes: int
    pairs: tuple[PairHeld, ...]


def look(path: Path) -> Held:
    """What the file holds. Raises ConfigurationError where there is none or it cannot be read."""
    with _opened(path, "read") as connection:
        entries, size = sqlite_file.totals(connection)
        rows = connection.execute(_BY_PAIR).fetchall()
    return Held(entries, size, tuple(PairHeld(Pair(source, target), *counts) for source, target, *counts in rows))


def clear(path: Path, *, made_before: int | None = None) -> int:
    """Delete everything, or what was made before this Unix time, by engines and by people alike; return how many
    entries that were. A running server forgets what it holds in RAM about a second later.

    Raises ConfigurationError where there is no file or it cannot be written; what was deleted until then is gone.
    """
    deleted, last = 0, -1
    with _opened(path, "written") as connection:
        while rows := connection.execute(
            _NEXT, (last, EVER if made_before is None else made_before, CLEAR_ROWS)
        ).fetchall():
            last = rows[-1][0]
            marks = ",".join("?" * len(rows))
            deleted += connection.execute(
                f"DELETE FROM entry WHERE rowid IN ({marks})", [rowid for (rowid,) in rows]
            ).rowcount
        if deleted:
            sqlite_file.raise_generation(connection)
    return deleted


@contextlib.contextmanager
def _opened(path: Path, verb: str) -> Iterator[sqlite3.Connection]:
    if not path.is_file():
        raise ConfigurationError(f"There is no memory at {path}. Nothing was translated with this data_dir yet.")
    with contextlib.closing(sqlite_file.open_file(path)) as connection:
        try:
            yield connection
        except sqlite3.Error as error:
            raise ConfigurationError(
                f"The memory at {path} cannot be {verb}: {error}. Try again in a moment."
            ) from error

"""A small SQLite file of our own: opened with its schema, changed in transactions, with errors that name it.

Glossaries, keys, documents and each job have one. Several processes may share it. Plain and synchronous: whoever
serves runs it in a thread.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

from dragoman.errors import ConfigurationError, DragomanError

BUSY_TIMEOUT_S = 5.0
"""How long a transaction waits for another process's."""

Verb = Literal["opened", "read", "written"]


class TableFile:
    """The open file. One thread at a time.

    `what` stands in errors, as "The keys"; `schema` is the script that makes version `version` of the tables, and
    `set_up` what a new connection needs. Raises ConfigurationError, or what `_failure` and `_other_version` make of it,
    where the file cannot be opened, read or written.
    """

    def __init__(
        self,
        path: Path,
        *,
        what: str,
        schema: str,
        version: int,
        set_up: Callable[[sqlite3.Connection], None],
        mode: int = 0o666,
    ) -> None:
        self._path = path
        self._what = what
        with self._told("opened"), contextlib.ExitStack() as undo:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=mode)
            self._connection = sqlite3.connect(
                path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
            )
            undo.callback(self._connection.close)
            set_up(self._connection)
            self._check_schema(schema, version)
            undo.pop_all()

    def close(self) -> None:
        """Close the file. Twice is fine."""
        self._connection.close()

    def _check_schema(self, schema: str, version: int) -> None:
        (found,) = self._connection.execute("PRAGMA user_version").fetchone()
        if found == 0:
            self._connection.executescript(schema)
        elif found != version:
            raise self._other_version()

    @contextlib.contextmanager
    def _transaction(self, verb: Verb) -> Iterator[None]:
        """All that is done inside, or nothing of it."""
        with self._told(verb), self._connection:
            self._connection.execute("BEGIN" if verb == "read" else "BEGIN IMMEDIATE")
            yield

    @contextlib.contextmanager
    def _told(self, verb: Verb) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise self._failure(verb, error) from error

    def _failure(self, verb: Verb, error: sqlite3.Error | OSError) -> DragomanError:
        """The error for a file that cannot be opened, read or written."""
        return ConfigurationError(
            f"{self._what} at {self._path} cannot be {verb}: {error}. Make the file and its folder writable, or "
            "set another data_dir."
        )

    def _other_version(self) -> DragomanError:
        """The error for a file whose tables are not ours."""
        return ConfigurationError(
            f"{self._what} at {self._path} were written by another version of Dragoman. Use that version, or set "
            "another data_dir."
        )

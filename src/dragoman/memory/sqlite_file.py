"""The file of the durable tier: its schema, and the statements that read, write and trim it. All of it blocks."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, TypeVar

from dragoman.errors import ConfigurationError
from dragoman.memory.base import Entry, Item
from dragoman.memory.keys import KEY_BYTES
from dragoman.types import Pair

log = logging.getLogger(__name__)
L = TypeVar("L", int, bytes)

SCHEMA_VERSION = 1
BUSY_TIMEOUT_S = 5.0
ROW_OVERHEAD_BYTES = 180
"""What a row weighs in the file beside its two texts: key, indexes and other columns (160 to 300 were measured)."""

TRIM_ROWS = 200
_READ_KEYS = 500
_LISTED_KEYS = 250
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}

# The triggers keep the totals exact also when two processes write. What a person wrote (no model) is not in the
# indexes that trimming goes by: it cannot be made again.
_SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE entry (
    key BLOB NOT NULL UNIQUE,
    source TEXT NOT NULL,
    target TEXT NOT NULL,
    text TEXT NOT NULL,
    translation TEXT NOT NULL,
    model TEXT,
    made_at INTEGER NOT NULL,
    last_used INTEGER NOT NULL,
    bytes INTEGER NOT NULL
);
CREATE INDEX entry_by_age ON entry (made_at) WHERE model IS NOT NULL;
CREATE INDEX entry_by_use ON entry (last_used) WHERE model IS NOT NULL;
CREATE TABLE total (entries INTEGER NOT NULL, bytes INTEGER NOT NULL);
INSERT INTO total VALUES (0, 0);
CREATE TRIGGER entry_added AFTER INSERT ON entry
    BEGIN UPDATE total SET entries = entries + 1, bytes = bytes + new.bytes; END;
CREATE TRIGGER entry_deleted AFTER DELETE ON entry
    BEGIN UPDATE total SET entries = entries - 1, bytes = bytes - old.bytes; END;
CREATE TRIGGER entry_replaced AFTER UPDATE OF bytes ON entry
    BEGIN UPDATE total SET bytes = bytes - old.bytes + new.bytes; END;
PRAGMA user_version = {SCHEMA_VERSION};
COMMIT;
"""

# Not part of the schema above, so that files from before it was there are as good.
_GENERATION = """
CREATE TABLE IF NOT EXISTS generation (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), number INTEGER NOT NULL)
"""

_NEXT_GENERATION = """
INSERT INTO generation VALUES (1, 1) ON CONFLICT (only_row) DO UPDATE SET number = number + 1
"""

# Each gives one row however many keys there are: each step of a statement gives up the interpreter, and waits to get
# it back from a busy loop. Keys of another length are nobody's.
_KEYS_AFTER = f"""
SELECT group_concat(hex(key), ''), max(key) FROM (
    SELECT key FROM entry WHERE key > ? AND length(key) = {KEY_BYTES} ORDER BY key LIMIT {_LISTED_KEYS})
"""

_KEYS_OF_ROWS_AFTER = f"""
SELECT group_concat(hex(key), ''), max(id) FROM (
    SELECT key, rowid AS id FROM entry WHERE rowid > ? AND length(key) = {KEY_BYTES} ORDER BY id LIMIT {_LISTED_KEYS})
"""

_UPSERT = """
INSERT INTO entry (key, source, target, text, translation, model, made_at, last_used, bytes)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (key) DO UPDATE SET translation = excluded.translation, model = excluded.model,
    made_at = excluded.made_at, last_used = excluded.last_used, bytes = excluded.bytes
"""

_EXPIRE = """
DELETE FROM entry WHERE rowid IN (
    SELECT rowid FROM entry WHERE model IS NOT NULL AND made_at < ? ORDER BY made_at LIMIT ?)
"""

_EVICT = """
DELETE FROM entry WHERE rowid IN (SELECT rowid FROM entry WHERE model IS NOT NULL ORDER BY last_used LIMIT ?)
"""


class Found(NamedTuple):
    """An entry and when it was last used, in Unix seconds and no finer than its readers touch it."""

    entry: Entry
    last_used: int


class Written(NamedTuple):
    """What came of a write: how many entries could not be kept, and the totals of the file."""

    unfit: int
    entries: int
    bytes: int


class Mark(NamedTuple):
    """How the file stands: `commits` is another number after each commit of other connections, `generation` after each
    change that was announced (see `raise_generation`); rows that are added stand after `last_row`.
    """

    commits: int
    generation: int
    last_row: int


def open_file(path: Path) -> sqlite3.Connection:
    """Open the file, or begin one. One that is damaged or has another schema is moved aside and a new one begun.

    The connection may be used by one thread at a time. Raises ConfigurationError where the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = _opened(path)
        if connection is None:
            move_aside(path)
            connection = _opened(path)
    except (OSError, sqlite3.Error) as error:
        raise ConfigurationError(
            f"The memory at {path} cannot be opened: {error}. Make its folder writable or set another data_dir."
        ) from error
    if connection is None:
        raise ConfigurationError(f"The memory at {path} was replaced while it was opened. Start again.")
    return connection


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the file itself is broken, and not the disk full or another process in the way."""
    return _code(error) in _DAMAGED


def move_aside(path: Path) -> None:
    """Rename the file, and what belongs to it, to a name that says when; the log says so."""
    aside = path.with_name(f"{path.name}.unusable-{time.time_ns()}")
    for suffix in ("", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))
    log.error(
        "The memory at %s is damaged or of another version of Dragoman. It was moved to %s; delete it if it is of no "
        "use. Translations go on without what it held.",
        path,
        aside,
    )


def read(connection: sqlite3.Connection, keys: Sequence[bytes]) -> dict[bytes, Found]:
    """What there is of `keys`."""
    found: dict[bytes, Found] = {}
    for start in range(0, len(keys), _READ_KEYS):
        # One statement for many keys: each step gives up the interpreter, and waits to get it back from a busy loop.
        some = keys[start : start + _READ_KEYS]
        marks = ",".join("?" * len(some))
        columns = "key, source, target, text, translation, model, made_at, last_used"
        rows = connection.execute(f"SELECT {columns} FROM entry WHERE key IN ({marks})", some).fetchall()
        found.update({row[0]: Found(_entry(*row[1:7]), row[7]) for row in rows})
    return found


def write(
    connection: sqlite3.Connection, items: Mapping[bytes, Entry], touched: Collection[bytes], now: int
) -> Written:
    """Commit the items and the use of `touched` in one transaction."""
    rows = [row for key, entry in items.items() if (row := _row(key, entry, now)) is not None]
    with _transaction(connection):
        connection.executemany(_UPSERT, rows)
        connection.executemany("UPDATE entry SET last_used = ? WHERE key = ?", [(now, key) for key in touched])
    return Written(len(items) - len(rows), *totals(connection))


def trim(connection: sqlite3.Connection, *, max_bytes: int, made_before: int) -> int:
    """One small step: delete a few entries made before `made_before`, or else, where there is more than `max_bytes`,
    the least recently used. Returns how many, 0 when the bounds hold.
    """
    with _transaction(connection):
        last_row = _last_row(connection)
        deleted = connection.execute(_EXPIRE, (made_before, TRIM_ROWS)).rowcount
        if not deleted and totals(connection)[1] > max_bytes:
            deleted = connection.execute(_EVICT, (TRIM_ROWS,)).rowcount
        if deleted and _last_row(connection) < last_row:
            # The next row takes a number that was used before: who follows the rows by number has to begin again.
            raise_generation(connection)
    return deleted


def totals(connection: sqlite3.Connection) -> tuple[int, int]:
    """Entries in the file, and their bytes."""
    entries, size = connection.execute("SELECT entries, bytes FROM total").fetchone()
    return entries, size


def mark(connection: sqlite3.Connection) -> Mark:
    """How the file stands now; to be compared with what the same connection said before."""
    (commits,) = connection.execute("PRAGMA data_version").fetchone()
    (generation,) = connection.execute("SELECT coalesce(max(number), 0) FROM generation").fetchone()
    return Mark(commits, generation, _last_row(connection))


def raise_generation(connection: sqlite3.Connection) -> None:
    """Announce that entries were replaced or deleted: who holds some of them in RAM has to forget them."""
    connection.execute(_NEXT_GENERATION)


def keys_after(connection: sqlite3.Connection, last: bytes) -> tuple[list[bytes], bytes]:
    """A few of the keys, in their order, and the last of them; to begin with, those after the empty one."""
    return _listed(connection, _KEYS_AFTER, last)


def keys_of_rows_after(connection: sqlite3.Connection, last: int) -> tuple[list[bytes], int]:
    """The keys of a few rows, in the order in which they were added, and the number of the last row."""
    return _listed(connection, _KEYS_OF_ROWS_AFTER, last)


def stored_items(path: Path, pair: Pair | None = None) -> Iterator[Item]:
    """All items of the file, or those of one pair, oldest first, in constant memory; a server may use it meanwhile.

    Raises ConfigurationError where there is no memory to read.
    """
    if not path.is_file():
        raise ConfigurationError(f"There is no memory at {path}. Nothing was translated with this data_dir yet.")
    where, values = ("WHERE source = ? AND target = ?", (pair.source, pair.target)) if pair else ("", ())
    columns = "key, source, target, text, translation, model, made_at"
    with contextlib.closing(open_file(path)) as connection:
        for row in connection.execute(f"SELECT {columns} FROM entry {where} ORDER BY rowid", values):
            yield row[0], _entry(*row[1:])


def _opened(path: Path) -> sqlite3.Connection | None:
    """A connection to a file that can be used, or None for one that never can."""
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    try:
        # With WAL and NORMAL a killed process loses nothing; a power cut loses at most the last moments.
        use_wal(connection)
        connection.execute("PRAGMA synchronous = NORMAL")
        if _version(connection) == 0:
            _create(connection)
        if _version(connection) == SCHEMA_VERSION:
            connection.execute(_GENERATION)
            return connection
    except sqlite3.Error as error:
        connection.close()
        if is_damage(error):
            return None
        raise
    connection.close()
    return None


def use_wal(connection: sqlite3.Connection) -> None:
    """Go over to the write-ahead log, also while another process does. Raises sqlite3.OperationalError."""
    give_up_at = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            # While another process goes over to WAL this fails at once: SQLite's own timeout does not cover it.
            if _code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > give_up_at:
                raise
        time.sleep(0.005)


def _create(connection: sqlite3.Connection) -> None:
    try:
        connection.executescript(_SCHEMA)
    except sqlite3.OperationalError:
        # Another process may have created it just before, which is as good; anything else is an error.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        if _version(connection) != SCHEMA_VERSION:
            raise


def _code(error: sqlite3.Error) -> int:
    """SQLite's primary result code; the errors of Python's own wrapper have none."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # A full disk may have ended the transaction already.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _last_row(connection: sqlite3.Connection) -> int:
    (last_row,) = connection.execute("SELECT coalesce(max(rowid), 0) FROM entry").fetchone()
    return int(last_row)


def _listed(connection: sqlite3.Connection, statement: str, after: L) -> tuple[list[bytes], L]:
    digits, last = connection.execute(statement, (after,)).fetchone()
    if digits is None:
        return [], after
    keys = bytes.fromhex(digits)
    return [keys[start : start + KEY_BYTES] for start in range(0, len(keys), KEY_BYTES)], last


def _row(key: bytes, entry: Entry, now: int) -> tuple[str | bytes | int | None, ...] | None:
    """The row of an entry, or None for a text with lone surrogates, which SQLite cannot hold."""
    try:
        size = _bytes_of(entry.text) + _bytes_of(entry.translation) + ROW_OVERHEAD_BYTES
    except UnicodeEncodeError:
        return None
    pair = entry.pair
    return key, pair.source, pair.target, entry.text, entry.translation, entry.model, entry.made_at, now, size


def _bytes_of(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def _entry(source: str, target: str, text: str, translation: str, model: str | None, made_at: int) -> Entry:
    return Entry(text, _pair(source, target), translation, model, made_at)


@lru_cache(maxsize=4096)
def _pair(source: str, target: str) -> Pair:
    return Pair(source, target)

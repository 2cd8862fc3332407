"""The SQLite file that keeps conversations, so that a server that starts again goes on with them. Plain, synchronous.

One process holds it for as long as it runs. What is deleted is overwritten.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from dragoman.memory.table_file import TableFile
from dragoman.server.conversations.state import Changes, Message, State

FILE_NAME = "conversations.sqlite3"
SCHEMA_VERSION = 1

_SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE room (id TEXT PRIMARY KEY, state BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE message (
    room TEXT NOT NULL,
    event INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (room, event)
) WITHOUT ROWID;
PRAGMA user_version = {SCHEMA_VERSION};
COMMIT;
"""


class Entry(Struct, frozen=True):
    """Changes of one conversation, encoded; `state` None deletes it."""

    room: str
    state: bytes | None
    messages: tuple[tuple[int, bytes], ...] = ()
    dropped: tuple[int, ...] = ()


def entry_of(changes: Changes) -> Entry:
    """Changes as they are written: encoded at once, for a conversation goes on while the disk works."""
    encode = msgspec.json.encode
    messages = tuple((message.event, encode(message)) for message in changes.messages)
    return Entry(changes.state.id, encode(changes.state), messages, changes.dropped)


class RoomsFile(TableFile):
    """The open file. One thread at a time. Raises ConfigurationError, also where another process has it."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            path, what="The conversations", schema=_SCHEMA, version=SCHEMA_VERSION, set_up=_ours_alone, mode=0o600
        )

    def load(self) -> list[tuple[State, list[Message]]]:
        """Every conversation with its messages, oldest first."""
        with self._transaction("read"):
            rooms = self._connection.execute("SELECT id, state FROM room").fetchall()
            messages = self._connection.execute("SELECT room, data FROM message ORDER BY room, event").fetchall()
        by_room: dict[str, list[Message]] = {name: [] for name, _ in rooms}
        for name, data in messages:
            by_room[name].append(msgspec.json.decode(data, type=Message))
        return [(msgspec.json.decode(state, type=State), by_room[name]) for name, state in rooms]

    def keep(self, entries: Sequence[Entry]) -> None:
        """Write changes, all or none of them."""
        with self._transaction("written"):
            for entry in entries:
                self._delete(entry) if entry.state is None else self._upsert(entry)

    def _upsert(self, entry: Entry) -> None:
        self._connection.execute("INSERT OR REPLACE INTO room VALUES (?, ?)", (entry.room, entry.state))
        self._connection.executemany(
            "INSERT OR REPLACE INTO message VALUES (?, ?, ?)",
            [(entry.room, event, data) for event, data in entry.messages],
        )
        self._connection.executemany(
            "DELETE FROM message WHERE room = ? AND event = ?", [(entry.room, event) for event in entry.dropped]
        )

    def _delete(self, entry: Entry) -> None:
        self._connection.execute("DELETE FROM room WHERE id = ?", (entry.room,))
        self._connection.execute("DELETE FROM message WHERE room = ?", (entry.room,))


def _ours_alone(connection: sqlite3.Connection) -> None:
    """Locked from the first transaction to the end, so that no two servers go on with one conversation."""
    connection.execute("PRAGMA busy_timeout = 0")
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("PRAGMA auto_vacuum = FULL")
    connection.execute("PRAGMA secure_delete = ON")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")

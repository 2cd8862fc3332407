"""The SQLite file that keeps uploaded documents: how far each is, and the translated ones. Plain and synchronous.

All processes of a server share it. A row belongs to the process that translates it; where that is gone, the document
has failed. What is deleted is overwritten and given back to the disk.
"""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Literal

import msgspec
import psutil
from msgspec import Struct

from dragoman.documents.translation import Translated
from dragoman.errors import Overloaded
from dragoman.memory.table_file import TableFile

FILE_NAME = "documents.sqlite3"
SCHEMA_VERSION = 1
MAX_DOCUMENTS = 10_000
KEPT_AT_LEAST_S = 600.0
"""A translated document makes room for new ones only when it is older than that."""
TRY_AGAIN_S = 60.0

DocumentState = Literal["queued", "translating", "done", "error"]
UNFINISHED = "('queued', 'translating')"
LEFT_BEHIND = "The server stopped before the document was translated; send it again."

_SCHEMA = f"""
PRAGMA auto_vacuum = FULL;
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS document (
    id TEXT PRIMARY KEY,
    key_digest BLOB NOT NULL,
    owner TEXT NOT NULL,
    filename TEXT NOT NULL,
    media_type TEXT NOT NULL,
    process TEXT NOT NULL,
    characters INTEGER NOT NULL,
    passages INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    created_at REAL NOT NULL,
    state TEXT NOT NULL DEFAULT 'queued',
    characters_done INTEGER NOT NULL DEFAULT 0,
    started_at REAL,
    failed INTEGER NOT NULL DEFAULT 0,
    findings TEXT NOT NULL DEFAULT '{{}}',
    message TEXT,
    result BLOB
);
CREATE INDEX IF NOT EXISTS document_by_age ON document (created_at);
PRAGMA user_version = {SCHEMA_VERSION};
COMMIT;
"""
_COLUMNS = (
    "id, key_digest, owner, filename, media_type, process, characters, passages, bytes, created_at, state, "
    "characters_done, started_at, failed, findings, message"
)


class Row(Struct, frozen=True, kw_only=True):
    """A document without its bytes. Times are Unix seconds; `bytes` is what it takes, or is kept free for it."""

    id: str
    key_digest: bytes
    owner: str
    filename: str
    media_type: str
    process: str
    characters: int
    passages: int
    bytes: int
    created_at: float
    state: DocumentState = "queued"
    characters_done: int = 0
    started_at: float | None = None
    failed: int = 0
    findings: str = "{}"
    message: str | None = None

    @property
    def is_finished(self) -> bool:
        return self.state in ("done", "error")


class DocumentsFile(TableFile):
    """The open file. One thread at a time; every method is one transaction.

    Raises ConfigurationError where the file cannot be read or written.
    """

    def __init__(self, path: Path, *, max_bytes: int, max_age_s: float) -> None:
        self._max_bytes = max_bytes
        self._max_age_s = max_age_s
        super().__init__(
            path, what="The documents", schema=_SCHEMA, version=SCHEMA_VERSION, set_up=_overwriting_what_goes
        )
        self.forget()

    def add(self, row: Row) -> None:
        """Keep a new document, if need be in the place of the oldest that are done. Raises Overloaded without room."""
        with self._transaction("written"):
            self._forget_old()
            self._make_room(row.bytes)
            values = msgspec.structs.astuple(row)
            marks = ", ".join("?" * len(values))
            self._connection.execute(f"INSERT INTO document ({_COLUMNS}) VALUES ({marks})", values)

    def find(self, document_id: str) -> Row | None:
        """A document that is not too old. One whose process is gone has failed."""
        with self._transaction("read"):
            found = self._connection.execute(
                f"SELECT {_COLUMNS} FROM document WHERE id = ? AND created_at > ?", (document_id, self._oldest())
            ).fetchone()
        if found is None:
            return None
        row = Row(**dict(zip(Row.__struct_fields__, found, strict=True)))
        if row.is_finished or is_running(row.process):
            return row
        self.fail(row.id, LEFT_BEHIND)
        return msgspec.structs.replace(row, state="error", message=LEFT_BEHIND)

    def progress(self, document_id: str, characters_done: int) -> bool:
        """Note that it is being translated; False where it was deleted meanwhile."""
        return self._changed(
            "UPDATE document SET state = 'translating', characters_done = ?, started_at = ifnull(started_at, ?) "
            "WHERE id = ?",
            (characters_done, time.time(), document_id),
        )

    def finish(self, document_id: str, translated: Translated) -> None:
        """Keep the translated document, unless it was deleted meanwhile."""
        findings = msgspec.json.encode(translated.findings).decode()
        self._changed(
            "UPDATE document SET state = 'done', result = ?, bytes = ?, failed = ?, findings = ? WHERE id = ?",
            (translated.data, len(translated.data), translated.failed, findings, document_id),
        )

    def fail(self, document_id: str, message: str) -> None:
        """Note why there will be no translation."""
        self._changed(
            "UPDATE document SET state = 'error', message = ?, bytes = 0 WHERE id = ?", (message, document_id)
        )

    def leave(self, process: str) -> None:
        """Note that a process translates nothing any more."""
        self._changed(
            f"UPDATE document SET state = 'error', message = ?, bytes = 0 WHERE process = ? AND state IN {UNFINISHED}",
            (LEFT_BEHIND, process),
        )

    def result(self, document_id: str, *, keep: bool) -> bytes | None:
        """The translated document, deleted unless it is to be kept; None where there is none (any more)."""
        with self._transaction("read"):
            found = self._connection.execute("SELECT result FROM document WHERE id = ?", (document_id,)).fetchone()
            if not keep:
                self._connection.execute("UPDATE document SET result = NULL, bytes = 0 WHERE id = ?", (document_id,))
        return None if found is None else found[0]

    def delete(self, document_id: str) -> None:
        """Delete a document. One that is not there is fine."""
        self._changed("DELETE FROM document WHERE id = ?", (document_id,))

    def forget(self) -> None:
        """Delete what is too old."""
        with self._transaction("written"):
            self._forget_old()

    def _forget_old(self) -> None:
        self._connection.execute("DELETE FROM document WHERE created_at <= ?", (self._oldest(),))

    def _oldest(self) -> float:
        return time.time() - self._max_age_s

    def _make_room(self, needed_bytes: int) -> None:
        while True:
            count, used = self._connection.execute("SELECT count(*), ifnull(sum(bytes), 0) FROM document").fetchone()
            if count < MAX_DOCUMENTS and used + needed_bytes <= self._max_bytes:
                return
            oldest = self._connection.execute(
                f"DELETE FROM document WHERE id = (SELECT id FROM document WHERE state NOT IN {UNFINISHED} "
                "AND created_at < ? ORDER BY created_at LIMIT 1)",
                (time.time() - KEPT_AT_LEAST_S,),
            )
            if not oldest.rowcount:
                raise Overloaded("There is no room for more documents; try again later.", retry_after_s=TRY_AGAIN_S)

    def _changed(self, statement: str, values: tuple[object, ...]) -> bool:
        with self._transaction("written"):
            return self._connection.execute(statement, values).rowcount > 0


def _overwriting_what_goes(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA secure_delete = ON")


def this_process() -> str:
    """The name of this process, told apart from a later one with the same number."""
    return _named(psutil.Process())


def _named(process: psutil.Process) -> str:
    return f"{process.pid}:{process.create_time():.2f}"


def is_running(name: str) -> bool:
    """Whether the process that `this_process` named so is there still."""
    try:
        return _named(psutil.Process(int(name.partition(":")[0]))) == name
    except psutil.Error:
        return False

"""The SQLite file that lists a server's jobs: whose each is, who works on it, and which webhooks are due. Plain and
synchronous; all processes of a server share it. How far a job is stands in its own ledger.

A job that is planned waits for its turn. One that is running belongs to a process, and is planned again where that is
gone. All others stay as they are until somebody asks. What is asked of a running job, its process reads here.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec
from msgspec import Struct

from dragoman.jobs.spec import JobState
from dragoman.memory.sqlite_file import use_wal
from dragoman.memory.table_file import TableFile
from dragoman.server.documents_file import is_running

FILE_NAME = "jobs.sqlite3"
SCHEMA_VERSION = 1
MAX_LISTED = 1_000

Asked = Literal["", "cancel", "delete"]

_SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS job (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    created_at REAL NOT NULL,
    idempotency_key TEXT,
    plan BLOB NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    process TEXT NOT NULL,
    asked TEXT NOT NULL,
    charged INTEGER NOT NULL,
    finished_at REAL
);
CREATE UNIQUE INDEX IF NOT EXISTS job_by_idempotency_key ON job (owner, idempotency_key);
CREATE TABLE IF NOT EXISTS webhook (
    id TEXT PRIMARY KEY,
    job TEXT NOT NULL,
    body BLOB NOT NULL,
    due_at REAL NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0
);
PRAGMA user_version = {SCHEMA_VERSION};
COMMIT;
"""
_COLUMNS = "id, owner, created_at, idempotency_key, plan, state, reason, process, asked, charged, finished_at"

# A process that died had no time to say how its job ended.
_RELEASE = """
UPDATE job SET state = iif(asked = 'cancel', 'cancelled', 'planned'), finished_at = iif(asked = 'cancel', ?, NULL),
    asked = iif(asked = 'cancel', '', asked), process = ''
WHERE state = 'running' AND process = ?
"""
_CLAIM = f"""
UPDATE job SET state = 'running', reason = '', process = ? WHERE id = (
    SELECT id FROM job WHERE state = 'planned' AND asked = ''
    ORDER BY (SELECT count(*) FROM job AS other WHERE other.owner = job.owner AND other.state = 'running'), created_at
    LIMIT 1)
RETURNING {_COLUMNS}
"""


class Plan(Struct, frozen=True, kw_only=True):
    """What of a job never changes. `digest` is that of the request that made it; `secret` signs its webhook."""

    filename: str
    rows: int
    columns: tuple[str, ...]
    targets: tuple[str, ...]
    digest: bytes
    max_errors: int | None = None
    webhook: str | None = None
    secret: str | None = None


class Row(Struct, frozen=True, kw_only=True):
    """A job. Times are Unix seconds; `charged` is how many characters its owner was charged for."""

    id: str
    owner: str
    created_at: float
    idempotency_key: str | None
    plan: Plan
    state: JobState = "planned"
    reason: str = ""
    process: str = ""
    asked: Asked = ""
    charged: int = 0
    finished_at: float | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing happens to it until somebody asks."""
        return self.state not in ("planned", "running")


class Notice(Struct, frozen=True):
    """A webhook that is due. `tries` counts those that were begun."""

    id: str
    job: str
    body: bytes
    tries: int


class Ended(NamedTuple):
    """How work on a job ended, and what its webhook says of it, if there is one."""

    state: JobState
    reason: str
    notice: Notice | None


class IndexFile(TableFile):
    """The open file. One thread at a time; every method is one transaction.

    Raises ConfigurationError where the file cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, what="The jobs", schema=_SCHEMA, version=SCHEMA_VERSION, set_up=use_wal, mode=0o600)

    def add(self, row: Row) -> Row:
        """Keep a new job. Returns it, or the one that its owner made with the same idempotency key before."""
        with self._transaction("written"):
            values = (*msgspec.structs.astuple(row)[:4], msgspec.msgpack.encode(row.plan))
            added = self._connection.execute(
                f"INSERT INTO job ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, '', '', '', 0, NULL) ON CONFLICT DO NOTHING",
                (*values, row.state),
            )
            if added.rowcount:
                return row
            return self._rows("WHERE owner = ? AND idempotency_key = ?", row.owner, row.idempotency_key)[0]

    def find(self, job_id: str) -> Row | None:
        """A job that is not deleted."""
        with self._transaction("read"):
            return next(iter(self._rows("WHERE id = ? AND asked != 'delete'", job_id)), None)

    def find_by_key(self, owner: str, idempotency_key: str) -> Row | None:
        """The job that its owner made with this idempotency key."""
        with self._transaction("read"):
            found = self._rows("WHERE owner = ? AND idempotency_key = ?", owner, idempotency_key)
        return next(iter(found), None)

    def of(self, owner: str) -> list[Row]:
        """The jobs of an owner, the newest first."""
        with self._transaction("read"):
            return self._rows(
                "WHERE owner = ? AND asked != 'delete' ORDER BY created_at DESC LIMIT ?", owner, MAX_LISTED
            )

    def claim(self, process: str, working: Collection[str], at_once: int) -> Row | None:
        """The next job for a process that is `working` on these; first what nobody works on any more is released."""
        with self._transaction("written"):
            self._release_left_behind(process, working)
            (running,) = self._connection.execute("SELECT count(*) FROM job WHERE state = 'running'").fetchone()
            if running >= at_once:
                return None
            found = self._connection.execute(_CLAIM, (process,)).fetchone()
        return None if found is None else _row(found)

    def asked_of(self, process: str) -> list[str]:
        """The jobs of a process that are to be ended."""
        with self._transaction("read"):
            return [row.id for row in self._rows("WHERE process = ? AND asked != ''", process)]

    def charge(self, job_id: str, characters: int) -> None:
        """Note what a job's owner was charged for."""
        self._changed("UPDATE job SET charged = charged + ? WHERE id = ?", (characters, job_id))

    def end(self, job_id: str, process: str, ended: Ended) -> bool:
        """Note how work on a job ended, which is this process's, or with "" nobody's. False where it is not."""
        state, reason, notice = ended
        now = time.time()
        with self._transaction("written"):
            changed = self._connection.execute(
                "UPDATE job SET state = ?, reason = ?, process = '', finished_at = ?, "
                "asked = iif(asked = 'delete', asked, '') WHERE id = ? AND process = ?",
                (state, reason, now, job_id, process),
            ).rowcount
            if changed and notice is not None:
                self._connection.execute(
                    "INSERT INTO webhook VALUES (?, ?, ?, ?, 0)", (notice.id, notice.job, notice.body, now)
                )
        return changed > 0

    def leave(self, process: str) -> None:
        """Note that a process works on nothing any more: its jobs wait for another."""
        self._changed(_RELEASE, (time.time(), process))

    def leave_one(self, job_id: str, process: str) -> None:
        """Note that a process could not work on a job just now."""
        self._changed("UPDATE job SET state = 'planned', process = '' WHERE id = ? AND process = ?", (job_id, process))

    def plan_again(self, job_id: str) -> None:
        """Have a job that is over wait for its turn."""
        self._changed(
            "UPDATE job SET state = 'planned', reason = '', finished_at = NULL "
            "WHERE id = ? AND state NOT IN ('planned', 'running')",
            (job_id,),
        )

    def ask(self, job_id: str, asked: Asked) -> None:
        """Have the process that works on a job end that."""
        self._changed("UPDATE job SET asked = ? WHERE id = ? AND asked != 'delete'", (asked, job_id))

    def over(self, *, before: float) -> list[str]:
        """The jobs that were over before a time, those that were over first first."""
        with self._transaction("read"):
            return [
                row.id
                for row in self._rows(
                    "WHERE state NOT IN ('planned', 'running') AND asked = '' AND finished_at < ? ORDER BY finished_at",
                    before,
                )
            ]

    def deleted(self) -> list[str]:
        """The jobs whose files can go."""
        with self._transaction("read"):
            return [row.id for row in self._rows("WHERE asked = 'delete' AND state != 'running'")]

    def forget(self, job_id: str) -> None:
        """Take a deleted job out of the list."""
        with self._transaction("written"):
            self._connection.execute("DELETE FROM job WHERE id = ?", (job_id,))
            self._connection.execute("DELETE FROM webhook WHERE job = ?", (job_id,))

    def ids(self) -> set[str]:
        """All jobs, deleted ones too."""
        with self._transaction("read"):
            return {job_id for (job_id,) in self._connection.execute("SELECT id FROM job")}

    def take_notices(self, most: int, lease_s: float) -> list[Notice]:
        """Webhooks that are due, for this process alone as long as the lease: where it dies, another one tries."""
        now = time.time()
        with self._transaction("written"):
            found = self._connection.execute(
                "UPDATE webhook SET due_at = ?, tries = tries + 1 WHERE id IN ("
                "SELECT id FROM webhook WHERE due_at <= ? ORDER BY due_at LIMIT ?) RETURNING id, job, body, tries",
                (now + lease_s, now, most),
            ).fetchall()
        return [Notice(*one) for one in found]

    def delay_notice(self, notice_id: str, delay_s: float) -> None:
        """Have a webhook tried again later."""
        self._changed("UPDATE webhook SET due_at = ? WHERE id = ?", (time.time() + delay_s, notice_id))

    def drop_notice(self, notice_id: str) -> None:
        """Be done with a webhook."""
        self._changed("DELETE FROM webhook WHERE id = ?", (notice_id,))

    def _release_left_behind(self, process: str, working: Collection[str]) -> None:
        for other in {row.process for row in self._rows("WHERE state = 'running' AND process != ?", process)}:
            if not is_running(other):
                self._connection.execute(_RELEASE, (time.time(), other))
        for row in self._rows("WHERE state = 'running' AND process = ?", process):
            if row.id not in working:  # how it ended could not be written
                self._connection.execute("UPDATE job SET state = 'planned', process = '' WHERE id = ?", (row.id,))

    def _rows(self, condition: str, *values: object) -> list[Row]:
        return [_row(found) for found in self._connection.execute(f"SELECT {_COLUMNS} FROM job {condition}", values)]

    def _changed(self, statement: str, values: tuple[object, ...]) -> None:
        with self._transaction("written"):
            self._connection.execute(statement, values)


def _row(found: sqlite3.Row) -> Row:
    fields = dict(zip(Row.__struct_fields__, found, strict=True))
    return Row(**{**fields, "plan": msgspec.msgpack.decode(found[4], type=Plan)})

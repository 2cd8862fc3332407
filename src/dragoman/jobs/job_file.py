"""The SQLite file of one job: its plan, its shards, and every answer that was paid for. Plain and synchronous.

A job is planned, running, paused, done, failed or cancelled; of its shards each is

- pending: planned, or given back. `lease` takes it and raises its generation.
- leased: somebody works on it. `seal`, `stick` or `give_back`.
- sealed: its part is written and synced under a temporary name. `done`, or `reopen` where the part proved broken.
- done: its part has its name. `retry_failed` and `reopen` make it pending again.
- stuck: something is wrong with the whole range of rows. `retry_failed` makes it pending again.

Each of these steps is one UPDATE on the condition that number, state and generation are what the caller thinks. Where
that changes nothing somebody else has the shard now, and what the caller made of it is to be dropped.
"""

from __future__ import annotations

import contextlib
import errno
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
from msgspec import Struct

from dragoman.errors import JobNotReady, LedgerError, UnknownJob
from dragoman.jobs import queries
from dragoman.jobs.spec import Cell, Counts, Fingerprint, JobSpec, JobState, Receipt, Shard, ShardState
from dragoman.memory.sqlite_file import use_wal
from dragoman.memory.table_file import TableFile, Verb
from dragoman.types import Tokens

FILE_NAME = "job.sqlite3"
CACHE_KIB = 65_536
KEYS_AT_ONCE = 500
"""Keys of one statement."""

_SHARD = msgspec.msgpack.Decoder(Shard)
_CELL = msgspec.msgpack.Decoder(Cell)

_FULL = "Make room on the disk, then resume the job: nothing that was stored is lost."
_LOCKED_UP = "Make the job's folder and all files in it writable, then resume the job."
_DAMAGED = (
    "The file is damaged. Put a copy of the job's folder in its place, or plan the job anew in another folder: what "
    "the translation memory holds is not asked again."
)
_BUSY = "Another program keeps the file locked. Close it, then resume the job."
_REMEDIES = {
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_IOERR: f"The disk is full or broken. {_FULL}",
    sqlite3.SQLITE_READONLY: _LOCKED_UP,
    sqlite3.SQLITE_CANTOPEN: _LOCKED_UP,
    sqlite3.SQLITE_PERM: _LOCKED_UP,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
    sqlite3.SQLITE_BUSY: _BUSY,
}
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class Planned(NamedTuple):
    """What was planned. `created_at` in Unix seconds."""

    spec: JobSpec
    fingerprint: Fingerprint
    created_at: int


class Part(NamedTuple):
    """What a shard was written to; `size` in bytes."""

    receipt: Receipt
    size: int


class Unfinished(NamedTuple):
    """A shard that is not done; `reason` says of a stuck one why."""

    shard: Shard
    state: ShardState
    reason: str


class Totals(Struct, frozen=True, kw_only=True):
    """How far a job is. `counts` are those of its done shards, `characters` and `tokens` of all calls that the ledger
    knows of, for shards that were written more than once too.
    """

    shards: dict[ShardState, int]
    counts: Counts
    characters: int
    tokens: Tokens


def remedy(error: sqlite3.Error | OSError) -> str:
    """What to do about a file of a job that cannot be read or written."""
    if isinstance(error, OSError):
        return _FULL if error.errno in _NO_ROOM else _LOCKED_UP
    # SQLite's primary code; the errors of Python's own wrapper have none.
    return _REMEDIES.get(getattr(error, "sqlite_errorcode", 0) & 0xFF, "Resume the job to try again.")


class JobFile(TableFile):
    """The open file. One thread at a time; every method is one transaction. See the module for the states of a shard.

    Raises LedgerError where the file cannot be opened, read or written.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(
            path, what="The job's ledger", schema=queries.SCHEMA, version=queries.SCHEMA_VERSION, set_up=_losing_nothing
        )

    def create(self, planned: Planned, shards: Sequence[Shard]) -> None:
        """Store a plan. Raises JobNotReady where there is one already."""
        plan = (msgspec.msgpack.encode(planned.spec), msgspec.msgpack.encode(planned.fingerprint), planned.created_at)
        plans = [(shard.number, msgspec.msgpack.encode(shard), shard.rows) for shard in shards]
        with self._transaction("written"):
            if self._connection.execute("SELECT 1 FROM job").fetchone():
                raise JobNotReady(
                    f"There is a job in {self._path.parent} already. Resume it, or choose another folder."
                )
            self._connection.execute("INSERT INTO job (spec, fingerprint, created_at) VALUES (?, ?, ?)", plan)
            self._connection.executemany("INSERT INTO shard (number, plan, rows) VALUES (?, ?, ?)", plans)

    def planned(self) -> Planned:
        """What was planned. Raises UnknownJob where nothing was."""
        with self._transaction("read"):
            row = self._connection.execute("SELECT spec, fingerprint, created_at FROM job").fetchone()
            if row is None:
                raise unknown_job(self._path.parent)
            spec = msgspec.msgpack.decode(row[0], type=JobSpec)
            return Planned(spec, msgspec.msgpack.decode(row[1], type=Fingerprint), row[2])

    def state(self) -> tuple[JobState, str]:
        """The state of the job, and why it is in it."""
        with self._transaction("read"):
            state, reason = self._connection.execute("SELECT state, reason FROM job").fetchone()
            return state, reason

    def set_state(self, state: JobState, reason: str) -> None:
        """Change the state of the job."""
        self._changed("UPDATE job SET state = ?, reason = ?", (state, reason))

    def noted(self) -> bytes:
        """What was noted last; empty to begin with."""
        with self._transaction("read"):
            return bytes(self._connection.execute("SELECT progress FROM job").fetchone()[0])

    def note(self, progress: bytes) -> None:
        """Note how the run goes, for whoever looks."""
        self._changed("UPDATE job SET progress = ?", (progress,))

    def lease(self, count: int, owner: str) -> list[Shard]:
        """Take the next pending shards, in their order."""
        with self._transaction("written"):
            rows = self._connection.execute(queries.LEASE, (owner, count)).fetchall()
            shards = [msgspec.structs.replace(_SHARD.decode(plan), generation=number) for plan, number in rows]
        return sorted(shards, key=lambda shard: shard.number)

    def give_back(self, shards: Sequence[Shard]) -> None:
        """Make leased shards pending; those whose lease was lost are passed over."""
        with self._transaction("written"):
            self._connection.executemany(queries.GIVE_BACK, [(shard.number, shard.generation) for shard in shards])

    def release_leases(self) -> None:
        """Make every leased shard pending: whoever had them is gone."""
        self._changed(queries.RELEASE, ())

    def seal(self, part: Part) -> bool:
        """Note that a leased shard is written. False where the lease was lost."""
        receipt, counts, tokens = part.receipt, part.receipt.counts, part.receipt.tokens
        written = (receipt.part, receipt.sha256, part.size, counts.rows, counts.ok, counts.passthrough, counts.error)
        spent = (receipt.characters, tokens.prompt, tokens.cached, tokens.output)
        return self._changed(queries.SEAL, (*written, *spent, receipt.shard, receipt.generation))

    def done(self, shard: int, generation: int) -> bool:
        """Note that a sealed shard's part has its name. False where it is not that sealed one any more."""
        return self._changed(queries.DONE, (shard, generation))

    def stick(self, shard: int, generation: int, reason: str) -> bool:
        """Note why a leased shard cannot be worked on. False where the lease was lost."""
        return self._changed(queries.STICK, (reason, shard, generation))

    def reopen(self, shard: int, generation: int) -> bool:
        """Make a sealed or done shard pending, because its part is not what was sealed."""
        return self._changed(queries.REOPEN, (shard, generation))

    def stuck(self) -> dict[int, str]:
        """The stuck shards, and why each is."""
        with self._transaction("read"):
            return dict(self._connection.execute("SELECT number, reason FROM shard WHERE state = 'stuck'"))

    def unfinished(self) -> list[Unfinished]:
        """The shards that are not done, in their order."""
        with self._transaction("read"):
            rows = self._connection.execute(queries.UNFINISHED).fetchall()
            return [Unfinished(_SHARD.decode(plan), state, reason) for plan, state, reason in rows]

    def failures(self) -> dict[str, int]:
        """Why texts failed, as their findings say, and how many did for each reason; the most frequent first."""
        with self._transaction("read"):
            return {_CELL.decode(cell).findings[0]: count for cell, count in self._connection.execute(queries.FAILURES)}

    def parts(self, state: ShardState) -> list[Part]:
        """What the shards in this state were written to, in their order."""
        with self._transaction("read"):
            return [_part(*row) for row in self._connection.execute(queries.PARTS, (state,))]

    def totals(self) -> Totals:
        """How far the job is."""
        with self._transaction("read"):
            rows = self._connection.execute(queries.TOTALS).fetchall()
        done = next((row[2:6] for row in rows if row[0] == "done"), (0, 0, 0, 0))
        return Totals(
            shards={row[0]: row[1] for row in rows},
            counts=_counts(*done),
            characters=sum(row[6] for row in rows),
            tokens=sum((Tokens(*row[7:]) for row in rows), Tokens()),
        )

    def retry_failed(self) -> int:
        """Forget the errors and have the shards that hold some, and the stuck ones, worked on again.

        Returns how many rows that concerns; where it is none the job stays in its state.
        """
        with self._transaction("written"):
            (rows,) = self._connection.execute(queries.FAILED_ROWS).fetchone()
            self._connection.execute("DELETE FROM dead")
            if self._connection.execute(queries.REOPEN_FAILED).rowcount:
                self._connection.execute("UPDATE job SET state = 'planned', reason = ''")
        return int(rows)

    def find(self, keys: Sequence[bytes]) -> list[Cell | None]:
        """The answers stored for these keys."""
        with self._transaction("read"):
            found = self._found(keys)
        return [found.get(key) for key in keys]

    def keep(self, answers: Sequence[tuple[bytes, Cell]]) -> list[Cell]:
        """Store answers, no more than KEYS_AT_ONCE. Returns the stored ones: for a key that had one it is that one."""
        packed = [(key, *_packed(cell)) for key, cell in answers]
        with self._transaction("written"):
            added = self._add("memo", "dead", [(key, blob) for key, cell, blob in packed if cell.status != "error"])
            added += self._add("dead", "memo", [(key, blob) for key, cell, blob in packed if cell.status == "error"])
            if added == len(packed):
                return [cell for _, cell, _ in packed]
            stored = self._found([key for key, _ in answers])
            return [stored[key] for key, _ in answers]

    def _add(self, table: str, other: str, rows: Sequence[tuple[bytes, bytes]]) -> int:
        if not rows:
            return 0
        statement = queries.ADD.format(table=table, other=other, marks=", ".join(["(?, ?)"] * len(rows)))
        return self._connection.execute(statement, [value for row in rows for value in row]).rowcount

    def _found(self, keys: Sequence[bytes]) -> dict[bytes, Cell]:
        found: dict[bytes, Cell] = {}
        for start in range(0, len(keys), KEYS_AT_ONCE):
            some = keys[start : start + KEYS_AT_ONCE]
            marks = ", ".join(f"?{number}" for number in range(1, len(some) + 1))
            (listed,) = self._connection.execute(queries.FOUND.format(marks=marks), some).fetchone()
            values = [bytes.fromhex(digits) for digits in (listed.split(" ") if listed else [])]
            found.update(zip(values[::2], map(_CELL.decode, values[1::2]), strict=True))
        return found

    def _changed(self, statement: str, values: Sequence[str | int | bytes]) -> bool:
        with self._transaction("written"):
            return self._connection.execute(statement, values).rowcount > 0

    @contextlib.contextmanager
    def _told(self, verb: Verb) -> Iterator[None]:
        with super()._told(verb):
            try:
                yield
            except msgspec.DecodeError as error:
                raise LedgerError(f"{self._what} at {self._path} cannot be {verb}: {error}. {_DAMAGED}") from error

    def _failure(self, verb: Verb, error: sqlite3.Error | OSError) -> LedgerError:
        return LedgerError(f"{self._what} at {self._path} cannot be {verb}: {error}. {remedy(error)}")

    def _other_version(self) -> LedgerError:
        return LedgerError(
            f"{self._what} at {self._path} was written by another version of Dragoman. Use that version, or plan the "
            "job anew in another folder."
        )


def unknown_job(folder: Path) -> UnknownJob:
    """The error for a folder without a job."""
    return UnknownJob(f"There is no job in {folder}. `dragoman job run` plans one.")


def _losing_nothing(connection: sqlite3.Connection) -> None:
    """Others read while one writes, and what is committed outlives a power cut."""
    use_wal(connection)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    connection.execute("PRAGMA temp_store = MEMORY")


def _packed(cell: Cell) -> tuple[Cell, bytes]:
    """A cell as it can be stored, and its bytes: lone surrogates, which no file of ours can hold, become U+FFFD."""
    try:
        return cell, msgspec.msgpack.encode(cell)
    except UnicodeEncodeError:
        text = None if cell.text is None else _without_lone_surrogates(cell.text)
        findings = tuple(map(_without_lone_surrogates, cell.findings))
        cell = msgspec.structs.replace(cell, text=text, findings=findings)
        return cell, msgspec.msgpack.encode(cell)


def _without_lone_surrogates(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _counts(rows: int, ok: int, passthrough: int, error: int) -> Counts:
    return Counts(rows=rows, ok=ok, passthrough=passthrough, error=error)


def _part(size: int, shard: int, generation: int, name: str, sha256: str, *numbers: int) -> Part:
    receipt = Receipt(
        shard=shard,
        generation=generation,
        part=name,
        sha256=sha256,
        counts=_counts(*numbers[:4]),
        characters=numbers[4],
        tokens=Tokens(*numbers[5:]),
    )
    return Part(receipt, size)

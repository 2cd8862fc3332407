"""The SQLite file that keeps API keys and what was used with them: plainly and synchronously, for several processes.

A key reads `dragoman_ID_SECRET`. The id names it to people and in the file; of the whole key only its SHA-256 is kept,
which is enough for a secret of 256 random bits.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import secrets
import sqlite3
import time
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta, Struct

from dragoman.errors import InvalidRequest, UnknownKey
from dragoman.memory.sqlite_file import use_wal
from dragoman.memory.table_file import TableFile, Verb
from dragoman.memory.usage import Counts, Period, Used, Window, Windows

FILE_NAME = "keys.sqlite3"
SCHEMA_VERSION = 1
MAX_NAME_CHARACTERS = 200
PREFIX = "dragoman"
ID_BYTES, SECRET_BYTES = 6, 32

Scope = Literal["translate", "jobs", "admin"]
SCOPES: tuple[Scope, ...] = ("translate", "jobs", "admin")

LimitName = Literal[
    "requests_per_minute",
    "requests_per_day",
    "requests_per_month",
    "characters_per_minute",
    "characters_per_day",
    "characters_per_month",
]
Limit = Annotated[int, Meta(ge=0, le=2**53)]

_SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS key (
    id TEXT PRIMARY KEY,
    digest BLOB NOT NULL,
    name TEXT NOT NULL,
    scopes TEXT NOT NULL,
    limits TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER
);
CREATE UNIQUE INDEX IF NOT EXISTS key_by_name ON key (name) WHERE revoked_at IS NULL;
CREATE TABLE IF NOT EXISTS used (
    period TEXT NOT NULL,
    start INTEGER NOT NULL,
    key TEXT NOT NULL,
    requests INTEGER NOT NULL,
    characters INTEGER NOT NULL,
    PRIMARY KEY (period, start, key)
) WITHOUT ROWID;
PRAGMA user_version = {SCHEMA_VERSION};
COMMIT;
"""

_COLUMNS = "id, name, scopes, limits, created_at, revoked_at"
_NAMED = "SELECT id FROM key WHERE revoked_at IS NULL AND (id = ? OR name = ?) ORDER BY id = ? DESC LIMIT 1"
_COUNT = """
INSERT INTO used VALUES (?, ?, ?, ?, ?) ON CONFLICT (period, start, key)
DO UPDATE SET requests = requests + excluded.requests, characters = characters + excluded.characters
"""
# What came later is read too: another process may have stepped over the edge of a window already.
_USED = "SELECT period, start, key, requests, characters FROM used WHERE period = ? AND start >= ?"
_FORGET = "DELETE FROM used WHERE period = 'minute' AND start < ?"


class KeyLimits(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """How much a key may use in a calendar minute, day and month (UTC); None is no limit.

    Characters are code points of source text, once for each target.
    """

    requests_per_minute: Limit | None = None
    requests_per_day: Limit | None = None
    requests_per_month: Limit | None = None
    characters_per_minute: Limit | None = None
    characters_per_day: Limit | None = None
    characters_per_month: Limit | None = None

    def requests_per(self, period: Period) -> int | None:
        limit: int | None = getattr(self, f"requests_per_{period}")
        return limit

    def characters_per(self, period: Period) -> int | None:
        limit: int | None = getattr(self, f"characters_per_{period}")
        return limit


class KeyInfo(Struct, frozen=True):
    """A key without its secret. Times are Unix seconds; a revoked key stays listed and lets nobody in."""

    id: str
    name: str
    scopes: frozenset[Scope]
    limits: KeyLimits
    created_at: int
    revoked_at: int | None = None


class KnownKey(NamedTuple):
    """A key that lets callers in."""

    info: KeyInfo
    digest: bytes

    def fits(self, key: str) -> bool:
        """Whether it is this one, told in a time that does not depend on how much of it is right."""
        return hmac.compare_digest(self.digest, digest_of(key))


class Held(NamedTuple):
    """What the file holds for a server: the keys that let callers in, by id, and what was used in some windows."""

    keys: Mapping[str, KnownKey]
    used: Counts


def digest_of(key: str) -> bytes:
    """What is kept of a key."""
    return hashlib.sha256(key.encode(errors="surrogatepass")).digest()


def id_in(key: str) -> str:
    """The id that a key claims to have; "" for what is no key."""
    prefix, _, rest = key.partition("_")
    return rest.partition("_")[0] if prefix == PREFIX else ""


class KeyFile(TableFile):
    """The open file. One thread at a time; every method is one transaction.

    Methods raise UnknownKey for what names no key that is in use, InvalidRequest for a name or scopes that do not fit,
    and ConfigurationError where the file cannot be read or written. `_seen` is the version of the file at the last
    `held`, None after a change of our own.
    """

    def __init__(self, path: Path) -> None:
        self._seen: int | None = None
        super().__init__(
            path, what="The keys", schema=_SCHEMA, version=SCHEMA_VERSION, set_up=_ready_for_many, mode=0o600
        )

    def add(self, name: str, scopes: Collection[Scope], limits: KeyLimits) -> tuple[str, KeyInfo]:
        """A new key, and what there is to say of it. The key is told here and never again."""
        made = secrets.token_hex(ID_BYTES)
        key = f"{PREFIX}_{made}_{secrets.token_urlsafe(SECRET_BYTES)}"
        row = (made, digest_of(key), _named(name), _packed(_checked(scopes)), _packed(limits), int(time.time()))
        with self._transaction("written"):
            if self._connection.execute(_NAMED, ("", row[2], "")).fetchone():
                raise InvalidRequest(
                    f"There is a key called {row[2]!r} already; revoke it first or choose another name.", field="name"
                )
            self._connection.execute("INSERT INTO key VALUES (?, ?, ?, ?, ?, ?, NULL)", row)
            return key, self._info(made)

    def list_all(self) -> list[KeyInfo]:
        """Every key, the oldest first, and the revoked ones too."""
        with self._transaction("read"):
            rows = self._connection.execute(f"SELECT {_COLUMNS} FROM key ORDER BY created_at, rowid")
            return [_info(*row) for row in rows]

    def limit(self, named: str, changes: Mapping[LimitName, int | None]) -> KeyInfo:
        """Change some limits of the key of this id or name; None takes one away."""
        with self._transaction("written"):
            known = self._id_of(named)
            limits = msgspec.structs.replace(self._info(known).limits, **{str(name): changes[name] for name in changes})
            self._connection.execute("UPDATE key SET limits = ? WHERE id = ?", (_packed(limits), known))
            return self._info(known)

    def revoke(self, named: str) -> KeyInfo:
        """Let nobody in with the key of this id or name any more."""
        with self._transaction("written"):
            known = self._id_of(named)
            self._connection.execute("UPDATE key SET revoked_at = ? WHERE id = ?", (int(time.time()), known))
            return self._info(known)

    def known_keys(self) -> dict[str, KnownKey]:
        """The keys that let callers in, by id."""
        with self._transaction("read"):
            return self._known_keys()

    def used(self, windows: Windows) -> Counts:
        """What was used in these windows, by all processes, as far as they wrote it."""
        with self._transaction("read"):
            return self._used(windows)

    def keep(self, counts: Counts, windows: Windows) -> Held | None:
        """Add to what was used, then tell what the file holds; None where it holds nothing new."""
        if counts:
            self._count(counts, windows)
        with self._transaction("read"):
            (version,) = self._connection.execute("PRAGMA data_version").fetchone()
            if version == self._seen:
                return None
            held = Held(self._known_keys(), self._used(windows))
        self._seen = version
        return held

    def _count(self, counts: Counts, windows: Windows) -> None:
        rows = [(*window, key_id, *used) for (key_id, window), used in counts.items()]
        with self._transaction("written"):
            self._connection.executemany(_COUNT, rows)
            self._connection.execute(_FORGET, (windows.day.start,))

    def _known_keys(self) -> dict[str, KnownKey]:
        rows = self._connection.execute(f"SELECT digest, {_COLUMNS} FROM key WHERE revoked_at IS NULL")
        return {row[1]: KnownKey(_info(*row[1:]), row[0]) for row in rows}

    def _used(self, windows: Windows) -> Counts:
        rows = [row for window in windows for row in self._connection.execute(_USED, window)]
        return {(key, Window(period, start)): Used(*used) for period, start, key, *used in rows}

    def _id_of(self, named: str) -> str:
        # No name holds what cannot be printed, and SQLite takes no lone surrogates.
        row = self._connection.execute(_NAMED, (named, named, named)).fetchone() if named.isprintable() else None
        if row is None:
            raise UnknownKey(
                f"There is no key {named[:80]!r} in use. GET /v1/keys and `dragoman keys list` show what there is.",
                field="key",
            )
        return str(row[0])

    def _info(self, known: str) -> KeyInfo:
        return _info(*self._connection.execute(f"SELECT {_COLUMNS} FROM key WHERE id = ?", (known,)).fetchone())

    @contextlib.contextmanager
    def _transaction(self, verb: Verb) -> Iterator[None]:
        with super()._transaction(verb):
            yield
        if verb == "written":
            self._seen = None


def _ready_for_many(connection: sqlite3.Connection) -> None:
    """Others read while one writes; a power cut may lose the last moments."""
    use_wal(connection)
    connection.execute("PRAGMA synchronous = NORMAL")


def _named(name: str) -> str:
    name = name.strip()
    if not name or len(name) > MAX_NAME_CHARACTERS or not name.isprintable():
        raise InvalidRequest(
            f"A key's name has 1 to {MAX_NAME_CHARACTERS} printable characters.",
            field="name",
            limit=MAX_NAME_CHARACTERS,
        )
    return name


def _checked(scopes: Collection[Scope]) -> list[Scope]:
    if not scopes:
        raise InvalidRequest(f"A key needs a scope: {', '.join(SCOPES)}.", field="scopes", accepted=SCOPES)
    return [scope for scope in SCOPES if scope in scopes]


def _packed(value: KeyLimits | list[Scope]) -> str:
    return msgspec.json.encode(value).decode()


def _info(known: str, name: str, scopes: str, limits: str, created_at: int, revoked_at: int | None) -> KeyInfo:
    read = msgspec.json.decode(scopes, type=frozenset[Scope])
    return KeyInfo(known, name, read, msgspec.json.decode(limits, type=KeyLimits), created_at, revoked_at)

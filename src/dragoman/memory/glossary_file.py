"""The SQLite file that keeps glossaries: opened, read and written, plainly and synchronously.

Several processes may share it. What it holds was made by people and cannot be made again, so a damaged file is told of
and left where it is.
"""

from __future__ import annotations

import sqlite3
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from dragoman.errors import InvalidRequest, TooLarge, UnknownGlossary
from dragoman.memory.table_file import TableFile
from dragoman.types import Pair, Term

FILE_NAME = "glossaries.sqlite3"
SCHEMA_VERSION = 1
MAX_NAME_CHARACTERS = 1_024
MAX_TERMS = 100_000
"""Terms in one dictionary."""

NOBODY = ""
"""The owner of what is kept where there are no API keys, or made on the command line: everybody may read that."""

_SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS glossary (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    version INTEGER NOT NULL DEFAULT 1
);
CREATE INDEX IF NOT EXISTS glossary_by_owner ON glossary (owner, name);
CREATE TABLE IF NOT EXISTS dictionary (
    glossary TEXT NOT NULL REFERENCES glossary (id) ON DELETE CASCADE,
    source TEXT NOT NULL,
    target TEXT NOT NULL,
    entries INTEGER NOT NULL,
    terms BLOB NOT NULL,
    PRIMARY KEY (glossary, source, target)
);
PRAGMA user_version = {SCHEMA_VERSION};
COMMIT;
"""

_READABLE = "SELECT id FROM glossary WHERE owner IN (?, ?) ORDER BY name, id"
_BY_ID = "SELECT id FROM glossary WHERE owner = ? AND id = ?"
_BY_NAME = "SELECT id FROM glossary WHERE owner = ? AND name = ? LIMIT 10"
_PUT = "INSERT OR REPLACE INTO dictionary (glossary, source, target, entries, terms) VALUES (?, ?, ?, ?, ?)"
_CHANGED = "UPDATE glossary SET updated_at = ?, version = version + 1 WHERE id = ?"


class DictionaryInfo(Struct, frozen=True):
    """One pair of a glossary, and how many terms it has."""

    pair: Pair
    entries: int


class GlossaryInfo(Struct, frozen=True):
    """A stored glossary without its terms. Times are Unix seconds; `version` rises with every change."""

    id: str
    owner: str
    name: str
    created_at: int
    updated_at: int
    version: int
    dictionaries: tuple[DictionaryInfo, ...]


class GlossaryFile(TableFile):
    """The open file. One thread at a time; every method is one transaction.

    Methods raise UnknownGlossary for an id that the owner has not, InvalidRequest for a name that does not fit,
    TooLarge for too many terms, and ConfigurationError where the file cannot be read or written. Terms are taken as
    they are: `term_files` looks at them.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, what="The glossaries", schema=_SCHEMA, version=SCHEMA_VERSION, set_up=_with_foreign_keys)

    def create(self, name: str, terms: Mapping[Pair, Sequence[Term]], owner: str = NOBODY) -> GlossaryInfo:
        """A new glossary under a new id (a UUID)."""
        made, now = str(uuid.uuid4()), int(time.time())
        with self._transaction("written"):
            self._connection.execute(
                "INSERT INTO glossary (id, owner, name, created_at, updated_at) VALUES (?, ?, ?, ?, ?)",
                (made, owner, _named(name), now, now),
            )
            for pair, some in terms.items():
                self._put(made, pair, some)
            return self._info(made)

    def list_all(self, owner: str = NOBODY) -> list[GlossaryInfo]:
        """Every glossary that an owner may read, by name."""
        with self._transaction("read"):
            ids = self._connection.execute(_READABLE, (owner, NOBODY))
            return [self._info(found) for (found,) in ids.fetchall()]

    def info(self, named: str, owner: str = NOBODY) -> GlossaryInfo:
        """The glossary of this id, or the only one of this name. Raises InvalidRequest where several are called so."""
        with self._transaction("read"):
            return self._info(self._readable_id_of(named, owner))

    def terms(self, named: str, owner: str = NOBODY) -> dict[Pair, tuple[Term, ...]]:
        """All terms of a glossary, by pair."""
        with self._transaction("read"):
            return self._terms(self._readable_id_of(named, owner))

    def update(
        self,
        named: str,
        *,
        name: str | None = None,
        replaced: Mapping[Pair, Sequence[Term]] | None = None,
        added: Mapping[Pair, Sequence[Term]] | None = None,
        owner: str = NOBODY,
    ) -> GlossaryInfo:
        """Rename a glossary, replace dictionaries whole, and add terms to others, where they win over what was there;
        all of it or nothing.
        """
        with self._transaction("written"):
            known = self._id_of(named, owner)
            if name is not None:
                self._connection.execute("UPDATE glossary SET name = ? WHERE id = ?", (_named(name), known))
            for pair, terms in (replaced or {}).items():
                self._put(known, pair, terms)
            for pair, terms in (added or {}).items():
                self._put(known, pair, _merged(self._terms(known, pair).get(pair, ()), terms))
            self._connection.execute(_CHANGED, (int(time.time()), known))
            return self._info(known)

    def delete_pair(self, named: str, pair: Pair, owner: str = NOBODY) -> None:
        """Take one dictionary out of a glossary. Raises UnknownGlossary where it has none for the pair."""
        with self._transaction("written"):
            known = self._id_of(named, owner)
            deleted = self._connection.execute(
                "DELETE FROM dictionary WHERE glossary = ? AND source = ? AND target = ?",
                (known, pair.source, pair.target),
            ).rowcount
            if not deleted:
                raise no_such_pair(self._info(known), pair)
            self._connection.execute(_CHANGED, (int(time.time()), known))

    def delete(self, named: str, owner: str = NOBODY) -> None:
        """Delete a glossary."""
        with self._transaction("written"):
            self._connection.execute("DELETE FROM glossary WHERE id = ?", (self._id_of(named, owner),))

    def _readable_id_of(self, named: str, owner: str) -> str:
        """The owner's own, else nobody's."""
        try:
            return self._id_of(named, owner)
        except UnknownGlossary:
            if owner == NOBODY:
                raise
            return self._id_of(named, NOBODY)

    def _id_of(self, named: str, owner: str) -> str:
        # No name holds what cannot be printed, and SQLite takes no lone surrogates.
        ids = (self._ids(_BY_ID, owner, named) or self._ids(_BY_NAME, owner, named)) if named.isprintable() else ()
        if not ids:
            raise UnknownGlossary(
                f"There is no glossary {named[:80]!r}. GET /v1/glossaries and `dragoman glossary list` show what there "
                "is.",
                field="glossary",
            )
        if len(ids) > 1:
            raise InvalidRequest(
                f"Several glossaries are called {named[:80]!r}; name one by its id: {', '.join(ids)}.",
                field="glossary",
                accepted=ids,
            )
        return ids[0]

    def _ids(self, query: str, owner: str, named: str) -> tuple[str, ...]:
        return tuple(found for (found,) in self._connection.execute(query, (owner, named)))

    def _info(self, known: str) -> GlossaryInfo:
        owner, name, created, updated, version = self._connection.execute(
            "SELECT owner, name, created_at, updated_at, version FROM glossary WHERE id = ?", (known,)
        ).fetchone()
        rows = self._connection.execute(
            "SELECT source, target, entries FROM dictionary WHERE glossary = ? ORDER BY source, target", (known,)
        )
        dictionaries = tuple(DictionaryInfo(Pair(source, target), entries) for source, target, entries in rows)
        return GlossaryInfo(known, owner, name, created, updated, version, dictionaries)

    def _terms(self, known: str, pair: Pair | None = None) -> dict[Pair, tuple[Term, ...]]:
        where, values = ("AND source = ? AND target = ?", (pair.source, pair.target)) if pair else ("", ())
        rows = self._connection.execute(
            f"SELECT source, target, terms FROM dictionary WHERE glossary = ? {where} ORDER BY source, target",
            (known, *values),
        )
        return {Pair(source, target): _unpacked(terms) for source, target, terms in rows}

    def _put(self, known: str, pair: Pair, terms: Sequence[Term]) -> None:
        if len(terms) > MAX_TERMS:
            raise TooLarge(
                f"One pair may have {MAX_TERMS} terms, not {len(terms)}. Make several glossaries of them.",
                field="entries",
                limit=MAX_TERMS,
            )
        self._connection.execute(_PUT, (known, pair.source, pair.target, len(terms), _packed(terms)))


def _with_foreign_keys(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA foreign_keys = ON")


def no_such_pair(info: GlossaryInfo, pair: Pair) -> UnknownGlossary:
    """The error for a pair that a glossary has no terms for."""
    has = tuple(str(one.pair) for one in info.dictionaries)
    return UnknownGlossary(
        f"The glossary {info.name!r} has no terms for {pair}; it has {', '.join(has) or 'none at all'}.",
        field="glossary",
        accepted=has,
    )


def _named(name: str) -> str:
    name = name.strip()
    if not name or len(name) > MAX_NAME_CHARACTERS or not name.isprintable():
        raise InvalidRequest(
            f"A glossary's name has 1 to {MAX_NAME_CHARACTERS} printable characters.",
            field="name",
            limit=MAX_NAME_CHARACTERS,
        )
    return name


def _merged(before: Sequence[Term], added: Sequence[Term]) -> tuple[Term, ...]:
    by_source = {term.source: term for term in before} | {term.source: term for term in added}
    return tuple(by_source.values())


def _packed(terms: Sequence[Term]) -> bytes:
    return msgspec.msgpack.encode([(term.source, term.target) for term in terms])


def _unpacked(blob: bytes) -> tuple[Term, ...]:
    return tuple(Term(*entry) for entry in msgspec.msgpack.decode(blob, type=list[tuple[str, str]]))

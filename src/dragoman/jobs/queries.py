"""The tables of a job's file, and what is asked of its shards."""

SCHEMA_VERSION = 1

# An ordinary table with a unique index takes new keys about twice as fast as one WITHOUT ROWID. `written` and the three
# after it are rows of the part, `rows` those that were planned.
SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS job (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    spec BLOB NOT NULL,
    fingerprint BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'planned',
    reason TEXT NOT NULL DEFAULT '',
    progress BLOB NOT NULL DEFAULT x''
);
CREATE TABLE IF NOT EXISTS shard (
    number INTEGER PRIMARY KEY,
    plan BLOB NOT NULL,
    rows INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'pending',
    generation INTEGER NOT NULL DEFAULT 0,
    owner TEXT NOT NULL DEFAULT '',
    reason TEXT NOT NULL DEFAULT '',
    part TEXT NOT NULL DEFAULT '',
    sha256 TEXT NOT NULL DEFAULT '',
    bytes INTEGER NOT NULL DEFAULT 0,
    written INTEGER NOT NULL DEFAULT 0,
    ok INTEGER NOT NULL DEFAULT 0,
    passthrough INTEGER NOT NULL DEFAULT 0,
    error INTEGER NOT NULL DEFAULT 0,
    characters INTEGER NOT NULL DEFAULT 0,
    prompt_tokens INTEGER NOT NULL DEFAULT 0,
    cached_tokens INTEGER NOT NULL DEFAULT 0,
    output_tokens INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS shard_by_state ON shard (state);
CREATE TABLE IF NOT EXISTS memo (key BLOB NOT NULL UNIQUE, cell BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS dead (key BLOB NOT NULL UNIQUE, cell BLOB NOT NULL);
PRAGMA user_version = {SCHEMA_VERSION};
COMMIT;
"""

# pending -> leased: for the owner, at most so many.
LEASE = """
UPDATE shard SET state = 'leased', generation = generation + 1, owner = ? WHERE number IN (
    SELECT number FROM shard WHERE state = 'pending' ORDER BY number LIMIT ?)
RETURNING plan, generation
"""

# leased -> pending
GIVE_BACK = "UPDATE shard SET state = 'pending', owner = '' WHERE number = ? AND state = 'leased' AND generation = ?"
RELEASE = "UPDATE shard SET state = 'pending', owner = '' WHERE state = 'leased'"

# leased -> sealed: what calls cost is added up over all times that the shard was worked on.
SEAL = """
UPDATE shard SET state = 'sealed', part = ?, sha256 = ?, bytes = ?, written = ?, ok = ?, passthrough = ?, error = ?,
    characters = characters + ?, prompt_tokens = prompt_tokens + ?, cached_tokens = cached_tokens + ?,
    output_tokens = output_tokens + ?
WHERE number = ? AND state = 'leased' AND generation = ?
"""

# sealed -> done
DONE = "UPDATE shard SET state = 'done', owner = '' WHERE number = ? AND state = 'sealed' AND generation = ?"

# leased -> stuck, with the reason
STICK = """
UPDATE shard SET state = 'stuck', owner = '', reason = ? WHERE number = ? AND state = 'leased' AND generation = ?
"""

_ANEW = """
UPDATE shard SET state = 'pending', owner = '', reason = '', part = '', sha256 = '', bytes = 0, written = 0, ok = 0,
    passthrough = 0, error = 0
"""

# sealed or done -> pending
REOPEN = f"{_ANEW} WHERE number = ? AND state IN ('sealed', 'done') AND generation = ?"

# done with errors, or stuck -> pending; and how many rows that concerns
_FAILED = "(state = 'done' AND error > 0 OR state = 'stuck')"
REOPEN_FAILED = f"{_ANEW} WHERE {_FAILED}"
FAILED_ROWS = f"SELECT coalesce(sum(iif(state = 'stuck', rows, error)), 0) FROM shard WHERE {_FAILED}"

UNFINISHED = "SELECT plan, state, reason FROM shard WHERE state <> 'done' ORDER BY number"

# How often each error was the answer to a text, the most frequent first.
FAILURES = "SELECT cell, count(*) FROM dead GROUP BY cell ORDER BY count(*) DESC"

PARTS = """
SELECT bytes, number, generation, part, sha256, written, ok, passthrough, error, characters, prompt_tokens,
    cached_tokens, output_tokens
FROM shard WHERE state = ? ORDER BY number
"""

TOTALS = """
SELECT state, count(*), sum(written), sum(ok), sum(passthrough), sum(error), sum(characters), sum(prompt_tokens),
    sum(cached_tokens), sum(output_tokens)
FROM shard GROUP BY state
"""

# The answers, as one step and one row however many there are: each step gives up the interpreter, and waits to get it
# back from a busy loop (which made reading beside one 39 times slower).
ADD = """
INSERT INTO {table} (key, cell) SELECT column1, column2 FROM (VALUES {marks})
WHERE column1 NOT IN (SELECT key FROM {other}) ON CONFLICT DO NOTHING
"""

FOUND = """
SELECT group_concat(hex(key) || ' ' || hex(cell), ' ') FROM (
    SELECT key, cell FROM memo WHERE key IN ({marks}) UNION ALL SELECT key, cell FROM dead WHERE key IN ({marks}))
"""

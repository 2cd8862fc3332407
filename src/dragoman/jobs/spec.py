"""What a job is, as values: what is asked for, its shards, and what each of them came to. No I/O."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from dragoman.types import Tokens, TranslateRequest

TableFamily = Literal["parquet", "csv", "jsonl"]
CellStatus = Literal["ok", "passthrough", "error"]
JobState = Literal["planned", "running", "paused", "done", "failed", "cancelled"]
ShardState = Literal["pending", "leased", "sealed", "done", "stuck"]

SHARD_ROWS = 2_000
"""Rows of one shard: few enough to hold several in memory, enough that files and receipts do not count."""


class InputFile(Struct, frozen=True):
    """An input as it was when the job was planned. `path` is absolute, `size` in bytes."""

    path: str
    size: int
    mtime_ns: int
    rows: int


class CSVDialect(Struct, frozen=True):
    """How a CSV file is written; `encoding` is a Python codec. Its first line names the columns."""

    delimiter: str = ","
    encoding: str = "utf-8"


class JobSpec(Struct, frozen=True, kw_only=True):
    """All that decides what a job's output is, except the engine. Fixed when the job is planned.

    `columns` are the paths of the texts (`title`, `description.short`). `request` is what is asked for each of them:
    targets, source, format and wishes, without texts; its glossaries are named in `glossaries` and not held in it.
    `name` makes the output column of a text and target. `rows` is how many rows all inputs have, no more than `limit`.
    """

    inputs: tuple[InputFile, ...]
    family: TableFamily
    columns: tuple[str, ...]
    request: TranslateRequest
    glossaries: tuple[str, ...] = ()
    name: str = "{column}_{target}"
    csv: CSVDialect = CSVDialect()
    shard_rows: int = SHARD_ROWS
    limit: int | None = None
    rows: int

    @property
    def targets(self) -> tuple[str, ...]:
        """The languages translated into."""
        return self.request.targets

    def output_column(self, column: str, target: str) -> str:
        """The output column for a text; its status, findings and so on have names that begin with it."""
        return self.name.format(column=column, target=target)


class Fingerprint(Struct, frozen=True, kw_only=True):
    """Who translates: with another one the same texts would come out otherwise.

    `prompts` is the version of our prompts, cleaning and checks, `glossaries` a digest of each one's terms by name.
    """

    engine: str
    model: str
    revision: str | None
    style: str | None
    prompts: str
    glossaries: dict[str, str] = {}


class Shard(Struct, frozen=True, kw_only=True):
    """A fixed range of rows, planned once and stored.

    `file` is the index of its input, `start` the number of its first row in that file, `first` its number in the whole
    job. CSV and JSON Lines are read by the bytes from `offset` to `end`. `generation` goes up each time the shard is
    handed out: what an earlier holder of it brings is not taken.
    """

    number: int
    file: int
    start: int
    first: int
    rows: int
    offset: int = 0
    end: int = 0
    generation: int = 0


class Cell(Struct, frozen=True, array_like=True):
    """What one text in one target language came to.

    `text` is None for an error and for a text that is not there. `findings` are sentences for people, each beginning
    with its kind; for an error the one that says why. `source` is the language it was translated from, where known.
    """

    status: CellStatus
    text: str | None = None
    findings: tuple[str, ...] = ()
    confidence: float | None = None
    source: str | None = None


class Counts(Struct, frozen=True, kw_only=True):
    """How many rows came to what: a row with an `error` in any cell is one, else one that has an `ok` cell is ok."""

    rows: int = 0
    ok: int = 0
    passthrough: int = 0
    error: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            rows=self.rows + other.rows,
            ok=self.ok + other.ok,
            passthrough=self.passthrough + other.passthrough,
            error=self.error + other.error,
        )


class Receipt(Struct, frozen=True, kw_only=True):
    """A shard that is written: its part stands, complete and synced, under the temporary name `part` in the job's
    folder, and `sha256` is that of its bytes. `characters` and `tokens` are those of calls made for it.
    """

    shard: int
    generation: int
    part: str
    sha256: str
    counts: Counts
    characters: int = 0
    tokens: Tokens = Tokens()

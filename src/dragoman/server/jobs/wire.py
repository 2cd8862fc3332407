"""What goes over the wire for jobs: how one is asked for, and how one is shown."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from dragoman.errors import InvalidRequest
from dragoman.jobs.progress import Progress
from dragoman.jobs.spec import JobState
from dragoman.server.jobs.index_file import Row
from dragoman.server.parameters import Parameters
from dragoman.server.schemas import NativeRequest, TextFormat
from dragoman.types import Format, Glossary, Split, Tokens, TranslateRequest

Columns = Annotated[list[Annotated[str, Meta(min_length=1)]], Meta(min_length=1, max_length=100)]
Targets = Annotated[list[str], Meta(min_length=1, max_length=100)]
Name = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=200,
        pattern=r"^([^{}]|\{column\}|\{target\})+$",
        description="names the output column of a text and target; may hold `{column}` and `{target}`",
    ),
]
OUTPUT_NAME = "{column}_{target}"

_TEXTS, _LISTS, _FLAGS, _NUMBERS = (
    ("source", "format", "formality", "context", "split", "name", "webhook"),
    ("columns", "target", "glossary", "keep", "protect"),
    ("strict", "confidence"),
    ("limit", "max_errors"),
)
FIELDS = (*_TEXTS, *_LISTS, *_FLAGS, *_NUMBERS)


class _Asked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    columns: Annotated[Columns, Meta(description="the columns to translate; nested ones by path, as `title.short`")]
    target: Targets
    source: Annotated[
        str | None, Meta(description="language code; `auto` or left out, it is detected for each text")
    ] = None
    format: TextFormat = "text"
    glossary: Annotated[list[str], Meta(description="names or ids of stored glossaries, the strongest first")] = []
    formality: Literal["more", "less", "prefer_more", "prefer_less"] | None = None
    context: Annotated[str, Meta(max_length=4000)] = ""
    keep: Annotated[tuple[str, ...], Meta(description="words that are not translated")] = ()
    protect: Annotated[tuple[str, ...], Meta(description="regular expressions (RE2) for what comes back as it is")] = ()
    split: Split = "sentences"
    strict: Annotated[bool, Meta(description="a text that would keep a fault is an error")] = False
    confidence: Annotated[bool, Meta(description="add a column that says how sure the engine was")] = False
    name: Name = OUTPUT_NAME
    limit: Annotated[Annotated[int, Meta(ge=1)] | None, Meta(description="translate the first rows only")] = None
    max_errors: Annotated[
        Annotated[int, Meta(ge=0)] | None, Meta(description="pause when more texts than that have failed")
    ] = None
    webhook: Annotated[
        Annotated[str, Meta(max_length=2000)] | None,
        Meta(description="address that is called when the job ends, at a host that the operator allowed"),
    ] = None


class JobFromPath(_Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A job over a table that is on the server already."""

    path: Annotated[str, Meta(min_length=1, max_length=4000, description="in the folder that the operator opened")]


class JobFromUpload(_Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A form, `multipart/form-data`, with the table as `file`; lists are repeated fields."""

    file: Annotated[
        str,
        Meta(
            description="a table: .csv, .tsv, .jsonl, .ndjson, .parquet or .pq",
            extra_json_schema={"format": "binary"},
        ),
    ]


class AcceptedJob(Struct, frozen=True, kw_only=True):
    """A job that waits for its turn. Its webhook is signed with `webhook_secret`, which is told here alone."""

    id: str
    webhook_secret: str | UnsetType = UNSET


class ShownJob(Struct, frozen=True, kw_only=True):
    """A job. `rows` are those of its table, `done` those that are written, each of which is `ok`, `passthrough` (there
    was nothing to translate in it) or `error`. A cell is one text in one target language; `cells` of `cells_total` are
    known, and `remembered`, 0 to 1, is the share of them that cost no call. `reason` says why it is paused or failed.
    """

    id: str
    filename: str
    state: JobState
    reason: str
    rows: int
    done: int
    ok: int
    passthrough: int
    error: int
    cells: int
    cells_total: int
    tokens: Tokens
    remembered: float | None
    rate_rows_per_s: float | None
    seconds_remaining: int | UnsetType = UNSET
    created_at: datetime
    finished_at: datetime | UnsetType = UNSET
    columns: tuple[str, ...]
    targets: tuple[str, ...]


class ShownJobs(Struct, frozen=True):
    """The jobs of a key, the newest first."""

    jobs: Sequence[ShownJob]


class JobEvent(Struct, frozen=True):
    """What a webhook brings, in the shape of the Standard Webhooks specification; `type` is `job.` and the state."""

    type: str
    timestamp: datetime
    data: ShownJob


def request_of(asked: JobFromPath | JobFromUpload, glossaries: Sequence[Glossary]) -> TranslateRequest:
    """What is asked for each text."""
    format_: Format = asked.format
    return NativeRequest(
        text="",
        target=asked.target,
        source=asked.source,
        format=format_,
        split=asked.split,
        protect=asked.protect,
        keep=asked.keep,
        formality=asked.formality,
        context=asked.context,
        strict=asked.strict,
        confidence=asked.confidence,
    ).wanted(None, glossaries)


def form_as_json(form: Parameters) -> bytes:
    """A form as the JSON that `JobFromUpload` is read from, so that both ways refuse with the same words."""
    for name in form:
        if name not in FIELDS:
            known = ", ".join(("file", *FIELDS))
            raise InvalidRequest(f"Unknown field '{name[:80]}'; known are: {known}.", field=name[:80])
    fields: dict[str, object] = {name: form.text(name) for name in _TEXTS}
    fields |= {name: form.texts(name) or None for name in _LISTS}
    fields |= {name: form.flag(name) for name in _FLAGS}
    fields |= {name: _number(form, name) for name in _NUMBERS}
    return msgspec.json.encode({"file": "", **{name: value for name, value in fields.items() if value is not None}})


def shown(row: Row, progress: Progress | None) -> ShownJob:
    """A job as it is shown; `progress` None where no work on it has begun."""
    plan = row.plan
    width = len(plan.columns) * len(plan.targets)
    known = progress or Progress(state="planned", rows=0, rows_total=plan.rows, cells=0, cells_total=plan.rows * width)
    runs = row.state == "running"
    left = known.seconds_remaining if runs else None
    return ShownJob(
        id=row.id,
        filename=plan.filename,
        state=row.state,
        reason=row.reason or (known.reason if runs else ""),
        rows=plan.rows,
        done=known.rows,
        ok=known.ok,
        passthrough=known.passthrough,
        error=known.error,
        cells=known.cells,
        cells_total=known.cells_total,
        tokens=known.tokens,
        remembered=None if known.hit_rate is None else round(known.hit_rate, 4),
        rate_rows_per_s=round(known.rate / width, 2) if runs and known.rate else None,
        seconds_remaining=UNSET if left is None else left,
        created_at=_moment(row.created_at),
        finished_at=UNSET if row.finished_at is None else _moment(row.finished_at),
        columns=plan.columns,
        targets=plan.targets,
    )


def _number(form: Parameters, name: str) -> int | None:
    text = form.text(name)
    try:
        return None if text is None else int(text)
    except ValueError:
        raise InvalidRequest(f"'{name}' has to be a whole number.", field=name) from None


def _moment(time_s: float) -> datetime:
    return datetime.fromtimestamp(time_s, UTC)

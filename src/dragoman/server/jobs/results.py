"""The output of a job as one file, read and sent piece by piece; loaded with the first job, for it reads tables."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from dragoman.errors import JobNotReady, LedgerError
from dragoman.jobs.job_file import FILE_NAME, JobFile
from dragoman.jobs.spec import JobSpec
from dragoman.jobs.tables.export import ExportFamily, rows_as
from dragoman.server.disconnect import ClientLeft, until_client_leaves
from dragoman.server.document_routes import as_attachment
from dragoman.server.jobs.index_file import Row

MEDIA_TYPES: dict[ExportFamily, str] = {
    "csv": "text/csv",
    "jsonl": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
    "tmx": "application/x-tmx+xml",
}
ROWS_HEADER = "X-Job-Rows"


class Result(NamedTuple):
    """The bytes of a file to come, the first of them, and how many rows it has."""

    pieces: Iterator[bytes]
    first: bytes
    family: ExportFamily
    rows: int


async def result_of(row: Row, folder: Path, family: ExportFamily | None, *, partial: bool) -> Result:
    """The output of a job, in the family of its input where none is named.

    Raises JobNotReady where the job is not done, unless `partial` rows would do, and LedgerError.
    """
    if row.state != "done" and not partial:
        raise JobNotReady(
            f"The job is {row.state}. Wait until it is done, or ask for what there is with partial=true.", field="id"
        )
    return await asyncio.to_thread(_opened, folder, family)


class Streamed(Response):
    """A result on its way. A reader who is slow is waited for; an answer that cannot be ended is broken off."""

    def __init__(self, result: Result, row: Row) -> None:
        pieces, first, family, rows = result
        is_partial = rows < row.plan.rows
        headers = {
            **as_attachment(_filename(row, family, is_partial=is_partial)),
            ROWS_HEADER: f"{rows}/{row.plan.rows}",
        }
        super().__init__(None, 200, headers, MEDIA_TYPES[family])
        del self.headers["content-length"]
        self._pieces = pieces
        self._first = first

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        try:
            await until_client_leaves(self._send(send), receive)
        except ClientLeft:
            return

    async def _send(self, send: Send) -> None:
        piece: bytes | None = self._first
        while piece is not None:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            piece = await asyncio.to_thread(next, self._pieces, None)
        await send({"type": "http.response.body", "body": b""})


def _opened(folder: Path, family: ExportFamily | None) -> Result:
    with closing(JobFile(folder / FILE_NAME)) as file:
        spec: JobSpec = file.planned().spec
        receipts = [part.receipt for part in file.parts("done")]
    paths = [folder / f"part-{receipt.shard:06d}.parquet" for receipt in receipts]
    chosen = family or spec.family
    pieces = rows_as(chosen, spec, paths)
    try:
        first = next(pieces, b"")
    except OSError as error:
        raise LedgerError(f"The job's output cannot be read: {error.strerror}.") from error
    return Result(pieces, first, chosen, sum(receipt.counts.rows for receipt in receipts))


def _filename(row: Row, family: ExportFamily, *, is_partial: bool) -> str:
    stem = row.plan.filename.rpartition(".")[0] or row.plan.filename
    marks = [*row.plan.targets[:3], *(["partial"] if is_partial else [])]
    return ".".join([stem, *marks, family])

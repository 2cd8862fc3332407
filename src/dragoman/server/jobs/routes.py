"""The routes of jobs, `/v1/jobs`: what each does, and its documentation."""

from __future__ import annotations

import asyncio
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal, get_args

import msgspec
from msgspec import UNSET
from starlette.requests import Request
from starlette.responses import Response

from dragoman.errors import InvalidRequest, UnreadableTable
from dragoman.server.body import JsonBody, check_coding, media_type_of
from dragoman.server.documents import base_name
from dragoman.server.endpoint import Endpoint, json_answer, native_failure
from dragoman.server.gate import Caller, native_key
from dragoman.server.jobs.events import JobEvents
from dragoman.server.jobs.jobs import Jobs, Table
from dragoman.server.jobs.running import load_tables
from dragoman.server.jobs.upload import FORM_BYTES, declared_bytes, receive
from dragoman.server.jobs.wire import AcceptedJob, JobFromPath, JobFromUpload, ShownJob, ShownJobs, form_as_json
from dragoman.server.openapi import EVENTS, Json, Operation
from dragoman.server.parameters import MULTIPART
from dragoman.server.service import Service

PATH = "/v1/jobs"
MAX_KEY_CHARACTERS = 255

Family = Literal["csv", "jsonl", "parquet", "tmx"]
FAMILIES: tuple[Family, ...] = get_args(Family)
MEDIA_TYPES = ("text/csv", "application/x-ndjson", "application/vnd.apache.parquet", "application/x-tmx+xml")
NOT_INSTALLED = 501

_KEY_HEADER: Json = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "any text; the same request with the same key gives the same job",
    "schema": {"type": "string", "minLength": 1, "maxLength": MAX_KEY_CHARACTERS, "pattern": "^[!-~]+$"},
}
_RESULT_QUERY: tuple[Json, ...] = (
    {
        "name": "format",
        "in": "query",
        "description": "left out, that of the input",
        "schema": {"type": "string", "enum": FAMILIES},
    },
    {
        "name": "partial",
        "in": "query",
        "description": "true: what there is of a job that is not done",
        "schema": {"type": "string", "enum": ("true", "false")},
    },
)


class JobHandlers:
    """The handlers of `/v1/jobs`. Each key has jobs of its own, and sees no others."""

    def __init__(self, service: Service, jobs: Jobs) -> None:
        self._service = service
        self._jobs = jobs
        self._from_path = JsonBody(JobFromPath, service.settings.max_body_bytes)
        self._from_upload = JsonBody(JobFromUpload, FORM_BYTES)

    async def create(self, request: Request) -> Response:
        """`POST /v1/jobs`"""
        caller = await self._caller(request)
        key = _idempotency_key(request)
        check_coding(request)
        async with self._jobs.incoming() as (job_id, folder):
            is_upload = media_type_of(request) == MULTIPART
            asked, table = await (self._uploaded(request, folder) if is_upload else self._named(request))
            row, is_new = await self._jobs.submit(job_id, asked, table, caller, key)
        secret = UNSET if row.plan.secret is None else row.plan.secret
        answer = AcceptedJob(id=row.id, webhook_secret=secret)
        return json_answer(answer, {"Location": f"{PATH}/{row.id}"}, 202 if is_new else 200)

    async def list_all(self, request: Request) -> Response:
        """`GET /v1/jobs`"""
        return json_answer(ShownJobs(await self._jobs.list_all(await self._caller(request))))

    async def show(self, request: Request) -> Response:
        """`GET /v1/jobs/{id}`"""
        return json_answer(await self._jobs.show(_id(request), await self._caller(request)))

    async def cancel(self, request: Request) -> Response:
        """`POST /v1/jobs/{id}/cancel`"""
        return json_answer(await self._jobs.cancel(_id(request), await self._caller(request)))

    async def resume(self, request: Request) -> Response:
        """`POST /v1/jobs/{id}/resume`"""
        return json_answer(await self._jobs.resume(_id(request), await self._caller(request)))

    async def retry_failed(self, request: Request) -> Response:
        """`POST /v1/jobs/{id}/retry-failed`"""
        return json_answer(await self._jobs.retry_failed(_id(request), await self._caller(request)))

    async def delete(self, request: Request) -> Response:
        """`DELETE /v1/jobs/{id}`"""
        await self._jobs.delete(_id(request), await self._caller(request))
        return Response(status_code=204)

    async def events(self, request: Request) -> Response:
        """`GET /v1/jobs/{id}/events`"""
        caller = await self._caller(request)
        return JobEvents(self._jobs, await self._jobs.show(_id(request), caller), caller)

    async def result(self, request: Request) -> Response:
        """`GET /v1/jobs/{id}/result`"""
        row = await self._jobs.find(_id(request), await self._caller(request))
        family = _one_of(request, "format", FAMILIES)
        partial = _one_of(request, "partial", ("true", "false")) == "true"
        await load_tables()
        from dragoman.server.jobs.results import Streamed, result_of

        return Streamed(await result_of(row, self._jobs.work_folder(row), family, partial=partial), row)

    async def _uploaded(self, request: Request, folder: Path) -> tuple[JobFromPath | JobFromUpload, Table]:
        await self._jobs.make_room(declared_bytes(request, self._jobs.max_bytes))
        path = folder / "input"
        received = await receive(request, path, self._jobs.max_bytes)
        asked = self._from_upload.decode(form_as_json(received.form))
        filename = base_name(received.filename)
        named = path.with_suffix(_suffix_of(filename))
        await asyncio.to_thread(path.rename, named)
        return asked, Table(named, filename, _digest(asked, received.digest))

    async def _named(self, request: Request) -> tuple[JobFromPath | JobFromUpload, Table]:
        asked = await self._from_path.read(request)
        path = await self._jobs.input_file(asked.path)
        await self._jobs.make_room(0)
        return asked, Table(path, base_name(asked.path), _digest(asked, b""))

    async def _caller(self, request: Request) -> Caller:
        return await self._service.gate.admit(native_key(request), "jobs")


def job_operations(service: Service, jobs: Jobs) -> list[Operation]:
    """The routes, for the table of the app."""
    handlers = JobHandlers(service, jobs)
    return [
        Operation(
            method="POST",
            path=PATH,
            endpoint=Endpoint(handlers.create, native_failure),
            scope="jobs",
            summary="Translate the columns of a table",
            description="The table comes in a form, or is named by its path in a folder that the operator opened. It "
            "is looked over and planned, then translated in the background, while people who wait go first. Every row "
            "comes back in its place. Sent again with the same `Idempotency-Key` it answers 200 with the same job.",
            request=JobFromPath,
            form=JobFromUpload,
            example={"path": "products.csv", "columns": ["title"], "source": "en", "target": ["de", "fr"]},
            answer=AcceptedJob,
            status=202,
            also_status=200,
            parameters=(_KEY_HEADER,),
            failures=(400, 404, 413, 415, 422, 429, NOT_INSTALLED, 502, 503, 507),
        ),
        Operation(
            method="GET",
            path=PATH,
            endpoint=Endpoint(handlers.list_all, native_failure),
            scope="jobs",
            summary="List the jobs",
            description="Those of this key, the newest first; no more than a thousand.",
            answer=ShownJobs,
            failures=(507,),
        ),
        Operation(
            method="GET",
            path=f"{PATH}/{{id}}",
            endpoint=Endpoint(handlers.show, native_failure),
            scope="jobs",
            summary="Ask how far a job is",
            description="`seconds_remaining` is there while it runs and something is known.",
            answer=ShownJob,
            failures=(404, 507),
        ),
        Operation(
            method="DELETE",
            path=f"{PATH}/{{id}}",
            endpoint=Endpoint(handlers.delete, native_failure),
            scope="jobs",
            summary="Delete a job",
            description="With its table and its result. If it is being worked on, that ends.",
            answer=None,
            status=204,
            failures=(404,),
        ),
        Operation(
            method="GET",
            path=f"{PATH}/{{id}}/events",
            endpoint=Endpoint(handlers.events, native_failure),
            scope="jobs",
            summary="Follow a job",
            description="Server-sent events: `progress` with the job when it has changed, about every second, and "
            "`end` with it when it is over. Leaving ends nothing but the stream.",
            answer=None,
            also=(EVENTS,),
            failures=(404, 507),
        ),
        Operation(
            method="GET",
            path=f"{PATH}/{{id}}/result",
            endpoint=Endpoint(handlers.result, native_failure),
            scope="jobs",
            summary="Fetch the translated table",
            description="409 until the job is done. With `partial` it has the rows that are written, as the header "
            "`X-Job-Rows: WRITTEN/ALL` and the file's name say. TMX has each text with its translation once.",
            answer=None,
            also=MEDIA_TYPES,
            parameters=_RESULT_QUERY,
            failures=(400, 404, 409, NOT_INSTALLED, 507),
        ),
        _change("cancel", handlers.cancel, "Cancel a job", "What is done stays, and it can be resumed."),
        _change(
            "resume",
            handlers.resume,
            "Go on with a job",
            "One that is paused, failed or cancelled. What was done is not done again.",
        ),
        _change(
            "retry-failed",
            handlers.retry_failed,
            "Try again what failed",
            "The rows of a job that came to an error, and parts of its table that could not be read.",
        ),
    ]


def _change(word: str, handler: Any, summary: str, description: str) -> Operation:  # noqa: ANN401
    return Operation(
        method="POST",
        path=f"{PATH}/{{id}}/{word}",
        endpoint=Endpoint(handler, native_failure),
        scope="jobs",
        summary=summary,
        description=description,
        answer=ShownJob,
        failures=(404, 409, 507),
    )


def _id(request: Request) -> str:
    return str(request.path_params["id"])


def _idempotency_key(request: Request) -> str | None:
    key = request.headers.get("idempotency-key")
    if key is not None and not (0 < len(key) <= MAX_KEY_CHARACTERS and key.isascii() and key.isprintable()):
        raise InvalidRequest(
            f"An Idempotency-Key has 1 to {MAX_KEY_CHARACTERS} printable ASCII characters.", field="Idempotency-Key"
        )
    return key


def _one_of(request: Request, name: str, accepted: tuple[Any, ...]) -> Any:  # noqa: ANN401 - one of the accepted
    value = request.query_params.get(name)
    if value is not None and value not in accepted:
        raise InvalidRequest(f"'{name}' must be one of: {', '.join(accepted)}.", field=name, accepted=accepted)
    return value


def _suffix_of(filename: str) -> str:
    """What a table's name ends in, if a table can be told by it. Raises UnreadableTable."""
    from dragoman.jobs.tables.planning import FAMILIES as SUFFIXES

    suffix = Path(filename).suffix.lower()
    if suffix not in SUFFIXES:
        raise UnreadableTable(
            f"{filename or 'The file'} is no table that can be told by its name. Its name has to end in "
            f"{', '.join(SUFFIXES)}.",
            field="file",
            accepted=tuple(SUFFIXES),
        )
    return suffix


def _digest(asked: JobFromPath | JobFromUpload, file: bytes) -> bytes:
    return blake2b(msgspec.json.encode(asked) + file, digest_size=16).digest()

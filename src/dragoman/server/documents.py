"""Documents that callers uploaded: translated in the background, and kept until they are fetched or too old.

For a dialect this is all there is to it:

    receipt = await service.documents.submit(file.data, file.filename, wanted, caller)  # validated, charged, queued
    status = await service.documents.status(receipt.id, caller, key=receipt.key)  # as often as one likes
    result = await service.documents.take(receipt.id, caller, key=receipt.key)  # once; `result` keeps it
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import math
import secrets
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

import msgspec
from msgspec import Struct

from dragoman.documents.base import Document
from dragoman.documents.families import family_of
from dragoman.documents.translation import characters_of, request_for, translate_document
from dragoman.errors import (
    ConfigurationError,
    DocumentNotReady,
    DocumentTaken,
    DragomanError,
    Overloaded,
    TooLarge,
    UnknownDocument,
)
from dragoman.server.documents_file import FILE_NAME, TRY_AGAIN_S, DocumentsFile, DocumentState, Row, this_process
from dragoman.server.gate import Caller, Gate
from dragoman.settings import Settings, data_path
from dragoman.types import TranslateRequest

if TYPE_CHECKING:
    from dragoman.core.translator import Translator

__all__ = ["DocumentState", "DocumentStatus", "Documents", "Receipt", "Result"]

log = logging.getLogger(__name__)

AT_ONCE = 4
"""Documents that one process translates at a time; the others are queued."""
MAX_WAITING = 100
"""Documents that one process holds in memory at a time."""
LONGEST_NAME = 200
TELL_EVERY_S = 0.5
FORGET_EVERY_S = 60.0

_FAILED = "The server failed while it translated the document."

R = TypeVar("R")


class Receipt(Struct, frozen=True):
    """What a caller gets for a document: `id` has 32 hexadecimal digits and `key` 64; neither can be guessed."""

    id: str
    key: str


class DocumentStatus(Struct, frozen=True, kw_only=True):
    """How far a document is.

    `characters` are those charged. `seconds_remaining` is an estimate, None where nothing can be said yet. `passages`
    is how many stretches of text it has and `failed` how many of them stand untranslated; `findings` counts the
    passages in which something of a kind was found. `message` says what went wrong, for the state "error" only.
    """

    id: str
    filename: str
    state: DocumentState
    characters: int
    passages: int
    failed: int = 0
    findings: dict[str, int] = {}
    seconds_remaining: int | None = None
    message: str | None = None


class Result(Struct, frozen=True):
    """A translated document; `filename` is the one it came with."""

    data: bytes
    filename: str
    media_type: str


class Documents:
    """The documents of all callers. An async context manager: leaving it ends what is being translated.

    The processes of one server share them through a file in the data directory, so any of them can be asked. What was
    done when a server stopped is there when it starts again; what was not is then in the state "error".

    Who may see a document: its owner, as `caller.key_id` says (`caller` None: whoever knows the id), and where `key`
    is given, only with the key of its receipt. To anyone else it is unknown.

    Mutable state: `_file`, opened when it is first needed, and `_tasks`, the work on documents of this process by id.
    """

    def __init__(self, translator: Translator, gate: Gate, settings: Settings) -> None:
        self.max_bytes = settings.max_document_bytes
        self._translator = translator
        self._gate = gate
        self._path = data_path(settings) / FILE_NAME
        self._max_disk_bytes = settings.documents_disk_bytes
        self._max_age_s = settings.documents_max_age_hours * 3600
        self._process = this_process()
        self._file: DocumentsFile | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="documents")
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def __aenter__(self) -> Self:
        self._forgetting = asyncio.create_task(self._forget_what_is_old(), name="forget old documents")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        tasks = [self._forgetting, *self._tasks.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._file is not None:
            await self._run(lambda file: file.leave(self._process))
            await self._run(DocumentsFile.close)
        self._thread.shutdown()

    async def submit(
        self, data: bytes, filename: str, wanted: TranslateRequest, caller: Caller, *, family: str | None = None
    ) -> Receipt:
        """Take a document in, charge the caller for its characters and queue it.

        `wanted` says everything but the texts: exactly one target; `texts`, `format` and `lane` of it are not looked
        at, and its `timeout_s` is that of a lot of passages. The file's family is told from its name, or from `family`
        (such as "srt"), or else from what it holds. Everything is validated here. Raises InvalidRequest (also
        UnknownLanguage, UnsupportedPair, TooLarge), what the gate refuses, and Overloaded where no more documents fit.
        """
        if len(data) > self.max_bytes:
            raise TooLarge(
                f"The document has {len(data)} bytes; at most {self.max_bytes} are taken.",
                field="file",
                limit=self.max_bytes,
            )
        if len(self._tasks) >= MAX_WAITING:
            raise Overloaded("Too many documents are waiting; try again later.", retry_after_s=TRY_AGAIN_S)
        kind = family_of(filename, data, family)
        document, request = await asyncio.to_thread(self._read, kind.read, data, wanted)
        receipt = Receipt(secrets.token_hex(16), secrets.token_hex(32))
        row = Row(
            id=receipt.id,
            key_digest=_digest(receipt.key),
            owner=caller.key_id,
            filename=base_name(filename) or f"document.{kind.name}",
            media_type=kind.media_type,
            process=self._process,
            characters=characters_of(document),
            passages=len(document.passages),
            bytes=len(data),
            created_at=time.time(),
        )
        await self._keep(row, caller)
        task = asyncio.create_task(self._translate(row, document, request), name=f"document {row.id}")
        self._tasks[row.id] = task
        task.add_done_callback(lambda done: self._ended(row.id, done))
        return receipt

    async def status(self, document_id: str, caller: Caller | None = None, *, key: str | None = None) -> DocumentStatus:
        """How far it is. Raises UnknownDocument."""
        return _status_of(await self._find(document_id, caller, key))

    async def finished(self, document_id: str) -> DocumentStatus:
        """Its status once it is "done" or "error", for dialects whose clients wait, in the process that took it.

        Raises UnknownDocument.
        """
        if document_id in self._tasks:
            await asyncio.wait([self._tasks[document_id]])
        return await self.status(document_id)

    async def result(self, document_id: str, caller: Caller | None = None, *, key: str | None = None) -> Result:
        """The translated file, which stays. Raises UnknownDocument, DocumentNotReady or DocumentTaken."""
        return await self._result(document_id, caller, key, keep=True)

    async def take(self, document_id: str, caller: Caller | None = None, *, key: str | None = None) -> Result:
        """The translated file, for the last time: its bytes are deleted. Raises as `result` does."""
        return await self._result(document_id, caller, key, keep=False)

    async def delete(self, document_id: str, caller: Caller | None = None, *, key: str | None = None) -> None:
        """Delete it; if it is being translated, that ends. Raises UnknownDocument."""
        row = await self._find(document_id, caller, key)
        if row.id in self._tasks:
            self._tasks[row.id].cancel()
        await self._run(lambda file: file.delete(row.id))

    def _read(
        self, read: Callable[[bytes], Document], data: bytes, wanted: TranslateRequest
    ) -> tuple[Document, TranslateRequest]:
        document = read(data)
        return document, request_for(document, wanted, self._translator.info)

    async def _keep(self, row: Row, caller: Caller) -> None:
        """Keep a new document and charge for it, or neither."""
        await self._run(lambda file: file.add(row))
        try:
            await self._gate.charge(caller, row.characters)
        except BaseException:
            await self._run(lambda file: file.delete(row.id))
            raise

    async def _translate(self, row: Row, document: Document, request: TranslateRequest) -> None:
        """The work on one document, from the queue to its result or the reason why there is none."""
        try:
            async with self._turn:
                progress = _Progress(self, row.id)
                await progress.tell()
                translated = await translate_document(document, self._translator, request, progress)
            await self._run(lambda file: file.finish(row.id, translated))
        except _Deleted:
            return
        except DragomanError as error:
            message = _FAILED if isinstance(error, ConfigurationError) else error.message
            await self._run(lambda file: file.fail(row.id, message))
            if message is _FAILED:
                raise
        except Exception:
            await self._run(lambda file: file.fail(row.id, _FAILED))
            raise

    def _ended(self, document_id: str, task: asyncio.Task[None]) -> None:
        """Log what only concerns the operator. Of an unexpected error not its words: they may hold text."""
        del self._tasks[document_id]
        error = None if task.cancelled() else task.exception()
        if isinstance(error, ConfigurationError):
            log.error("Document %s failed: %s", document_id, error.message)
        elif error is not None:
            frames = "".join(traceback.format_tb(error.__traceback__))
            log.error("Document %s failed. This is a bug: %s at\n%s", document_id, type(error).__name__, frames)

    async def _find(self, document_id: str, caller: Caller | None, key: str | None) -> Row:
        row = await self._run(lambda file: file.find(document_id))
        if (
            row is None
            or (caller is not None and caller.key_id != row.owner)
            or (key is not None and not hmac.compare_digest(_digest(key), row.key_digest))
        ):
            raise UnknownDocument("There is no such document, or no longer.", field="id")
        return row

    async def _result(self, document_id: str, caller: Caller | None, key: str | None, *, keep: bool) -> Result:
        row = await self._find(document_id, caller, key)
        if row.state == "error":
            raise DocumentNotReady(f"The document was not translated: {row.message}", field="id")
        if row.state != "done":
            raise DocumentNotReady("The document is still being translated; ask for its status again.", field="id")
        data = await self._run(lambda file: file.result(row.id, keep=keep))
        if data is None:
            raise DocumentTaken("The document was fetched already; send it again to have it once more.", field="id")
        return Result(data, row.filename, row.media_type)

    async def _forget_what_is_old(self) -> None:
        while True:
            await asyncio.sleep(FORGET_EVERY_S)
            try:
                await self._run(DocumentsFile.forget)
            except ConfigurationError as error:  # a full disk may have room again in a minute
                log.error("%s", error.message)

    async def _run(self, work: Callable[[DocumentsFile], R]) -> R:
        def in_thread() -> R:
            if self._file is None:
                self._file = DocumentsFile(self._path, max_bytes=self._max_disk_bytes, max_age_s=self._max_age_s)
            return work(self._file)

        return await asyncio.get_running_loop().run_in_executor(self._thread, in_thread)


class _Deleted(Exception):
    """The document was deleted, perhaps through another process, while it was being translated."""


class _Progress:
    """Notes the characters that are done, now and then. Raises _Deleted."""

    def __init__(self, documents: Documents, document_id: str) -> None:
        self._documents = documents
        self._id = document_id
        self._done = 0
        self._told_at = 0.0

    async def __call__(self, characters: int) -> None:
        self._done += characters
        if time.monotonic() - self._told_at > TELL_EVERY_S:
            await self.tell()

    async def tell(self) -> None:
        self._told_at = time.monotonic()
        if not await self._documents._run(lambda file: file.progress(self._id, self._done)):
            raise _Deleted


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode(errors="replace")).digest()


def base_name(filename: str) -> str:
    """The last part of a name, whatever the client's system puts before it, without what breaks a header."""
    name = filename.replace("\\", "/").rpartition("/")[2]
    return "".join(letter for letter in name if letter.isprintable())[-LONGEST_NAME:]


def _status_of(row: Row) -> DocumentStatus:
    return DocumentStatus(
        id=row.id,
        filename=row.filename,
        state=row.state,
        characters=row.characters,
        passages=row.passages,
        failed=row.failed,
        findings=msgspec.json.decode(row.findings, type=dict[str, int]),
        seconds_remaining=_seconds_remaining(row),
        message=row.message,
    )


def _seconds_remaining(row: Row) -> int | None:
    if row.state != "translating" or row.started_at is None or not row.characters_done:
        return None
    took_s = time.time() - row.started_at
    return max(1, math.ceil(took_s * (row.characters - row.characters_done) / row.characters_done))

"""A table that comes in a multipart form (RFC 7578), streamed to the disk: no more of it is in memory than a piece."""

from __future__ import annotations

import asyncio
import errno
from hashlib import blake2b
from pathlib import Path
from typing import Any, BinaryIO

from msgspec import Struct
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from dragoman.errors import InvalidRequest, LedgerError, Overloaded, TooLarge
from dragoman.server.disconnect import ClientLeft
from dragoman.server.parameters import Parameters

FORM_BYTES = 200_000
"""What a form may have around its file."""
PIECE_BYTES = 2**20
"""Written at a time."""
MAX_FIELDS = 1_000
TRY_AGAIN_S = 300.0


class Received(Struct, frozen=True):
    """A form whose file is on the disk. `filename` is the client's own word for it, `digest` that of its bytes."""

    form: Parameters
    filename: str
    digest: bytes


async def receive(request: Request, to: Path, max_bytes: int) -> Received:
    """Read a form whose field `file` is written to `to`, and has no more than `max_bytes`.

    Raises InvalidRequest for a form that cannot be read or has no file, TooLarge, Overloaded where the disk is full,
    and ClientLeft.
    """
    declared_bytes(request, max_bytes)
    form = _Form(request.headers.get("content-type", ""), max_bytes)
    file = await asyncio.to_thread(to.open, "wb")
    try:
        await _stream(request, form, file)
    except OSError as error:
        raise _unwritten(error) from error
    finally:
        await asyncio.to_thread(file.close)
    if form.filename is None:
        raise InvalidRequest("There is no file: send one as the field 'file' of a form.", field="file")
    return Received(Parameters(form.fields), form.filename, form.digest())


def declared_bytes(request: Request, max_bytes: int) -> int:
    """How large a body says it is, `max_bytes` where it does not say. Raises TooLarge where its file cannot fit."""
    declared = request.headers.get("content-length", "")
    if not declared.isdecimal():
        return max_bytes
    if int(declared) > max_bytes + FORM_BYTES:
        raise _too_large(max_bytes)
    return int(declared)


async def _stream(request: Request, form: _Form, file: BinaryIO) -> None:
    more = True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientLeft
        form.feed(message.get("body", b""))
        more = message.get("more_body", False)
        if not more:
            form.end()
        if len(form.written) >= PIECE_BYTES or not more:
            await asyncio.to_thread(form.write_to, file)


class _Form:
    """Takes a form apart as it comes. The state is what stands here, and where the parser is."""

    def __init__(self, content_type: str, max_bytes: int) -> None:
        _, options = parse_options_header(content_type)
        if not options.get(b"boundary"):
            raise InvalidRequest("The form has no boundary in its Content-Type.", field="Content-Type")
        self.fields: dict[str, list[Any]] = {}
        self.filename: str | None = None
        self.written = bytearray()
        self._max_bytes = max_bytes
        self._file_bytes = self._other_bytes = 0
        self._digest = blake2b()
        self._header = (b"", b"")
        self._name, self._is_file, self._value = "", False, bytearray()
        self._ended = False
        try:
            self._parser = MultipartParser(
                options[b"boundary"],
                {
                    "on_part_begin": self._begin,
                    "on_header_field": self._header_name,
                    "on_header_value": self._header_value,
                    "on_header_end": self._header_end,
                    "on_part_data": self._data,
                    "on_part_end": self._end_part,
                    "on_end": self._end_form,
                },
            )
        except FormParserError as error:
            raise _unreadable(error) from None

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the body."""
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise _unreadable(error) from None

    def end(self) -> None:
        """There are no more bytes."""
        if not self._ended:
            raise InvalidRequest("The multipart form breaks off before its end.")

    def write_to(self, file: BinaryIO) -> None:
        """Write what came of the file."""
        self._digest.update(self.written)
        file.write(self.written)
        self.written.clear()

    def digest(self) -> bytes:
        """The digest of the file, when all of it is written."""
        return self._digest.digest()

    def _begin(self) -> None:
        self._name, self._is_file = "", False
        self._value.clear()

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._header = (self._header[0] + data[start:end], self._header[1])

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._header = (self._header[0], self._header[1] + data[start:end])

    def _header_end(self) -> None:
        (name, value), self._header = self._header, (b"", b"")
        if name.lower() != b"content-disposition":
            return
        _, options = parse_options_header(value)
        self._name = options.get(b"name", b"").decode(errors="replace").removesuffix("[]")
        if self._name == "file" and b"filename" in options:
            if self.filename is not None:
                raise InvalidRequest("There are several files. Make a job of each.", field="file")
            self._is_file = True
            self.filename = options[b"filename"].decode(errors="replace")

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._is_file:
            self._file_bytes += end - start
            if self._file_bytes > self._max_bytes:
                raise _too_large(self._max_bytes)
            self.written += data[start:end]
            return
        self._other_bytes += end - start
        if self._other_bytes > FORM_BYTES:
            raise TooLarge(
                f"The form has more than {FORM_BYTES} bytes beside its file.", field="body", limit=FORM_BYTES
            )
        self._value += data[start:end]

    def _end_part(self) -> None:
        if self._is_file:
            return
        values = self.fields.setdefault(self._name, [])
        if len(values) + len(self.fields) > MAX_FIELDS:
            raise TooLarge(f"The form has more than {MAX_FIELDS} fields.", field="body", limit=MAX_FIELDS)
        try:
            values.append(self._value.decode())
        except UnicodeDecodeError:
            raise InvalidRequest(f"The field '{self._name[:80]}' is not UTF-8.", field=self._name[:80]) from None

    def _end_form(self) -> None:
        self._ended = True


def _unreadable(error: FormParserError) -> InvalidRequest:
    return InvalidRequest(f"The multipart form cannot be read: {error}")


def _too_large(max_bytes: int) -> TooLarge:
    return TooLarge(
        f"The table has more than {max_bytes} bytes. Cut it into several jobs, or have the operator put it into the "
        "folder that `path` takes files from.",
        field="file",
        limit=max_bytes,
    )


def _unwritten(error: OSError) -> LedgerError | Overloaded:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Overloaded("The server's disk is full. Try again later.", retry_after_s=TRY_AGAIN_S)
    return LedgerError(f"The upload cannot be written: {error.strerror}. Whoever runs the server can mend that.")

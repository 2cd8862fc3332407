"""A request's parameters from wherever its client puts them: JSON over form over query, on any method.

Real clients send a GET with a form body and a POST with only a query string. JSON null means absent. A form may be
URL-encoded or, as where a file is sent, multipart.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from msgspec import Struct
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from dragoman.errors import InvalidRequest
from dragoman.server.body import check_coding, media_type_of, read_body
from dragoman.server.problems import UnsupportedMedia

MAX_FIELDS = 10_000
URL_ENCODED, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"
_TRUE, _FALSE = frozenset({"1", "true", "yes", "on"}), frozenset({"0", "false", "no", "off", ""})


class Upload(Struct, frozen=True):
    """A file that came in a form; `filename` is the client's own word for it."""

    filename: str
    data: bytes


class Parameters:
    """Named values, each a list: repeated fields, JSON arrays and single values look alike. `name[]` is `name`."""

    def __init__(self, values: Mapping[str, Sequence[Any]], arrays: frozenset[str] = frozenset()) -> None:
        self._values = values
        self._arrays = arrays

    @classmethod
    async def read(cls, request: Request, max_bytes: int) -> Parameters:
        """Read query and body, which may have `max_bytes`.

        Raises UnsupportedMedia for a body that is neither JSON nor a form, or compressed, InvalidRequest for one that
        cannot be read, and TooLarge.
        """
        check_coding(request)
        values = _fields(request.url.query)
        arrays: set[str] = set()
        body = await read_body(request, max_bytes)
        media_type = media_type_of(request)
        if media_type == URL_ENCODED:
            values |= _fields(_decoded(body))
        elif media_type == MULTIPART:
            values |= await _parts(request.headers, body)
        elif body.strip() and (media_type == "application/json" or body.lstrip()[:1] == b"{"):
            for name, value in _json_object(body).items():
                if isinstance(value, list):
                    arrays.add(name)
                if value is not None:
                    values[name] = value if isinstance(value, list) else [value]
        elif body.strip():
            raise UnsupportedMedia("Send the parameters as JSON, as a form or in the query.", field="Content-Type")
        return cls(values, frozenset(arrays))

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def is_array(self, name: str) -> bool:
        """Whether it came as a JSON array, so that the answer has to be one too."""
        return name in self._arrays

    def value(self, name: str) -> Any:  # noqa: ANN401 - whatever JSON holds
        """The first value as it came, None where there is none."""
        return next(iter(self._values.get(name, ())), None)

    def values(self, name: str) -> list[Any]:
        """All its values as they came."""
        return list(self._values.get(name, ()))

    def text(self, name: str) -> str | None:
        """One string. Raises InvalidRequest for anything that is none."""
        value = self.value(name)
        if value is None or isinstance(value, str):
            return value
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return str(value)
        raise InvalidRequest(f"'{name}' has to be a string.", field=name)

    def texts(self, name: str) -> list[str]:
        """All its values, each a string. Raises InvalidRequest for any that is none."""
        values = list(self._values.get(name, ()))
        if not all(isinstance(value, str) for value in values):
            raise InvalidRequest(f"'{name}' has to be a string or a list of strings.", field=name)
        return values

    def file(self, name: str) -> Upload | None:
        """A file, None where there is none. Raises InvalidRequest for anything that is none."""
        value = self.value(name)
        if value is None or isinstance(value, Upload):
            return value
        raise InvalidRequest(f"'{name}' has to be a file in a multipart form.", field=name)

    def words(self, name: str) -> list[str]:
        """Its values where clients also send them in one string with commas between."""
        return [word.strip() for text in self.texts(name) for word in text.split(",") if word.strip()]

    def flag(self, name: str) -> bool | None:
        """True or False, however it was spelled. Raises InvalidRequest for anything else."""
        value = self.value(name)
        if value is None or isinstance(value, bool):
            return value
        spelled = str(value).lower()
        if spelled not in _TRUE | _FALSE:
            raise InvalidRequest(f"'{name}' has to be true or false.", field=name, accepted=("true", "false"))
        return spelled in _TRUE


def _fields(encoded: str) -> dict[str, list[Any]]:
    fields: dict[str, list[Any]] = {}
    try:
        pairs = parse_qsl(encoded, keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError as error:
        raise InvalidRequest("The form or query cannot be read, or has too many fields.") from error
    for name, value in pairs:
        fields.setdefault(name.removesuffix("[]"), []).append(value)
    return fields


async def _parts(headers: Headers, body: bytes) -> dict[str, list[Any]]:
    """The fields and files of a multipart body (RFC 7578)."""
    parser = MultiPartParser(headers, _in_one_piece(body), max_fields=MAX_FIELDS, max_part_size=len(body))
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise InvalidRequest(f"The multipart form cannot be read: {error.message}") from None
    fields: dict[str, list[Any]] = {}
    for name, value in form.multi_items():
        part = Upload(value.filename or "", await value.read()) if isinstance(value, UploadFile) else value
        fields.setdefault(name.removesuffix("[]"), []).append(part)
    await form.close()
    return fields


async def _in_one_piece(body: bytes) -> AsyncGenerator[bytes, None]:
    yield body


def _decoded(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise InvalidRequest("The body is not UTF-8.") from None


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest(f"The body is not a JSON object: {error}.") from None

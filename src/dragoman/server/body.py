"""Request bodies: read within a limit, then decoded into a type, with errors that say what to change."""

from __future__ import annotations

from typing import Generic, NoReturn, TypeVar

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.types import Message

from dragoman.errors import InvalidRequest, TooLarge
from dragoman.server.disconnect import ClientLeft
from dragoman.server.problems import UnsupportedMedia

T = TypeVar("T", bound=Struct)

LONGEST_ECHO = 80
"""Characters of a caller's own words that an error message repeats."""


class JsonBody(Generic[T]):
    """Reads JSON bodies of one type, none larger than `max_bytes`. Made once: building a decoder costs more than using
    it.
    """

    def __init__(self, type_: type[T], max_bytes: int) -> None:
        self._decoder = msgspec.json.Decoder(type_)
        self._fields = tuple(field.encode_name for field in msgspec.structs.fields(type_))
        self._choices = _choices(type_)
        self._max_bytes = max_bytes

    async def read(self, request: Request) -> T:
        """Read and decode a request's body. Raises UnsupportedMedia, TooLarge, InvalidRequest or ClientLeft."""
        _check_media(request)
        return self.decode(await read_body(request, self._max_bytes))

    def decode(self, body: bytes) -> T:
        """Decode a body. Raises InvalidRequest naming the field at fault and, where there is a list, what would do."""
        try:
            return self._decoder.decode(body)
        except msgspec.ValidationError as error:
            self._refuse(str(error))
        except UnicodeDecodeError:
            raise InvalidRequest("The body is not UTF-8.") from None
        except RecursionError:
            raise InvalidRequest("The body is nested too deeply.") from None
        except msgspec.DecodeError as error:
            raise InvalidRequest(f"The body is not JSON: {str(error).removeprefix('JSON is malformed: ')}.") from None

    def _refuse(self, reason: str) -> NoReturn:
        """Say in our words what msgspec found: ``reason`` or ``reason - at `$.field` ``."""
        reason, _, path = reason.partition(" - at `$")
        field = path.strip("`.") or None
        named = reason.partition("`")[2].rpartition("`")[0][:LONGEST_ECHO]
        if reason.startswith("Object contains unknown field"):
            known = ", ".join(self._fields)
            raise InvalidRequest(f"Unknown field '{named}'; known are: {known}.", field=named, accepted=self._fields)
        if reason.startswith("Object missing required field"):
            raise InvalidRequest(f"The field '{named}' is missing.", field=named)
        if field in self._choices:
            accepted = self._choices[field]
            raise InvalidRequest(f"'{field}' must be one of: {', '.join(accepted)}.", field=field, accepted=accepted)
        what = f"'{field}'" if field else "The body"
        raise InvalidRequest(f"{what} does not fit: {reason[:1].lower()}{reason[1:]}.", field=field)


async def read_body(request: Request, max_bytes: int) -> bytes:
    """A request's whole body. Raises TooLarge before reading more than `max_bytes`, ClientLeft where it breaks off."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > max_bytes:
        raise _too_large(max_bytes)
    body = bytearray()  # bytes would be copied for each of the many pieces a slow sender can make
    more = True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientLeft
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > max_bytes:
            raise _too_large(max_bytes)
    return bytes(body)


def with_body(request: Request, body: bytes) -> Request:
    """The request as it was before `body` was read from it, so that another handler can read it."""
    unread: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return unread.pop() if unread else await request.receive()

    return Request(request.scope, receive)


def media_type_of(request: Request) -> str:
    """The media type that a request says its body has, in lower case and without parameters; "" where it says none."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def check_coding(request: Request) -> None:
    """Raises UnsupportedMedia for a compressed body: a small one may unpack to any size."""
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise UnsupportedMedia("Send the body as it is, without Content-Encoding.", field="Content-Encoding")


def _check_media(request: Request) -> None:
    """No content type at all is taken for JSON: hand-written clients forget it."""
    check_coding(request)
    if media_type_of(request) not in ("", "application/json"):
        raise UnsupportedMedia(
            "Send JSON, with 'Content-Type: application/json'.", field="Content-Type", accepted=("application/json",)
        )


def _too_large(max_bytes: int) -> TooLarge:
    return TooLarge(
        f"The body is larger than {max_bytes} bytes; send the texts in several requests.", field="body", limit=max_bytes
    )


def _choices(type_: type[Struct]) -> dict[str | None, tuple[str, ...]]:
    """The fields of a type that take one of a few words."""
    info = msgspec.inspect.type_info(type_)
    assert isinstance(info, msgspec.inspect.StructType)
    found: dict[str | None, tuple[str, ...]] = {}
    for field in info.fields:
        kind = field.type.type if isinstance(field.type, msgspec.inspect.Metadata) else field.type
        if isinstance(kind, msgspec.inspect.LiteralType):
            found[field.encode_name] = tuple(map(str, kind.values))
    return found

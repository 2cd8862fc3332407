"""What goes over a conversation's WebSocket: JSON objects told apart by their `type`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from dragoman.errors import InvalidRequest
from dragoman.server.problems import Problem
from dragoman.types import Finding

Id = Annotated[str, Meta(min_length=1, max_length=128)]
EventNumber = Annotated[int, Meta(ge=0, le=2**53)]


# What a client sends


class Join(Struct, frozen=True, kw_only=True, tag="join"):
    """The first message of a connection: who comes, by a `token` or by the owner's `key`.

    A token that was used before resumes that participant, from the events after `last_event`.
    """

    token: str | None = None
    key: str | None = None
    name: str | None = None
    language: str | None = None
    last_event: EventNumber = 0


class Say(Struct, frozen=True, kw_only=True, tag="message"):
    """A message in the sender's own language. Sent twice with one `client_id` it is one message."""

    client_id: Id
    text: str


class Type(Struct, frozen=True, tag="typing"):
    """The sender began to type, or stopped."""

    on: bool


class See(Struct, frozen=True, tag="seen"):
    """The sender saw everything up to this event."""

    event: EventNumber


class Speak(Struct, frozen=True, tag="language"):
    """The sender writes and reads another language from now on."""

    language: str


class Again(Struct, frozen=True, tag="again"):
    """The sender wants a message in their language: one that failed, or one from before they came."""

    id: Id


class Leave(Struct, frozen=True, tag="leave"):
    """The sender leaves for good."""


class Ping(Struct, frozen=True, tag="ping"):
    """Asks whether the connection is alive, for clients that cannot see the pings of the WebSocket itself."""


ClientMessage = Join | Say | Type | See | Speak | Again | Leave | Ping

_decoder: msgspec.json.Decoder[ClientMessage] = msgspec.json.Decoder(ClientMessage)


def read_message(text: str | bytes) -> ClientMessage:
    """What a client sent. Raises InvalidRequest."""
    try:
        return _decoder.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest(f"This message cannot be understood: {error}. See the page on conversations.") from None


# What the server sends


class Person(Struct, frozen=True):
    """A participant as others see them. `delivered` and `seen` are the last events that reached them and they saw."""

    id: str
    name: str
    language: str
    on: bool
    delivered: int
    seen: int


class Original(Struct, frozen=True):
    """A message as it was written."""

    text: str
    language: str


class Rendered(Struct, frozen=True):
    """A message in the reader's language."""

    text: str
    findings: tuple[Finding, ...]


class MessageEvent(Struct, frozen=True, kw_only=True, tag="message"):
    """A message. `translation` is there where it was known already; `client_id` for who wrote it."""

    event: int
    id: str
    author: str = msgspec.field(name="from")
    at: datetime
    original: Original
    translation: Rendered | UnsetType = UNSET
    client_id: str | UnsetType = UNSET


class TranslatedEvent(Struct, frozen=True, kw_only=True, tag="translated"):
    """A message in the reader's language."""

    event: int
    id: str
    language: str
    text: str
    findings: tuple[Finding, ...]


class FailedEvent(Struct, frozen=True, kw_only=True, tag="translation_failed"):
    """A message has no translation. While `retrying` the server tries on; else `again` asks for it once more."""

    event: int
    id: str
    language: str
    error: Problem
    retrying: bool


class TypingEvent(Struct, frozen=True, tag="typing"):
    """Somebody types, or stopped. A message ends its author's typing without a word."""

    author: str = msgspec.field(name="from")
    on: bool


class PresenceEvent(Struct, frozen=True, tag="presence"):
    """Somebody came, changed their language, or is away."""

    participant: Person
    on: bool


class DeliveredEvent(Struct, frozen=True, tag="delivered"):
    """The reader's messages up to this one reached somebody."""

    id: str
    to: str


class SeenEvent(Struct, frozen=True, tag="seen"):
    """Somebody saw all messages up to this one."""

    id: str
    by: str


class ClosedEvent(Struct, frozen=True, tag="closed"):
    """The conversation is over: `deleted`, `expired` or `idle`."""

    reason: str


class PongEvent(Struct, frozen=True, tag="pong"):
    """The connection is alive: the answer to `ping`."""


class ErrorEvent(Struct, frozen=True, kw_only=True, tag="error"):
    """What the client sent was refused; the conversation goes on. `client_id` is that of a refused message."""

    error: Problem
    client_id: str | UnsetType = UNSET


HistoryEvent = MessageEvent | TranslatedEvent | FailedEvent


class JoinedEvent(Struct, frozen=True, kw_only=True, tag="joined"):
    """The answer to `join`. `event` is the conversation's last one; `history` is what came after `last_event`."""

    participant: str
    resume_token: str
    event: int
    title: str
    expires_at: datetime
    participants: tuple[Person, ...]
    history: tuple[HistoryEvent, ...]


ServerEvent = (
    JoinedEvent
    | MessageEvent
    | TranslatedEvent
    | FailedEvent
    | TypingEvent
    | PresenceEvent
    | DeliveredEvent
    | SeenEvent
    | ClosedEvent
    | PongEvent
    | ErrorEvent
)

"""What a conversation is made of, as it is kept: plain values, nothing of how it goes on."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from dragoman import languages
from dragoman.server.conversations.events import Person, ServerEvent
from dragoman.server.problems import Problem
from dragoman.types import Finding


class Bounds(Struct, frozen=True, kw_only=True):
    """How large conversations may grow. `text_bytes` counts originals and translations; past it the oldest go."""

    participants: int = 16
    invitations: int = 32
    messages: int = 500
    text_bytes: int = 256 * 2**10
    message_characters: int = 4_000
    name_characters: int = 80
    ttl_s: float = 24 * 3600.0
    max_ttl_s: float = 7 * 24 * 3600.0
    idle_s: float = 4 * 3600.0


BOUNDS = Bounds()


class Participant(Struct, kw_only=True):
    """Somebody who joined. `digest` is that of the token by which they come back."""

    id: str
    digest: str
    name: str
    language: str
    on: bool = False
    left: bool = False
    typing: bool = False
    delivered: int = 0
    seen: int = 0

    @property
    def as_seen(self) -> Person:
        return Person(self.id, self.name, self.language, self.on, self.delivered, self.seen)


class Invitation(Struct, frozen=True):
    """What an invited person need not say themselves."""

    name: str = ""
    language: str | None = None


class Rendering(Struct, frozen=True, kw_only=True):
    """What became of a message in one language: its text, or why there is none."""

    event: int
    text: str = ""
    findings: tuple[Finding, ...] = ()
    error: Problem | None = None
    retrying: bool = False


class Message(Struct, kw_only=True):
    """A message that is kept. `wanted` are the languages that its translation is still to come in."""

    event: int
    id: str
    author: str
    client_id: str
    at: float
    text: str
    language: str
    renderings: dict[str, Rendering] = {}
    wanted: list[str] = []

    @property
    def bytes(self) -> int:
        return len(self.text.encode()) + sum(len(one.text.encode()) for one in self.renderings.values())


FormalityWish = Literal["more", "less", "prefer_more", "prefer_less"]


class Rules(Struct, frozen=True, kw_only=True):
    """What holds for every message of a conversation; the words are those of `/v1/translate`."""

    title: str = ""
    glossary: tuple[str, ...] = ()
    formality: FormalityWish | None = None
    no_store: bool = False


class State(Struct, kw_only=True):
    """A conversation without its messages. Times are Unix seconds; invitations stand under their tokens' digests."""

    id: str
    owner: str
    rules: Rules
    created_at: float
    expires_at: float
    active_at: float
    last_event: int = 0
    last_participant: int = 0
    people: dict[str, Participant] = {}
    invitations: dict[str, Invitation] = {}


class Out(Struct, frozen=True):
    """An event and the participants who are to be told."""

    to: tuple[str, ...]
    event: ServerEvent


class Changes(Struct, frozen=True):
    """What differs from what was kept last: messages that are new or changed, and the events of those that went."""

    state: State
    messages: tuple[Message, ...]
    dropped: tuple[int, ...]


def same_tongue(one: str, other: str) -> bool:
    """Whether who reads one language needs no translation from the other: they differ in region at most."""
    return languages.base(one) == languages.base(other) and languages.script(one) == languages.script(other)

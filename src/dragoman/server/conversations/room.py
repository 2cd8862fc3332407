"""One conversation, in plain synchronous code: what its participants do comes in, what they are to be told goes out.

No I/O and no clock: whoever calls says the time. Events that are kept are numbered 1, 2, 3 ... for each conversation,
so that who was away asks for those after the last one they know.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from msgspec import UNSET

from dragoman import languages
from dragoman.errors import ConversationFull, InvalidRequest, TooLarge
from dragoman.server.conversations.events import (
    DeliveredEvent,
    FailedEvent,
    HistoryEvent,
    JoinedEvent,
    MessageEvent,
    Original,
    PresenceEvent,
    Rendered,
    SeenEvent,
    TranslatedEvent,
    TypingEvent,
)
from dragoman.server.conversations.state import (
    BOUNDS,
    Bounds,
    Changes,
    Invitation,
    Message,
    Out,
    Participant,
    Rendering,
    State,
    same_tongue,
)
from dragoman.server.problems import Problem
from dragoman.types import Finding

CONTEXT_TURNS = 3
CONTEXT_TURN_CHARACTERS = 160
"""The prompt takes 500 characters of context; what is nearest matters most."""


class Room:
    """A conversation. Mutable state: `state`, the messages by id, oldest first, what their authors called them, their
    bytes, and what changed since `take_changes`.
    """

    def __init__(self, state: State, messages: Sequence[Message] = (), bounds: Bounds = BOUNDS) -> None:
        self.state = state
        self._bounds = bounds
        self._messages = {message.id: message for message in messages}
        self._sent = {(message.author, message.client_id): message.id for message in messages}
        self._bytes = sum(message.bytes for message in messages)
        self._changed: set[str] = set()
        self._dropped: list[int] = []

    def __repr__(self) -> str:
        on = sum(person.on for person in self.state.people.values())
        return f"<Room {self.state.id}: {on} of {len(self.members)} there, {len(self._messages)} messages>"

    @property
    def members(self) -> list[Participant]:
        """Those who joined and did not leave, away or not."""
        return [person for person in self.state.people.values() if not person.left]

    @property
    def message_count(self) -> int:
        return len(self._messages)

    def over(self, now: float) -> str | None:
        """Why the conversation is over, None while it is not."""
        if now >= self.state.expires_at:
            return "expired"
        is_empty = not any(person.on for person in self.state.people.values())
        return "idle" if is_empty and now >= self.state.active_at + self._bounds.idle_s else None

    # Coming and going

    def invite(self, digest: str, name: str, language: str | None) -> None:
        """Let one person in by a token. Raises ConversationFull and UnknownLanguage."""
        if len(self.state.invitations) >= self._bounds.invitations:
            raise ConversationFull(
                f"{self._bounds.invitations} invitations of this conversation are not used yet; use those first."
            )
        resolved = None if language is None else languages.resolve(language)
        self.state.invitations[digest] = Invitation(self._named(name), resolved)

    def knows(self, digest: str) -> bool:
        """Whether a token lets its bearer in."""
        return digest in self.state.invitations or self._by_digest(digest) is not None

    def join(
        self, digest: str, name: str | None, language: str | None, now: float, last_event: int = 0
    ) -> tuple[str, list[Out]]:
        """Let the bearer of a token in: as whom, and who is to be told.

        A token that is neither a participant's nor an invitation's becomes that of a new participant: the caller has
        made sure of them by other means. Raises InvalidRequest without a language or for an event that never was, and
        ConversationFull.
        """
        if last_event > self.state.last_event:
            raise InvalidRequest("There was no such event here; join with 'last_event' 0.", field="last_event")
        person = self._by_digest(digest)
        if person is None:
            person = self._newcomer(digest, name, language)
            self.state.people[person.id] = person
            self.state.invitations.pop(digest, None)
        elif language is not None:
            person.language = languages.resolve(language)
        person.on, self.state.active_at = True, now
        return person.id, [self._presence(person)]

    def joined(self, participant: str, token: str, last_event: int) -> JoinedEvent:
        """What somebody is told who comes (again)."""
        state = self.state
        return JoinedEvent(
            participant=participant,
            resume_token=token,
            event=state.last_event,
            title=state.rules.title,
            expires_at=datetime.fromtimestamp(state.expires_at, UTC),
            participants=tuple(person.as_seen for person in state.people.values()),
            history=tuple(self._history(state.people[participant], last_event)),
        )

    def drop(self, participant: str, now: float) -> list[Out]:
        """Somebody's connection broke off; they may come back."""
        person = self.state.people[participant]
        person.on = person.typing = False
        self.state.active_at = now
        return [self._presence(person)]

    def leave(self, participant: str, now: float) -> list[Out]:
        """Somebody leaves for good: their token opens nothing any more."""
        outs = self.drop(participant, now)
        self.state.people[participant].left = True
        self._want_only_what_is_read()
        self._forget_who_left()
        return outs

    def speak(self, participant: str, language: str) -> list[Out]:
        """Somebody writes and reads another language from now on. Raises UnknownLanguage."""
        person = self.state.people[participant]
        person.language = languages.resolve(language)
        self._want_only_what_is_read()
        return [self._presence(person)]

    def nobody_is_there(self) -> None:
        """All connections are gone, as those of a process that ended."""
        for person in self.state.people.values():
            person.on = person.typing = False

    # Messages and their translations

    def say(self, participant: str, client_id: str, text: str, now: float) -> list[Out]:
        """A message, or the same one once more, which only its author is told of. Raises InvalidRequest, TooLarge."""
        known = self._sent.get((participant, client_id))
        if known is not None:
            return [Out((participant,), self._shown(self._messages[known], participant))]
        self._check_text(text)
        person, state = self.state.people[participant], self.state
        person.typing, state.active_at = False, now
        number = self._next_event()
        message = Message(
            event=number,
            id=f"m{number}",
            author=participant,
            client_id=client_id,
            at=now,
            text=text,
            language=person.language,
            wanted=self._languages_read(person.language),
        )
        self._keep(message)
        others = self._others(participant)
        return [
            Out((participant,), self._shown(message, participant)),
            *([Out(others, self._shown(message, None))] if others else []),
        ]

    def wanted(self) -> Iterator[tuple[Message, str]]:
        """The translations that are still to come, the oldest message's first."""
        for message in self._messages.values():
            for language in message.wanted:
                yield message, language

    def wants(self, message_id: str, language: str) -> bool:
        """Whether somebody still waits for a translation: nobody does once the message went or its reader left."""
        return message_id in self._messages and language in self._messages[message_id].wanted

    def again(self, participant: str, message_id: str) -> None:
        """Somebody wants a message in their language. Nothing where it is there or under way. Raises InvalidRequest."""
        message, language = self._messages.get(message_id), self.state.people[participant].language
        if message is None:
            raise InvalidRequest("There is no such message, or it became too old.", field="id")
        rendering = message.renderings.get(language)
        is_there = rendering is not None and rendering.error is None
        if not (is_there or language in message.wanted or same_tongue(language, message.language)):
            message.wanted.append(language)
            self._changed.add(message_id)

    def translated(self, message_id: str, language: str, text: str, findings: tuple[Finding, ...]) -> list[Out]:
        """A translation is there."""
        return self._rendered(message_id, language, Rendering(event=self._next_event(), text=text, findings=findings))

    def failed(self, message_id: str, language: str, error: Problem, *, retrying: bool) -> list[Out]:
        """A translation came to nothing, for good or for now."""
        rendering = Rendering(event=self._next_event(), error=error, retrying=retrying)
        return self._rendered(message_id, language, rendering)

    def context_of(self, message: Message) -> str:
        """The turns before a message, as they were written."""
        before = [one for one in self._messages.values() if one.event < message.event][-CONTEXT_TURNS:]
        return "\n".join(f"{self._name_of(one.author)}: {one.text[:CONTEXT_TURN_CHARACTERS]}" for one in before)

    # How far everybody is

    def type(self, participant: str, on: bool) -> list[Out]:
        """Somebody types or stopped; said twice it is told once."""
        person, others = self.state.people[participant], self._others(participant)
        if person.typing == on:
            return []
        person.typing = on
        return [Out(others, TypingEvent(participant, on))] if others else []

    def deliver(self, participant: str, event: int) -> list[Out]:
        """Everything up to an event reached somebody: each author is told of their last message among it."""
        person = self.state.people.get(participant)
        if person is None or event <= person.delivered:
            return []
        before, person.delivered = person.delivered, event
        last = {one.author: one for one in self._between(before, event) if one.author != participant}
        return [
            Out((author,), DeliveredEvent(message.id, participant))
            for author, message in last.items()
            if author in self.state.people and self.state.people[author].on
        ]

    def see(self, participant: str, event: int) -> list[Out]:
        """Somebody saw everything up to an event; the others are told of the last message among it."""
        person, others = self.state.people[participant], self._others(participant)
        before, person.seen = person.seen, max(person.seen, min(event, self.state.last_event))
        last = [one for one in self._between(before, person.seen) if one.author != participant][-1:]
        return [Out(others, SeenEvent(message.id, participant)) for message in last if others]

    def take_changes(self) -> Changes:
        """What is to be kept, once."""
        messages = tuple(self._messages[one] for one in self._changed if one in self._messages)
        changes = Changes(self.state, messages, tuple(self._dropped))
        self._changed, self._dropped = set(), []
        return changes

    # Inside

    def _newcomer(self, digest: str, name: str | None, language: str | None) -> Participant:
        if len(self.members) >= self._bounds.participants:
            raise ConversationFull(f"{self._bounds.participants} people are in this conversation, and no more can be.")
        invitation = self.state.invitations.get(digest, Invitation())
        spoken = language or invitation.language
        if spoken is None:
            raise InvalidRequest("Say which language you write and read: 'language' is missing.", field="language")
        resolved = languages.resolve(spoken)
        self.state.last_participant += 1
        number = f"p{self.state.last_participant}"
        return Participant(id=number, digest=digest, name=self._named(name or invitation.name), language=resolved)

    def _named(self, name: str) -> str:
        return "".join(filter(str.isprintable, name)).strip()[: self._bounds.name_characters]

    def _by_digest(self, digest: str) -> Participant | None:
        return next((person for person in self.members if person.digest == digest), None)

    def _name_of(self, participant: str) -> str:
        person = self.state.people.get(participant)
        return person.name if person is not None and person.name else participant

    def _others(self, participant: str) -> tuple[str, ...]:
        return tuple(person.id for person in self.state.people.values() if person.on and person.id != participant)

    def _presence(self, person: Participant) -> Out:
        return Out(self._others(person.id), PresenceEvent(person.as_seen, person.on))

    def _next_event(self) -> int:
        self.state.last_event += 1
        return self.state.last_event

    def _between(self, after: int, until: int) -> list[Message]:
        return [message for message in self._messages.values() if after < message.event <= until]

    def _languages_read(self, written: str) -> list[str]:
        """The languages of all members, also of those who are away just now, but for those who read it as it is."""
        read = dict.fromkeys(person.language for person in self.members)
        return [language for language in read if not same_tongue(language, written)]

    def _want_only_what_is_read(self) -> None:
        for message in self._messages.values():
            read = self._languages_read(message.language) if message.wanted else []
            unread = [language for language in message.wanted if language not in read]
            for language in unread:
                message.wanted.remove(language)
                message.renderings.pop(language, None)  # it says that the server tries on
                self._changed.add(message.id)

    def _check_text(self, text: str) -> None:
        limit = self._bounds.message_characters
        if not text.strip():
            raise InvalidRequest("The message is empty.", field="text")
        if len(text) > limit:
            raise TooLarge(
                f"The message has {len(text)} characters; at most {limit} are taken. Send it in parts.",
                field="text",
                limit=limit,
            )

    def _keep(self, message: Message) -> None:
        self._messages[message.id] = message
        self._sent[message.author, message.client_id] = message.id
        self._changed.add(message.id)
        self._bytes += message.bytes
        self._make_room()

    def _make_room(self) -> None:
        """Let the oldest messages go, but never the last one."""
        before = len(self._messages)
        while len(self._messages) > 1 and (
            len(self._messages) > self._bounds.messages or self._bytes > self._bounds.text_bytes
        ):
            oldest = self._messages.pop(next(iter(self._messages)))
            del self._sent[oldest.author, oldest.client_id]
            self._dropped.append(oldest.event)
            self._bytes -= oldest.bytes
        if len(self._messages) < before:
            self._forget_who_left()

    def _forget_who_left(self) -> None:
        """Who left is known for as long as there is a message of theirs."""
        authors = {message.author for message in self._messages.values()}
        for person in [one for one in self.state.people.values() if one.left and one.id not in authors]:
            del self.state.people[person.id]

    def _rendered(self, message_id: str, language: str, rendering: Rendering) -> list[Out]:
        message = self._messages[message_id]
        self._bytes -= message.bytes
        message.renderings[language] = rendering
        self._bytes += message.bytes
        if not rendering.retrying:
            message.wanted.remove(language)
        self._changed.add(message_id)
        readers = tuple(person.id for person in self.members if person.on and person.language == language)
        outs = [Out(readers, _event_of(message, language, rendering))] if readers else []
        self._make_room()
        return outs

    def _shown(self, message: Message, reader: str | None) -> MessageEvent:
        """A message for one reader, or for any but its author."""
        person = self.state.people[reader] if reader else None
        rendering = message.renderings.get(person.language) if person else None
        return MessageEvent(
            event=message.event,
            id=message.id,
            author=message.author,
            at=datetime.fromtimestamp(message.at, UTC),
            original=Original(message.text, message.language),
            translation=Rendered(rendering.text, rendering.findings)
            if rendering is not None and rendering.error is None
            else UNSET,
            client_id=message.client_id if reader == message.author else UNSET,
        )

    def _history(self, reader: Participant, last_event: int) -> list[HistoryEvent]:
        """What a reader does not know yet, in order. A message that is new to them holds its translation."""
        found: list[HistoryEvent] = []
        for message in self._messages.values():
            is_new = message.event > last_event
            if is_new:
                found.append(self._shown(message, reader.id))
            rendering = message.renderings.get(reader.language)
            if rendering is not None and rendering.event > last_event and (rendering.error is not None or not is_new):
                found.append(_event_of(message, reader.language, rendering))
        return sorted(found, key=lambda event: event.event)


def _event_of(message: Message, language: str, rendering: Rendering) -> TranslatedEvent | FailedEvent:
    if rendering.error is None:
        return TranslatedEvent(
            event=rendering.event,
            id=message.id,
            language=language,
            text=rendering.text,
            findings=rendering.findings,
        )
    return FailedEvent(
        event=rendering.event,
        id=message.id,
        language=language,
        error=rendering.error,
        retrying=rendering.retrying,
    )

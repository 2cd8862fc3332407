"""A conversation without sockets: what each participant comes to know, whatever happens to their connections."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, precondition, rule

from dragoman.errors import ConversationFull, InvalidRequest, TooLarge, UnknownLanguage
from dragoman.server.conversations.events import (
    DeliveredEvent,
    FailedEvent,
    JoinedEvent,
    MessageEvent,
    PresenceEvent,
    SeenEvent,
    ServerEvent,
    TranslatedEvent,
    TypingEvent,
)
from dragoman.server.conversations.room import Room
from dragoman.server.conversations.state import BOUNDS, Bounds, Message, Out, Rules, State, same_tongue
from dragoman.server.problems import Problem

NOW = 1_000_000.0
DOWN = Problem(type="/docs#engine-unavailable", title="The engine cannot be reached", status=502, detail="It is down.")


def room_with(*languages: str, bounds: Bounds = BOUNDS) -> Room:
    """A conversation of p1, p2, ..., all there, one for each language."""
    state = State(id="r", owner="", rules=Rules(), created_at=NOW, expires_at=NOW + 3600, active_at=NOW)
    room = Room(state, bounds=bounds)
    for number, language in enumerate(languages, 1):
        room.join(f"token {number}", f"name {number}", language, NOW)
    return room


def told(outs: Sequence[Out], participant: str) -> list[ServerEvent]:
    return [out.event for out in outs if participant in out.to]


def say(room: Room, participant: str, text: str, client_id: str | None = None) -> list[Out]:
    return room.say(participant, client_id or text, text, NOW)


def translate_all(room: Room) -> list[Out]:
    return [
        out
        for message, language in list(room.wanted())
        for out in room.translated(message.id, language, f"[{language}] {message.text}", ())
    ]


def history(room: Room, participant: str, last_event: int = 0) -> list[tuple[str, str]]:
    """Each event's type, and the text that its reader reads."""
    shown = []
    for event in room.joined(participant, "token", last_event).history:
        if isinstance(event, MessageEvent):
            text = event.original.text if event.translation is msgspec.UNSET else event.translation.text
            shown.append(("message", text))
        else:
            shown.append(("translated", event.text) if isinstance(event, TranslatedEvent) else ("failed", ""))
    return shown


# Messages


def test_a_message_goes_out_as_written_and_its_translation_follows_to_those_who_read_that_language() -> None:
    room = room_with("de", "en", "fr")

    at_once = say(room, "p1", "Hallo")
    later = room.translated("m1", "en", "Hello", ())

    (message,) = told(at_once, "p2")
    assert isinstance(message, MessageEvent)
    assert (message.event, message.original.text, message.original.language) == (1, "Hallo", "de")
    assert told(later, "p2") == [TranslatedEvent(event=2, id="m1", language="en", text="Hello", findings=())]
    assert told(later, "p1") == told(later, "p3") == []


def test_each_message_is_wanted_once_for_each_other_language() -> None:
    room = room_with("de", "en", "en", "fr", "de-AT", "en-GB")

    say(room, "p1", "Hallo")

    assert [(message.id, language) for message, language in room.wanted()] == [
        ("m1", "en"),
        ("m1", "fr"),
        ("m1", "en-GB"),
    ]


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("en", "en-GB", True),
        ("pt", "pt-BR", True),
        ("zh", "zh-Hans", True),
        ("zh-Hans", "zh-Hant", False),
        ("en", "de", False),
    ],
)
def test_who_differs_in_region_only_needs_no_translation(one: str, other: str, expected: bool) -> None:
    assert same_tongue(one, other) is expected


def test_only_the_author_sees_what_they_called_their_message() -> None:
    outs = say(room_with("de", "en"), "p1", "Hallo", "mine")

    (own,), (other,) = told(outs, "p1"), told(outs, "p2")
    assert isinstance(own, MessageEvent)
    assert isinstance(other, MessageEvent)
    assert (own.client_id, other.client_id) == ("mine", msgspec.UNSET)


def test_a_message_sent_twice_is_one_message_and_its_author_is_told_again() -> None:
    room = room_with("de", "en")
    first = say(room, "p1", "Hallo", "mine")

    second = say(room, "p1", "Hallo", "mine")

    assert told(second, "p1") == told(first, "p1")
    assert told(second, "p2") == []
    assert room.message_count == 1


def test_two_people_may_call_their_messages_the_same() -> None:
    room = room_with("de", "en")

    say(room, "p1", "Hallo", "1")
    say(room, "p2", "Hello", "1")

    assert room.message_count == 2


@pytest.mark.parametrize(
    ("text", "error"),
    [("", InvalidRequest), (" \n", InvalidRequest), ("a" * (BOUNDS.message_characters + 1), TooLarge)],
)
def test_what_is_no_message_is_refused(text: str, error: type[InvalidRequest]) -> None:
    room = room_with("de", "en")

    with pytest.raises(error):
        room.say("p1", "1", text, NOW)

    assert room.state.last_event == 0


# Failure


def test_a_translation_that_failed_is_told_and_comes_when_it_is_asked_for_again() -> None:
    room = room_with("de", "en")
    say(room, "p1", "Hallo")

    (failed,) = told(room.failed("m1", "en", DOWN, retrying=False), "p2")
    assert list(room.wanted()) == []
    room.again("p2", "m1")
    again = [(message.id, language) for message, language in room.wanted()]
    translate_all(room)

    assert isinstance(failed, FailedEvent)
    assert again == [("m1", "en")]
    assert history(room, "p2") == [("message", "[en] Hallo")]


def test_while_the_server_tries_on_asking_again_changes_nothing() -> None:
    room = room_with("de", "en")
    say(room, "p1", "Hallo")
    room.failed("m1", "en", DOWN, retrying=True)

    room.again("p2", "m1")

    assert [language for _, language in room.wanted()] == ["en"]
    assert history(room, "p2") == [("message", "Hallo"), ("failed", "")]


def test_who_reads_it_as_it_is_gets_no_translation_by_asking() -> None:
    room = room_with("de", "en")
    say(room, "p1", "Hallo")
    translate_all(room)

    room.again("p1", "m1")
    room.again("p2", "m1")

    assert list(room.wanted()) == []


def test_a_message_that_never_was_cannot_be_asked_for() -> None:
    with pytest.raises(InvalidRequest, match="no such message"):
        room_with("de", "en").again("p1", "m7")


# Coming and going


def test_an_invitation_lets_one_person_in_and_is_then_how_they_come_back() -> None:
    room = room_with("de")
    room.invite("token", "Ana", "es")

    first, _ = room.join("token", None, None, NOW)
    room.drop(first, NOW)
    second, _ = room.join("token", None, None, NOW)

    ana = room.state.people["p2"]
    assert (first, second) == ("p2", "p2")
    assert (ana.name, ana.language) == ("Ana", "es")
    assert not room.state.invitations


def test_what_a_person_says_of_themselves_goes_before_their_invitation() -> None:
    room = room_with()
    room.invite("token", "Ana", "es")

    room.join("token", "Ana Ruiz", "ca", NOW)

    assert (room.state.people["p1"].name, room.state.people["p1"].language) == ("Ana Ruiz", "ca")


@pytest.mark.parametrize(
    ("language", "last_event", "error"),
    [(None, 0, InvalidRequest), ("klingon", 0, UnknownLanguage), ("en", 5, InvalidRequest)],
)
def test_who_cannot_join_takes_no_place(language: str | None, last_event: int, error: type[Exception]) -> None:
    room = room_with("de")

    with pytest.raises(error):
        room.join("token", "Ana", language, NOW, last_event)

    assert len(room.members) == 1


def test_people_and_invitations_are_bounded() -> None:
    room = room_with("de", "en", bounds=Bounds(participants=2, invitations=1))
    room.invite("token", "", None)

    with pytest.raises(ConversationFull, match="1 invitations"):
        room.invite("another", "", None)
    with pytest.raises(ConversationFull, match="2 people"):
        room.join("token", "Ana", "es", NOW)


def test_who_leaves_makes_room_and_their_token_opens_nothing() -> None:
    room = room_with("de", "en", bounds=Bounds(participants=2))

    outs = room.leave("p2", NOW)

    (away,) = told(outs, "p1")
    assert isinstance(away, PresenceEvent)
    assert (away.participant.id, away.on) == ("p2", False)
    assert not room.knows("token 2")
    assert room.join("token 3", "", "es", NOW)[0] == "p3"


def test_who_left_is_known_for_as_long_as_there_is_a_message_of_theirs() -> None:
    room = room_with("de", "en", bounds=Bounds(messages=1))
    say(room, "p1", "Tschüs")
    room.leave("p1", NOW)
    assert "p1" in room.state.people

    say(room, "p2", "Bye")

    assert "p1" not in room.state.people


def test_nothing_is_translated_into_a_language_that_nobody_reads_any_more() -> None:
    room = room_with("de", "en", "fr")
    say(room, "p1", "Hallo")

    room.leave("p2", NOW)
    room.speak("p3", "it")

    assert list(room.wanted()) == []
    assert not room.wants("m1", "en")


def test_who_is_away_finds_everything_translated_when_they_come_back() -> None:
    room = room_with("de", "en")
    say(room, "p1", "Eins")
    translate_all(room)
    known = room.state.last_event
    room.drop("p2", NOW)

    say(room, "p1", "Zwei")
    translate_all(room)

    assert history(room, "p2", known) == [("message", "[en] Zwei")]


def test_a_translation_that_came_while_its_reader_was_away_comes_alone_if_they_had_the_message() -> None:
    room = room_with("de", "en")
    say(room, "p1", "Eins")
    room.drop("p2", NOW)
    translate_all(room)

    assert history(room, "p2", 1) == [("translated", "[en] Eins")]


def test_who_comes_with_a_new_language_reads_the_original_and_asks_for_what_they_want() -> None:
    room = room_with("de", "en")
    say(room, "p1", "Eins")
    say(room, "p1", "Zwei")
    translate_all(room)
    room.join("token 3", "", "fr", NOW)
    assert history(room, "p3") == [("message", "Eins"), ("message", "Zwei")]

    room.again("p3", "m2")
    translate_all(room)

    assert history(room, "p3") == [("message", "Eins"), ("message", "[fr] Zwei")]


# How far everybody is


def test_typing_is_told_once_and_ends_with_the_message() -> None:
    room = room_with("de", "en")

    assert told(room.type("p1", True), "p2") == [TypingEvent("p1", True)]
    assert room.type("p1", True) == []
    say(room, "p1", "Hallo")
    assert room.type("p1", False) == []


def test_authors_are_told_once_how_far_their_messages_came() -> None:
    room = room_with("de", "en", "fr")
    say(room, "p1", "Eins")
    say(room, "p3", "Deux")
    say(room, "p1", "Drei")

    outs = room.deliver("p2", 3)

    assert told(outs, "p1") == [DeliveredEvent("m3", "p2")]
    assert told(outs, "p3") == [DeliveredEvent("m2", "p2")]
    assert room.deliver("p2", 3) == room.deliver("p2", 2) == []


def test_the_others_are_told_how_far_somebody_has_read_and_who_comes_later_finds_it() -> None:
    room = room_with("de", "en")
    say(room, "p1", "Eins")

    outs = room.see("p2", 99)

    assert told(outs, "p1") == [SeenEvent("m1", "p2")]
    assert room.see("p2", 1) == []
    assert room.joined("p1", "token", 0).participants[1].seen == 1


# Bounds and ends


def test_past_the_bounds_the_oldest_messages_go_but_never_the_last() -> None:
    room = room_with("de", "en", bounds=Bounds(messages=3, text_bytes=20))

    for text in ("eins", "zwei", "drei", "vier", "a" * 30):
        say(room, "p1", text)

    assert history(room, "p2") == [("message", "a" * 30)]
    assert room.take_changes().dropped == (1, 2, 3, 4)


def test_translations_count_among_the_bytes() -> None:
    room = room_with("de", "en", bounds=Bounds(text_bytes=20))
    say(room, "p1", "a" * 10)
    say(room, "p1", "b" * 10)

    room.translated("m2", "en", "c", ())

    assert history(room, "p2") == [("message", "c")]


@pytest.mark.parametrize(
    ("after_s", "on", "why"),
    [(3599, True, None), (3600, True, "expired"), (299, False, None), (300, False, "idle"), (300, True, None)],
)
def test_a_conversation_ends_with_its_time_or_when_nobody_is_there_for_long(
    after_s: float, on: bool, why: str | None
) -> None:
    room = room_with("de", bounds=Bounds(idle_s=300))
    if not on:
        room.drop("p1", NOW)

    assert room.over(NOW + after_s) == why


def test_what_is_kept_comes_back_as_it_was() -> None:
    room = room_with("de", "en")
    say(room, "p1", "Eins")
    translate_all(room)
    say(room, "p1", "Zwei")
    changes = room.take_changes()

    state = msgspec.json.decode(msgspec.json.encode(changes.state), type=State)
    kept = msgspec.json.decode(msgspec.json.encode(changes.messages), type=list[Message])
    restored = Room(state, sorted(kept, key=lambda message: message.event))

    assert history(restored, "p2") == history(room, "p2") == [("message", "[en] Eins"), ("message", "Zwei")]
    assert [message.id for message, _ in restored.wanted()] == [message.id for message, _ in room.wanted()]
    assert told(say(restored, "p1", "Zwei"), "p2") == []
    assert room.take_changes().messages == ()


def test_the_last_turns_are_what_a_message_is_understood_by() -> None:
    room = room_with("de", "en")
    for number, text in enumerate(("Eins", "Two", "Drei", "Four")):
        say(room, "p1" if number % 2 == 0 else "p2", text)
    say(room, "p1", "Fünf")

    last = [message for message, _ in room.wanted()][-1]

    assert room.context_of(last) == "name 2: Two\nname 1: Drei\nname 2: Four"


# Whatever the order


class Client:
    """A participant's program: keeps what it was told, resends what it was not told of, and loses its connection."""

    def __init__(self, language: str) -> None:
        self.language = language
        self.id = ""
        self.last_event = 0
        self.is_on = False
        self.on_the_way: list[ServerEvent] = []
        self.shown: dict[str, str] = {}
        self.translated: dict[str, str] = {}
        self.unconfirmed: dict[str, str] = {}

    def read(self, event: ServerEvent) -> None:
        match event:
            case JoinedEvent():
                for missed in event.history:
                    self.read(missed)
                self.last_event = event.event
            case MessageEvent():
                self._read_message(event)
            case TranslatedEvent():
                self._advance(event.event)
                assert event.id not in self.translated, "a translation came twice"
                self.translated[event.id] = event.text
            case FailedEvent():
                self._advance(event.event)

    def _read_message(self, event: MessageEvent) -> None:
        if event.client_id is not msgspec.UNSET:
            self.unconfirmed.pop(event.client_id, None)
        if event.id in self.shown:
            assert event.client_id is not msgspec.UNSET, "a message of somebody else came twice"
            assert event.event <= self.last_event
            return
        self._advance(event.event)
        self.shown[event.id] = event.original.text
        if event.translation is not msgspec.UNSET:
            self.translated[event.id] = event.translation.text

    def _advance(self, event: int) -> None:
        assert event > self.last_event, "events came out of order"
        self.last_event = event


class Conversation(RuleBasedStateMachine):
    """Joins, losses of connections, resends and late translations in any order."""

    clients = Bundle("clients")

    @initialize()
    def open(self) -> None:
        self.room = room_with()
        self.all: list[Client] = []
        self.said = 0

    @precondition(lambda self: len(self.all) < 5)
    @rule(target=clients, language=st.sampled_from(["de", "en", "fr"]))
    def join(self, language: str) -> Client:
        client = Client(language)
        self.all.append(client)
        self._connect(client)
        return client

    @rule(client=clients)
    def come_back(self, client: Client) -> None:
        if not client.is_on:
            self._connect(client)

    @rule(client=clients, lost=st.integers(0, 5))
    def lose_connection(self, client: Client, lost: int) -> None:
        """Some of what is on the way still arrives; the rest does not."""
        if client.is_on:
            self._receive(client, max(0, len(client.on_the_way) - lost))
            client.on_the_way, client.is_on = [], False
            self._post(self.room.drop(client.id, NOW))

    @rule(client=clients)
    def say(self, client: Client) -> None:
        self.said += 1
        text = f"text {self.said}"
        client.unconfirmed[text] = text
        if client.is_on:
            self._post(self.room.say(client.id, text, text, NOW))

    @rule(client=clients)
    def resend(self, client: Client) -> None:
        if client.is_on:
            for client_id, text in list(client.unconfirmed.items()):
                self._post(self.room.say(client.id, client_id, text, NOW))

    @rule(client=clients, count=st.integers(1, 5))
    def receive(self, client: Client, count: int) -> None:
        self._receive(client, count)

    @rule(fails=st.booleans(), newest=st.booleans())
    def finish_a_translation(self, fails: bool, newest: bool) -> None:
        waiting = list(self.room.wanted())
        if waiting:
            message, language = waiting[-1 if newest else 0]
            if fails:
                self._post(self.room.failed(message.id, language, DOWN, retrying=True))
            else:
                self._post(self.room.translated(message.id, language, f"[{language}] {message.text}", ()))

    @rule()
    def restart(self) -> None:
        """The server stops and starts again from what it kept."""
        for client in self.all:
            client.on_the_way, client.is_on = [], False
        messages = msgspec.json.decode(msgspec.json.encode(list(self.room._messages.values())), type=list[Message])
        state = msgspec.json.decode(msgspec.json.encode(self.room.state), type=State)
        self.room = Room(state, messages)
        self.room.nobody_is_there()

    @rule(client=consumes(clients))
    def leave(self, client: Client) -> None:
        if client.is_on:
            self._post(self.room.leave(client.id, NOW))
            self.all.remove(client)

    @invariant()
    def the_bytes_are_counted_right(self) -> None:
        if hasattr(self, "room"):
            assert self.room._bytes == sum(message.bytes for message in self.room._messages.values())

    def teardown(self) -> None:
        """At the end everybody comes back, resends and waits: all know the same, in the same order."""
        for client in self.all:
            self.come_back(client)
            self.resend(client)
        self._post(translate_all(self.room))
        for client in self.all:
            self._receive(client, len(client.on_the_way))
            self._check(client)

    def _check(self, client: Client) -> None:
        kept = list(self.room._messages.values())
        assert list(client.shown.items()) == [(message.id, message.text) for message in kept]
        assert len({message.text for message in kept}) == len(kept)
        assert not client.unconfirmed
        readable = {message.id: message.renderings.get(client.language) for message in kept}
        expected = {name: one.text for name, one in readable.items() if one is not None}
        assert client.translated == expected

    def _connect(self, client: Client) -> None:
        token = f"token of {id(client)}"
        client.id, outs = self.room.join(token, None, client.language, NOW, client.last_event)
        joined = self.room.joined(client.id, token, client.last_event)
        client.is_on = True
        self._post(outs)
        client.on_the_way = [joined]

    def _post(self, outs: Sequence[Out]) -> None:
        for client in self.all:
            if client.is_on:
                client.on_the_way += told(outs, client.id)

    def _receive(self, client: Client, count: int) -> None:
        for event in client.on_the_way[:count]:
            client.read(event)
        del client.on_the_way[:count]


Conversation.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestWhateverTheOrder = Conversation.TestCase

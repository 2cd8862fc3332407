"""All conversations of this process: who may open and enter them, who is connected, and when they are over."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections.abc import Sequence
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Self

import msgspec
from msgspec import UNSET, Struct, UnsetType

from dragoman.errors import DragomanError, InvalidRequest, Overloaded, TooManyRequests, UnknownConversation
from dragoman.memory.glossaries import Glossaries
from dragoman.server.conversations.connection import OVER, REPLACED, Connection, Frame
from dragoman.server.conversations.events import (
    Again,
    ClientMessage,
    ClosedEvent,
    ErrorEvent,
    Join,
    Leave,
    MessageEvent,
    Ping,
    PongEvent,
    Say,
    See,
    ServerEvent,
    Speak,
    Type,
)
from dragoman.server.conversations.outbox import Outbox, Telling
from dragoman.server.conversations.room import Room
from dragoman.server.conversations.rooms_file import FILE_NAME, Entry, entry_of
from dragoman.server.conversations.state import BOUNDS, Bounds, Out, Rules, State
from dragoman.server.conversations.translations import Translations
from dragoman.server.gate import Gate
from dragoman.server.problems import problem_of
from dragoman.settings import Settings, data_path

if TYPE_CHECKING:
    from dragoman.core.translator import Translator

MAX_ROOMS, MAX_ROOMS_OF_ONE = 1_000, 500
"""In all, and of one owner: with the bytes each may hold, what conversations can take of the memory."""
LOOK_EVERY_S = 10.0
TRY_AGAIN_S = 60.0

_SEVERAL_PROCESSES = (
    "This server runs as {workers} processes, and a conversation lives in one of them, so it has none. Whoever runs "
    "the server can start it with --workers 1, or one more with that and another data_dir and port."
)
_UNKNOWN = "There is no such conversation, it is over, or your key or token does not open it. Ask for a new link."


class Seat(Struct, frozen=True):
    """Somebody's place in a conversation, as long as their connection lives."""

    room: Room
    participant: str
    connection: Connection


class Rooms:
    """The conversations. An async context manager: what it leaves, the next process goes on with.

    Mutable state: `_rooms` by id, and `_connections` by room and participant.
    """

    def __init__(
        self,
        translator: Translator,
        gate: Gate,
        glossaries: Glossaries,
        settings: Settings,
        bounds: Bounds = BOUNDS,
    ) -> None:
        self._gate = gate
        self._bounds = bounds
        self._workers = settings.workers
        self._translations = Translations(translator, gate, glossaries, self._tell)
        self._outbox = Outbox(data_path(settings) / FILE_NAME)
        self._rooms: dict[str, Room] = {}
        self._connections: dict[tuple[str, str], Connection] = {}

    async def __aenter__(self) -> Self:
        if self._workers == 1:
            for state, messages in await self._outbox.load():
                self._restore(Room(state, messages, self._bounds))
        self._looking = asyncio.create_task(self._look_for_what_is_over(), name="conversations that are over")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._looking.cancel()
        await asyncio.gather(self._looking, return_exceptions=True)
        await self._translations.stop()
        await self._outbox.close()

    # For their owner

    def open(self, owner: str, rules: Rules, ttl_s: float | None) -> Room:
        """A new conversation. Raises Overloaded and TooManyRequests where there are too many, and UnknownConversation
        where this server can have none.
        """
        self._check_place(owner)
        now = time.time()
        lives_s = min(ttl_s or self._bounds.ttl_s, self._bounds.max_ttl_s)
        state = State(
            id=secrets.token_urlsafe(16),
            owner=owner,
            rules=rules,
            created_at=now,
            expires_at=now + lives_s,
            active_at=now,
        )
        room = self._rooms[state.id] = Room(state, bounds=self._bounds)
        self._tell(room, [])
        return room

    def of(self, owner: str) -> list[Room]:
        """An owner's conversations, the newest first."""
        self._check_processes()
        mine = [room for room in self._rooms.values() if room.state.owner == owner]
        return sorted(mine, key=lambda room: room.state.created_at, reverse=True)

    def find(self, room_id: str, owner: str | None = None) -> Room:
        """A conversation, `owner` None for anybody's. Raises UnknownConversation."""
        self._check_processes()
        room = self._rooms.get(room_id)
        if room is None or owner not in (None, room.state.owner) or room.over(time.time()) is not None:
            raise UnknownConversation(_UNKNOWN, field="id")
        return room

    def invite(self, room: Room, name: str, language: str | None) -> str:
        """A token that lets one person in, and afterwards only them. Raises ConversationFull and UnknownLanguage."""
        token = _new_token(room)
        room.invite(_digest(token), name, language)
        self._tell(room, [])
        return token

    async def end(self, room: Room, reason: str) -> None:
        """End a conversation: everybody is told, and nothing of it is kept."""
        if self._rooms.pop(room.state.id, None) is None:
            return
        leaving = [self._connections.pop(key) for key in [key for key in self._connections if key[0] == room.state.id]]
        frame = Frame(msgspec.json.encode(ClosedEvent(reason)))
        tellings = [telling for one in leaving for telling in (partial(one.put, frame), partial(one.close, OVER))]
        self._outbox.post(Entry(room.state.id, None), tellings)
        await self._translations.stop(room.state.id)

    # For those who talk

    async def enter(self, room_id: str, join: Join, connection: Connection) -> Seat:
        """Let somebody in by their token or the owner's key. What they missed goes to their connection.

        Raises UnknownConversation, also for a wrong token, what the gate refuses, and what `Room.join` does.
        """
        token = await self._token(self.find(room_id), join)
        room = self.find(room_id)  # it may have ended meanwhile
        participant, outs = room.join(_digest(token), join.name, join.language, time.time(), join.last_event)
        key = (room_id, participant)
        if key in self._connections:
            self._connections[key].cut(REPLACED)
        self._connections[key] = connection
        joined = Frame(msgspec.json.encode(room.joined(participant, token, join.last_event)), room.state.last_event)
        self._tell(room, outs, [partial(connection.put, joined)])
        return Seat(room, participant, connection)

    def hear(self, seat: Seat, said: ClientMessage) -> None:
        """Take what somebody sent; what is refused is told them. Nothing where their connection was replaced."""
        if not self._is_there(seat):
            return
        try:
            self._tell(seat.room, self._done(seat, said), is_kept=not isinstance(said, Type | Ping))
        except InvalidRequest as error:
            self.refuse(seat, error, said.client_id if isinstance(said, Say) else UNSET)
        if isinstance(said, Say | Again):
            self._translations.start(seat.room)

    def refuse(self, seat: Seat, error: DragomanError, client_id: str | UnsetType = UNSET) -> None:
        """Tell somebody alone that what they sent cannot be."""
        problem = problem_of(error, f"conversation {seat.room.state.id}")
        frame = Frame(msgspec.json.encode(ErrorEvent(error=problem, client_id=client_id)))
        self._outbox.post(None, [partial(seat.connection.put, frame)])

    def reached(self, seat: Seat, event: int) -> None:
        """Note that everything up to an event was sent to somebody."""
        if self._is_there(seat):
            outs = seat.room.deliver(seat.participant, event)
            if outs:
                self._tell(seat.room, outs)

    def part(self, seat: Seat) -> None:
        """A connection is gone. Nothing where another took its place, or its participant left."""
        if self._is_there(seat):
            del self._connections[seat.room.state.id, seat.participant]
            self._tell(seat.room, seat.room.drop(seat.participant, time.time()))

    # Inside

    def _done(self, seat: Seat, said: ClientMessage) -> list[Out]:
        room, participant = seat.room, seat.participant
        match said:
            case Say(client_id=client_id, text=text):
                return room.say(participant, client_id, text, time.time())
            case Type(on=on):
                return room.type(participant, on)
            case See(event=event):
                return room.see(participant, event)
            case Speak(language=language):
                return room.speak(participant, language)
            case Again(id=message_id):
                room.again(participant, message_id)
                return []
            case Ping():
                return [Out((participant,), PongEvent())]
            case Leave():
                del self._connections[room.state.id, participant]
                return room.leave(participant, time.time())
            case Join():
                raise InvalidRequest("You joined already; join another conversation on another connection.")

    async def _token(self, room: Room, join: Join) -> str:
        """The token that the bearer is known by from now on."""
        if join.token is not None:
            if not room.knows(_digest(join.token)):
                raise UnknownConversation(_UNKNOWN, field="token")
            return join.token
        caller = await self._gate.admit(join.key)
        if caller.key_id != room.state.owner:
            raise UnknownConversation(_UNKNOWN, field="id")
        return _new_token(room)

    def _tell(self, room: Room, outs: Sequence[Out], first: Sequence[Telling] = (), *, is_kept: bool = True) -> None:
        """Keep what changed, then tell those who are connected now. Who comes later finds it in the history."""
        if self._rooms.get(room.state.id) is not room:
            return  # it ended
        tellings = [*first]
        for out in outs:
            frame = Frame(msgspec.json.encode(out.event), _mark_of(out.event))
            tellings += [partial(one.put, frame) for one in self._connected(room, out.to)]
        self._outbox.post(entry_of(room.take_changes()) if is_kept else None, tellings)

    def _connected(self, room: Room, to: Sequence[str]) -> list[Connection]:
        found = (self._connections.get((room.state.id, participant)) for participant in to)
        return [connection for connection in found if connection is not None]

    def _is_there(self, seat: Seat) -> bool:
        return self._connections.get((seat.room.state.id, seat.participant)) is seat.connection

    def _restore(self, room: Room) -> None:
        """Go on with a conversation of an earlier process: nobody is connected, and translations may be missing."""
        room.nobody_is_there()
        self._rooms[room.state.id] = room
        self._translations.start(room)

    def _check_processes(self) -> None:
        if self._workers > 1:
            raise UnknownConversation(_SEVERAL_PROCESSES.format(workers=self._workers))

    def _check_place(self, owner: str) -> None:
        if len(self.of(owner)) >= MAX_ROOMS_OF_ONE:
            raise TooManyRequests(
                f"You have {MAX_ROOMS_OF_ONE} conversations open; delete those that are done.",
                retry_after_s=TRY_AGAIN_S,
            )
        if len(self._rooms) >= MAX_ROOMS:
            raise Overloaded("There is no room for another conversation; try again later.", retry_after_s=TRY_AGAIN_S)

    async def _look_for_what_is_over(self) -> None:
        while True:
            now = time.time()
            for room in list(self._rooms.values()):
                reason = room.over(now)
                if reason is not None:
                    await self.end(room, reason)
            await asyncio.sleep(LOOK_EVERY_S)


def _mark_of(event: ServerEvent) -> int:
    return event.event if isinstance(event, MessageEvent) else 0


def _new_token(room: Room) -> str:
    """The conversation's id and a secret, so that whoever has nothing but the token knows where to go."""
    return f"{room.state.id}.{secrets.token_urlsafe(24)}"


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()

"""The routes of conversations, `/v1/conversations`: what goes over HTTP, what each does, and its documentation."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import WebSocketRoute

from dragoman.errors import InvalidRequest
from dragoman.server.body import JsonBody
from dragoman.server.conversations.events import Person
from dragoman.server.conversations.room import Room
from dragoman.server.conversations.rooms import Rooms
from dragoman.server.conversations.socket import ConversationSocket
from dragoman.server.conversations.state import FormalityWish, Rules
from dragoman.server.endpoint import Endpoint, json_answer, native_failure
from dragoman.server.gate import native_key
from dragoman.server.openapi import Operation
from dragoman.server.service import Service

PATH = "/v1/conversations"
MAX_TTL_S = 7 * 24 * 3600


class NewConversation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A conversation to open. `glossary`, `formality` and `no_store` are those of `/v1/translate`."""

    title: Annotated[str, Meta(max_length=200)] = ""
    glossary: Annotated[str | list[str] | None, Meta(description="names or ids of stored glossaries")] = None
    formality: FormalityWish | None = None
    no_store: Annotated[bool, Meta(description="remember no translation of it")] = False
    ttl_s: Annotated[
        Annotated[float, Meta(gt=0, le=MAX_TTL_S)] | None,
        Meta(description="seconds until it ends; left out, a day"),
    ] = None


class NewInvitation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody to invite; what is said here they need not say."""

    language: str | None = None
    name: Annotated[str, Meta(max_length=200)] = ""


class ShownInvitation(Struct, frozen=True):
    """The token, `ID.SECRET`, lets one person into the conversation ID. `path` is where the page takes it."""

    token: str
    path: str


class ShownConversation(Struct, frozen=True, kw_only=True):
    """A conversation. `invitations` is where tokens are made; `messages` is how many are kept, `event` the last."""

    id: str
    title: str
    glossary: tuple[str, ...]
    formality: str | None
    created_at: datetime
    expires_at: datetime
    active_at: datetime
    invitations: str
    invited: int
    messages: int
    event: int
    participants: tuple[Person, ...]


class ShownConversations(Struct, frozen=True):
    """All conversations of a key, the newest first."""

    conversations: Sequence[ShownConversation]


class ConversationHandlers:
    """The handlers of `/v1/conversations`. Each key has conversations of its own, and sees no others."""

    def __init__(self, service: Service, rooms: Rooms) -> None:
        self._service = service
        self._rooms = rooms
        self._new = JsonBody(NewConversation, service.settings.max_body_bytes)
        self._invitation = JsonBody(NewInvitation, service.settings.max_body_bytes)

    async def create(self, request: Request) -> Response:
        """`POST /v1/conversations`"""
        owner = await self._owner(request)
        asked = await self._new.read(request)
        rules = await self._rules(asked, owner)
        room = self._rooms.open(owner, rules, asked.ttl_s)
        return json_answer(_shown(room), {"Location": f"{PATH}/{room.state.id}"}, 201)

    async def list_all(self, request: Request) -> Response:
        """`GET /v1/conversations`"""
        return json_answer(ShownConversations([_shown(room) for room in self._rooms.of(await self._owner(request))]))

    async def show(self, request: Request) -> Response:
        """`GET /v1/conversations/{id}`"""
        return json_answer(_shown(await self._room(request)))

    async def delete(self, request: Request) -> Response:
        """`DELETE /v1/conversations/{id}`"""
        await self._rooms.end(await self._room(request), "deleted")
        return Response(status_code=204)

    async def invite(self, request: Request) -> Response:
        """`POST /v1/conversations/{id}/invitations`"""
        room = await self._room(request)
        asked = await self._invitation.read(request)
        token = self._rooms.invite(room, asked.name, asked.language)
        return json_answer(ShownInvitation(token, f"/chat#{token}"), status=201)

    async def _owner(self, request: Request) -> str:
        return (await self._service.gate.admit(native_key(request))).key_id

    async def _room(self, request: Request) -> Room:
        return self._rooms.find(request.path_params["id"], await self._owner(request))

    async def _rules(self, asked: NewConversation, owner: str) -> Rules:
        """Refuses now what would fail every message."""
        info = self._service.translator.info
        if asked.formality in ("more", "less") and "instructions" not in info.can:
            raise InvalidRequest(
                f"The model {info.model} follows no instructions, so it cannot be asked for formality. Leave it out, "
                f"or ask for 'prefer_{asked.formality}'.",
                field="formality",
            )
        names = [asked.glossary] if isinstance(asked.glossary, str) else asked.glossary or []
        for name in names:
            await self._service.glossaries.load(name, owner)
        return Rules(title=asked.title, glossary=tuple(names), formality=asked.formality, no_store=asked.no_store)


def conversation_socket(rooms: Rooms) -> WebSocketRoute:
    """Where participants connect."""
    return WebSocketRoute(f"{PATH}/{{id}}", ConversationSocket(rooms).serve)


def conversation_operations(service: Service, rooms: Rooms) -> list[Operation]:
    """The routes, for the table of the app."""
    handlers = ConversationHandlers(service, rooms)
    return [
        Operation(
            method="POST",
            path=PATH,
            scope="translate",
            endpoint=Endpoint(handlers.create, native_failure),
            summary="Open a conversation",
            description="People join it over `WS /v1/conversations/{id}`, each with a language, and get every message "
            "in it.",
            request=NewConversation,
            example={"title": "Order 4711", "formality": "prefer_more"},
            answer=ShownConversation,
            status=201,
            failures=(400, 404, 413, 415, 429, 503),
        ),
        Operation(
            method="GET",
            path=PATH,
            scope="translate",
            endpoint=Endpoint(handlers.list_all, native_failure),
            summary="List the conversations",
            description="Those of this key that are not over, the newest first, with who is there.",
            answer=ShownConversations,
            failures=(404,),
        ),
        Operation(
            method="GET",
            path=f"{PATH}/{{id}}",
            scope="translate",
            endpoint=Endpoint(handlers.show, native_failure),
            summary="Show a conversation",
            description="Who takes part, who is there, and how far each has read.",
            answer=ShownConversation,
            failures=(404,),
        ),
        Operation(
            method="DELETE",
            path=f"{PATH}/{{id}}",
            scope="translate",
            endpoint=Endpoint(handlers.delete, native_failure),
            summary="End a conversation",
            description="Everybody in it is told, and its messages are deleted.",
            answer=None,
            status=204,
            failures=(404,),
        ),
        Operation(
            method="POST",
            path=f"{PATH}/{{id}}/invitations",
            scope="translate",
            endpoint=Endpoint(handlers.invite, native_failure),
            summary="Invite somebody to a conversation",
            description="The token lets in the first who uses it, and afterwards only them: it is how they come back.",
            request=NewInvitation,
            example={"name": "Ana", "language": "es"},
            answer=ShownInvitation,
            status=201,
            failures=(400, 404, 409, 413, 415, 422),
        ),
    ]


def _shown(room: Room) -> ShownConversation:
    state = room.state
    return ShownConversation(
        id=state.id,
        title=state.rules.title,
        glossary=state.rules.glossary,
        formality=state.rules.formality,
        created_at=datetime.fromtimestamp(state.created_at, UTC),
        expires_at=datetime.fromtimestamp(state.expires_at, UTC),
        active_at=datetime.fromtimestamp(state.active_at, UTC),
        invitations=f"{PATH}/{state.id}/invitations",
        invited=len(state.invitations),
        messages=room.message_count,
        event=state.last_event,
        participants=tuple(person.as_seen for person in state.people.values()),
    )

"""The admin API, `/v1/keys`: API keys made, listed, limited and revoked by who has a key with the scope admin."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response

from dragoman.memory.key_file import KeyInfo, KeyLimits, Limit, LimitName, Scope
from dragoman.memory.usage import windows_of
from dragoman.server.body import JsonBody
from dragoman.server.endpoint import Endpoint, Handler, json_answer, native_failure
from dragoman.server.gate import KeyGate, behind
from dragoman.server.openapi import Operation
from dragoman.settings import Settings

BODY_FAILURES = (400, 413, 415)


class NewKey(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key to make."""

    name: Annotated[str, Meta(description="whose it is; no two keys in use have the same")]
    scopes: frozenset[Scope] = frozenset({"translate"})
    limits: KeyLimits = KeyLimits()


class ChangedKey(Struct, frozen=True, forbid_unknown_fields=True):
    """Limits to change; null takes one away, and those not named stay."""

    limits: dict[LimitName, Limit | None]


class StoredKey(Struct, frozen=True, kw_only=True):
    """A key without its secret. Times are ISO 8601, in UTC; a key with `revoked_at` lets nobody in."""

    id: str
    name: str
    scopes: Sequence[Scope]
    limits: KeyLimits
    created_at: datetime
    revoked_at: datetime | None
    characters_this_month: int


class MadeKey(StoredKey, frozen=True, kw_only=True):
    """A new key: the only answer that ever holds it."""

    key: str


class StoredKeys(Struct, frozen=True):
    """All keys, the oldest first."""

    keys: Sequence[StoredKey]


class AdminHandlers:
    """The handlers of `/v1/keys`. A key is named by its id or its name."""

    def __init__(self, gate: KeyGate, settings: Settings) -> None:
        self._keyring = gate.keyring
        self._new = JsonBody(NewKey, settings.max_body_bytes)
        self._changed = JsonBody(ChangedKey, settings.max_body_bytes)

    async def list_all(self, request: Request) -> Response:
        """`GET /v1/keys`"""
        return json_answer(StoredKeys([self._stored(info) for info in await self._keyring.list_all()]))

    async def add(self, request: Request) -> Response:
        """`POST /v1/keys`"""
        asked = await self._new.read(request)
        key, info = await self._keyring.add(asked.name, asked.scopes, asked.limits)
        stored = self._stored(info)
        made = MadeKey(key=key, **{name: getattr(stored, name) for name in stored.__struct_fields__})
        return json_answer(made, {"Cache-Control": "no-store", "Location": f"/v1/keys/{info.id}"}, 201)

    async def limit(self, request: Request) -> Response:
        """`PATCH /v1/keys/{id}`"""
        asked = await self._changed.read(request)
        return json_answer(self._stored(await self._keyring.limit(request.path_params["id"], asked.limits)))

    async def revoke(self, request: Request) -> Response:
        """`DELETE /v1/keys/{id}`"""
        await self._keyring.revoke(request.path_params["id"])
        return Response(status_code=204)

    def _stored(self, info: KeyInfo) -> StoredKey:
        month = windows_of(time.time()).month
        return StoredKey(
            id=info.id,
            name=info.name,
            scopes=sorted(info.scopes),
            limits=info.limits,
            created_at=datetime.fromtimestamp(info.created_at, UTC),
            revoked_at=None if info.revoked_at is None else datetime.fromtimestamp(info.revoked_at, UTC),
            characters_this_month=self._keyring.meter.used(info.id, month).characters,
        )


def admin_operations(gate: KeyGate, settings: Settings) -> list[Operation]:
    """The routes, for the table of the app."""
    handlers = AdminHandlers(gate, settings)

    def endpoint(handler: Handler) -> Endpoint:
        return Endpoint(behind(gate, "admin", handler), native_failure)

    return [
        Operation(
            method="GET",
            path="/v1/keys",
            scope="admin",
            endpoint=endpoint(handlers.list_all),
            summary="List the API keys",
            description="Scopes, limits and what was used this month; never the keys themselves.",
            answer=StoredKeys,
        ),
        Operation(
            method="POST",
            path="/v1/keys",
            scope="admin",
            endpoint=endpoint(handlers.add),
            summary="Make an API key",
            description="The answer holds the key, this one time. Limits are for calendar minutes, days and months in "
            "UTC; characters are counted in source texts, once for each target.",
            request=NewKey,
            example={"name": "shop", "scopes": ["translate"], "limits": {"characters_per_month": 1_000_000}},
            answer=MadeKey,
            status=201,
            failures=BODY_FAILURES,
        ),
        Operation(
            method="PATCH",
            path="/v1/keys/{id}",
            scope="admin",
            endpoint=endpoint(handlers.limit),
            summary="Limit an API key",
            description="Limits that are named change, null takes one away, the others stay.",
            request=ChangedKey,
            example={"limits": {"characters_per_month": 2_000_000, "requests_per_minute": None}},
            answer=StoredKey,
            failures=(*BODY_FAILURES, 404),
        ),
        Operation(
            method="DELETE",
            path="/v1/keys/{id}",
            scope="admin",
            endpoint=endpoint(handlers.revoke),
            summary="Revoke an API key",
            description="It stays listed, and lets nobody in any more: here at once, in other processes of the server "
            "within a second.",
            answer=None,
            status=204,
            failures=(404,),
        ),
    ]

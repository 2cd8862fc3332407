"""One dialect's routes in an app, over a translator and a gate that do what the test says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, cast

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Route

from dragoman.errors import DragomanError, Unauthorized
from dragoman.memory.glossaries import Glossaries
from dragoman.server.documents import Documents
from dragoman.server.endpoint import framework_failure
from dragoman.server.gate import Caller, Scope, Usage
from dragoman.server.request_id import RequestId
from dragoman.server.service import Service
from dragoman.settings import Settings
from dragoman.types import TranslateRequest, Translation
from tests.server.scripted import ScriptedTranslator

if TYPE_CHECKING:
    from dragoman.core.translator import Translator


class Speaker(ScriptedTranslator):
    """A scripted translator; `alternatives` go with every translation."""

    alternatives: tuple[str, ...] = ()

    def _outcome(self, text: str, target: str, request: TranslateRequest) -> Translation | DragomanError:
        outcome = super()._outcome(text, target, request)
        if isinstance(outcome, DragomanError):
            return outcome
        return msgspec.structs.replace(outcome, alternatives=self.alternatives[: request.wishes.alternatives])


class Doorkeeper:
    """A gate that asks for `key`, if it has one, raises `refusal` on a charge, and notes what was charged."""

    def __init__(self) -> None:
        self.key: str | None = None
        self.refusal: DragomanError | None = None
        self.charged: list[int] = []

    async def admit(self, key: str | None, scope: Scope = "translate") -> Caller:
        if self.key is not None and key != self.key:
            raise Unauthorized("No such key.")
        return Caller("1")

    async def charge(self, caller: Caller, characters: int) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.charged.append(characters)

    async def charge_job(self, caller: Caller, characters: int) -> None:
        await self.charge(caller, characters)

    async def usage(self, caller: Caller) -> Usage:
        return Usage(sum(self.charged))


def service_over(
    translator: Speaker, gate: Doorkeeper, documents: Documents | None = None, max_body_bytes: int = 10_000
) -> Service:
    settings = Settings(max_body_bytes=max_body_bytes, max_texts=100, max_characters=5000)
    return Service(cast("Translator", translator), settings, gate, Glossaries(Path("none")), documents)


def app_with(service: Service, *routes: Callable[[Service], list[Route]]) -> Starlette:
    return Starlette(
        routes=[route for each in routes for route in each(service)],
        middleware=[Middleware(RequestId)],
        exception_handlers={HTTPException: framework_failure},
    )

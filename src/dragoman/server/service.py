"""What every dialect's handlers work with: the translator behind the gate, and the settings."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from starlette.requests import Request

from dragoman.errors import DragomanError, InvalidRequest, TooLarge
from dragoman.memory.glossaries import Glossaries
from dragoman.server.disconnect import until_client_leaves
from dragoman.server.documents import Documents
from dragoman.server.gate import Caller, Gate
from dragoman.settings import Settings
from dragoman.text.detect import detect
from dragoman.types import Detected, Glossary, TranslateRequest, Translation

if TYPE_CHECKING:
    from dragoman.core.telling import Telling
    from dragoman.core.translator import Translator
    from dragoman.server.conversations.rooms import Rooms
    from dragoman.server.jobs.jobs import Jobs

Outcomes = list[Translation | DragomanError]


class Service:
    """The one door from a dialect to the core. Owns nothing. `documents` is None where none are taken, `conversations`
    and `jobs` where there are none.
    """

    def __init__(
        self,
        translator: Translator,
        settings: Settings,
        gate: Gate,
        glossaries: Glossaries,
        documents: Documents | None = None,
        conversations: Rooms | None = None,
        jobs: Jobs | None = None,
    ) -> None:
        self.translator = translator
        self.settings = settings
        self.gate = gate
        self.glossaries = glossaries
        self.documents = documents
        self.conversations = conversations
        self.jobs = jobs

    def stop(self) -> None:
        """Begin to stop what goes on without a request."""
        if self.jobs is not None:
            self.jobs.stop()

    async def translate(self, request: Request, wanted: TranslateRequest, caller: Caller) -> Outcomes:
        """Charge the caller for the characters and translate; a client who leaves ends the work.

        Raises what the gate refuses (QuotaExceeded, TooManyRequests) and what the translator does.
        """
        return await until_client_leaves(self.run(wanted, caller), request.receive)

    async def run(self, wanted: TranslateRequest, caller: Caller) -> Outcomes:
        """`translate` where somebody else watches the connection, and cancels this when the client leaves."""
        await self._charge(wanted, caller)
        return await self.translator.translate(wanted)

    @asynccontextmanager
    async def stream(self, wanted: TranslateRequest, caller: Caller) -> AsyncIterator[Telling]:
        """`run`, told of while it goes on. Leaving it cancels the work."""
        await self._charge(wanted, caller)
        async with self.translator.stream(wanted) as telling:
            yield telling

    async def glossaries_of(self, names: Sequence[str], caller: Caller) -> list[Glossary]:
        """The caller's stored glossaries of these names or ids. Raises UnknownGlossary."""
        return [await self.glossaries.load(name, caller.key_id) for name in names]

    async def _charge(self, wanted: TranslateRequest, caller: Caller) -> None:
        self.translator.check(wanted)  # what is refused costs nothing
        characters = sum(map(len, wanted.texts)) * len(wanted.targets)
        await self.gate.charge(caller, characters)

    async def detect(self, texts: Sequence[str], caller: Caller) -> list[Detected | None]:
        """Charge the caller and tell the language of each text, among those that are translated from; None where none
        can be told.

        Raises TooLarge and what the gate refuses.
        """
        if len(texts) > self.settings.max_texts:
            raise TooLarge(
                f"{len(texts)} texts are more than the {self.settings.max_texts} one request may ask for; send them in "
                "several requests.",
                field="text",
                limit=self.settings.max_texts,
            )
        await self.gate.charge(caller, sum(map(len, texts)))
        pairs = self.translator.info.pairs
        return await asyncio.to_thread(_detected, texts, None if pairs is None else {pair.source for pair in pairs})


def translations_of(outcomes: Outcomes) -> list[Translation]:
    """All translations, for dialects that cannot say that one of them failed. Raises the first error."""
    done = [outcome for outcome in outcomes if isinstance(outcome, Translation)]
    for outcome in outcomes:
        if isinstance(outcome, DragomanError):
            raise outcome
    return done


def _detected(texts: Sequence[str], candidates: Collection[str] | None) -> list[Detected | None]:
    found: list[Detected | None] = []
    for text in texts:
        try:
            found.append(detect(text, candidates))
        except InvalidRequest:
            found.append(None)
    return found

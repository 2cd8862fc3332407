"""Translates what is said in conversations: each message once for each language, with patience for the engine."""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
from collections import Counter
from collections.abc import Callable
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from dragoman.errors import (
    DeadlineExceeded,
    DragomanError,
    EngineTimeout,
    EngineUnavailable,
    Overloaded,
    ShuttingDown,
)
from dragoman.memory.glossaries import Glossaries
from dragoman.server.conversations.room import Room
from dragoman.server.conversations.state import Message, Out
from dragoman.server.gate import Caller, Gate
from dragoman.server.problems import problem_of
from dragoman.server.schemas import NativeRequest
from dragoman.types import TranslateRequest, Translation

if TYPE_CHECKING:
    from dragoman.core.translator import Translator

log = logging.getLogger(__name__)

AT_ONCE = 4
"""Translations of one conversation under way at a time: one that is flooded holds nobody else up."""
FIRST_RETRY_S, LAST_RETRY_S = 0.5, 10.0
GIVE_UP_S = 600.0
PASSING = (EngineUnavailable, EngineTimeout, Overloaded, DeadlineExceeded)
"""What another try may mend."""

Job = tuple[str, str, str]
"""Conversation, message and language."""


class Translations:
    """The work under way. `tell` gets what became of it. Mutable state: `_tasks` by job, `_busy` by conversation, and
    `_stopped` once the translator takes nothing any more.
    """

    def __init__(
        self, translator: Translator, gate: Gate, glossaries: Glossaries, tell: Callable[[Room, list[Out]], None]
    ) -> None:
        self._translator = translator
        self._gate = gate
        self._glossaries = glossaries
        self._tell = tell
        self._tasks: dict[Job, asyncio.Task[None]] = {}
        self._busy: Counter[str] = Counter()
        self._stopped = False

    def start(self, room: Room) -> None:
        """Begin what the conversation waits for, as far as there is room."""
        name = room.state.id
        new = (one for one in room.wanted() if (name, one[0].id, one[1]) not in self._tasks)
        for message, language in [] if self._stopped else list(islice(new, AT_ONCE - self._busy[name])):
            job = (name, message.id, language)
            task = asyncio.create_task(self._work(room, message, language), name=f"translate {job}")
            self._tasks[job] = task
            self._busy[name] += 1
            task.add_done_callback(partial(self._ended, room, job))

    async def stop(self, room_id: str | None = None) -> None:
        """End the work for one conversation, or for all."""
        self._stopped = self._stopped or room_id is None
        tasks = [task for (name, _, _), task in self._tasks.items() if room_id in (None, name)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, room: Room, job: Job, task: asyncio.Task[None]) -> None:
        del self._tasks[job]
        self._busy[room.state.id] -= 1
        if not self._busy[room.state.id]:
            del self._busy[room.state.id]
        if not task.cancelled():
            self.start(room)

    async def _work(self, room: Room, message: Message, language: str) -> None:
        """Translate a message into one language, whatever comes of it."""
        try:
            done = await self._translate(room, message, language)
        except ShuttingDown:  # it is still wanted, and begun anew when the server starts again
            self._stopped = True
        except DragomanError as error:
            self._failed(room, message, language, error)
        except Exception as error:  # of the unexpected the log gets no words: they may hold text
            frames = "".join(traceback.format_tb(error.__traceback__))
            log.error("A message was not translated. This is a bug: %s at\n%s", type(error).__name__, frames)
            self._failed(room, message, language, DragomanError())
        else:
            if room.wants(message.id, language):
                self._tell(room, room.translated(message.id, language, done.text, done.findings))

    async def _translate(self, room: Room, message: Message, language: str) -> Translation:
        """Charge the owner once and try until it works, or the time to try is over. Raises what went wrong."""
        wanted = await self._request(room, message, language)
        self._translator.check(wanted)
        await self._gate.charge(Caller(room.state.owner), len(message.text))
        give_up_at, delay_s = time.monotonic() + GIVE_UP_S, FIRST_RETRY_S
        while True:
            try:
                return await self._tried(wanted)
            except PASSING as error:
                if time.monotonic() + delay_s > give_up_at:
                    raise
                if delay_s == FIRST_RETRY_S:
                    self._failed(room, message, language, error, retrying=True)
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, LAST_RETRY_S)

    async def _tried(self, wanted: TranslateRequest) -> Translation:
        (outcome,) = await self._translator.translate(wanted)
        if isinstance(outcome, DragomanError):
            raise outcome
        return outcome

    async def _request(self, room: Room, message: Message, language: str) -> TranslateRequest:
        rules = room.state.rules
        glossaries = [await self._glossaries.load(name, room.state.owner) for name in rules.glossary]
        follows = "instructions" in self._translator.info.can
        return NativeRequest(
            text=message.text,
            source=message.language,
            target=language,
            formality=rules.formality,
            no_store=rules.no_store,
            context=room.context_of(message) if follows else "",
        ).wanted(None, glossaries)

    def _failed(
        self, room: Room, message: Message, language: str, error: DragomanError, *, retrying: bool = False
    ) -> None:
        if room.wants(message.id, language):
            problem = problem_of(error, f"conversation {room.state.id}")
            self._tell(room, room.failed(message.id, language, problem, retrying=retrying))

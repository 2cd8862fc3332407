"""The way of one request: prepare, look up, fly, judge, repair, finish."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import chain
from types import TracebackType
from typing import ParamSpec, Self, TypeVar

from msgspec import structs

from dragoman.core import plan as planning
from dragoman.core import repair
from dragoman.core.flights import Flown
from dragoman.core.plan import Limits, Plan
from dragoman.core.pool import Pool
from dragoman.core.scheduler import Scheduler, Scheduling
from dragoman.core.sentence import Answer, Sentence, another, judge
from dragoman.core.telling import Telling
from dragoman.errors import DragomanError, EngineUnavailable, Overloaded, ShuttingDown
from dragoman.memory.base import Entry
from dragoman.memory.keys import key_of, key_of_human
from dragoman.memory.tiers import TieredMemory
from dragoman.telemetry import Tally
from dragoman.types import EngineInfo, Output, Readiness, Segment, TranslateRequest, Translation

log = logging.getLogger(__name__)

CHARACTERS_ON_LOOP = 300
"""Work on more text than this happens in a thread: it would hold the event loop for some milliseconds."""

PREPARED_AT_ONCE = 16
"""How many requests are prepared in one turn of the event loop. Ten thousand that come together would otherwise hold it
for many seconds, and connections to the engine that are being opened meanwhile would count as timed out.
"""

MARKUP_WORK = 2
"""How much more work a character of markup is than one of plain text."""

P = ParamSpec("P")
R = TypeVar("R")


class Translator:
    """Translates texts through a pool of engines and a memory; an async context manager that owns neither.

    Leaving it takes no new requests and waits up to `grace_s` for those under way. What is left after that ends when
    the pool closes its engines.
    """

    def __init__(
        self, pool: Pool, memory: TieredMemory | None, limits: Limits, queue: Scheduling, *, grace_s: float = 0.0
    ) -> None:
        self._pool = pool
        self._memory = memory
        self._limits = limits
        self._scheduler = Scheduler(pool, queue)
        self._grace_s = grace_s
        self._preparing = asyncio.Semaphore(PREPARED_AT_ONCE)
        self.translations = Tally()

    def __repr__(self) -> str:
        return f"<Translator on {self.info.name} {self.info.model}: {self._scheduler!r}>"

    @property
    def info(self) -> EngineInfo:
        """What the pool's model is and can do, as the latest probes told."""
        return self._pool.info

    @property
    def readiness(self) -> Readiness:
        """Whether any replica answered its latest probe."""
        return self._pool.readiness

    @property
    def pool(self) -> Pool:
        """The replicas."""
        return self._pool

    @property
    def memory(self) -> TieredMemory | None:
        """The memory, if there is one."""
        return self._memory

    @property
    def scheduler(self) -> Scheduler:
        """What waits and what flies."""
        return self._scheduler

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._scheduler.close()
        try:
            async with asyncio.timeout(self._grace_s):
                await self._scheduler.drained()
        except TimeoutError:
            log.warning("Stopping with work under way after a grace of %g s: %r", self._grace_s, self._scheduler)

    async def ready(self) -> None:
        """Return once an engine has answered a probe. Raises ConfigurationError where none ever will."""
        await self._pool.ready()

    def check(self, request: TranslateRequest) -> None:
        """Refuse what is too large or cannot be meant, as `translate` does before it begins. Raises InvalidRequest."""
        planning.check(request, self._limits)

    async def translate(
        self, request: TranslateRequest, telling: Telling | None = None
    ) -> list[Translation | DragomanError]:
        """Translate each text into each target: all targets of the first text, then of the second, and so on.

        A text that failed stands as its error in its place. `telling` is told what happens meanwhile. Raises
        InvalidRequest, Overloaded, ShuttingDown or EngineUnavailable before anything is started. Cancelling cancels the
        work in the engine too.
        """
        started = time.perf_counter()
        deadline = asyncio.get_running_loop().time() + (request.timeout_s or self._limits.timeout_s)
        self.check(request)
        plan = await self._prepare(request)
        prepare_ms = (time.perf_counter() - started) * 1e3
        if telling is not None:
            telling.planned(plan, len(request.targets))
        answers, alternatives = await self._answers(plan.sentences, request, deadline, telling)
        results = planning.finish(
            plan, answers, self.info, prepare_ms, alternatives=alternatives, strict=request.wishes.strict
        )
        self.translations.count_each("translated", results)
        total_ms = (time.perf_counter() - started) * 1e3
        results = [_with_total(result, total_ms) for result in results]
        if telling is not None:
            telling.finished(answers, results)
        return results

    @asynccontextmanager
    async def stream(self, request: TranslateRequest) -> AsyncIterator[Telling]:
        """Translate as `translate` does, and have it told meanwhile; who leaves before the end cancels the work.

        What `translate` raises is raised by the telling's `news`.
        """
        telling = Telling(self.info)
        work = asyncio.create_task(self.translate(request, telling), name="streamed translation")
        work.add_done_callback(telling.ended)
        try:
            yield telling
        finally:
            work.cancel()
            await asyncio.wait([work])

    async def translate_text(self, text: str, *, target: str, source: str | None = None) -> Translation:
        """Translate one text into one language. Raises what went wrong."""
        (result,) = await self.translate(TranslateRequest(texts=(text,), targets=(target,), source=source))
        if isinstance(result, DragomanError):
            raise result
        return result

    async def _prepare(self, request: TranslateRequest) -> Plan:
        async with self._preparing:
            await asyncio.sleep(0)
            return await self._prepared(request)

    async def _prepared(self, request: TranslateRequest) -> Plan:
        characters = sum(map(len, request.texts)) * (1 if request.format == "text" else MARKUP_WORK)
        if request.wishes.glossaries:  # the first use of one makes its automaton
            return await asyncio.to_thread(planning.prepare, request, self.info)
        return await _aside(characters, planning.prepare, request, self.info)

    async def _answers(
        self, sentences: Sequence[Sentence], request: TranslateRequest, deadline: float, telling: Telling | None
    ) -> tuple[list[Answer], list[list[Answer]]]:
        """The best answer to each sentence, and as many sets of other ones as are wanted and the engine can give."""
        if not sentences:
            return [], []
        wanted = request.wishes.alternatives if "sampling" in self.info.can else 0
        others = [[another(one, number + 1) for one in sentences] for number in range(wanted)]
        answers = await self._asked([*sentences, *chain.from_iterable(others)], request, deadline, telling)
        best = await self._repaired(sentences, answers[: len(sentences)], request, deadline)
        return best, [
            answers[start : start + len(sentences)] for start in range(len(sentences), len(answers), len(sentences))
        ]

    async def _asked(
        self,
        sentences: Sequence[Sentence],
        request: TranslateRequest,
        deadline: float,
        telling: Telling | None = None,
    ) -> list[Answer]:
        """What the memory or the engine answers to each sentence, judged; what is sound is remembered."""
        flown = await self._outcomes(sentences, request, deadline, telling)
        characters = sum(len(sentence.run.text) for sentence in sentences)
        answers = await _aside(characters, _judged, sentences, flown, self.info.name)
        if not request.no_store:
            await self._remember(sentences, answers, flown)
        return answers

    async def _repaired(
        self, sentences: Sequence[Sentence], answers: list[Answer], request: TranslateRequest, deadline: float
    ) -> list[Answer]:
        """The answers, each that had a fault tried again by the means that fits it."""
        for turn in range(repair.ROUNDS):
            remedies = {
                number: remedy
                for number, (sentence, answer) in enumerate(zip(sentences, answers, strict=True))
                if (remedy := repair.remedy_for(sentence, answer, self.info, turn)) is not None
            }
            if not remedies:
                break
            tried = list(chain.from_iterable(remedy.sentences.values() for remedy in remedies.values()))
            try:
                found = iter(await self._asked(tried, request, deadline))
            except (Overloaded, ShuttingDown, EngineUnavailable):
                break  # what there is, with its findings, is more than nothing
            for number, remedy in remedies.items():
                again = repair.remedied(remedy, {run: next(found) for run in remedy.sentences})
                answers[number] = repair.better(answers[number], again, remedy.why)
        return answers

    async def _outcomes(
        self, sentences: Sequence[Sentence], request: TranslateRequest, deadline: float, telling: Telling | None
    ) -> list[Flown]:
        """What the memory knows, and the rest flown, equal segments once."""
        known = await self._recall(sentences)
        missing = list(dict.fromkeys(one.segment for one, flown in zip(sentences, known, strict=True) if flown is None))
        self._scheduler.segments.count("remembered", len(known) - known.count(None))
        if telling is not None:
            telling.recalled(sentences, known, missing)
        if not missing:
            return [flown for flown in known if flown is not None]
        fresh = await self._scheduler.fly(missing, deadline, request.lane, keep=not request.no_store, listener=telling)
        by_segment = dict(zip(missing, fresh, strict=True))
        return [flown or by_segment[one.segment] for one, flown in zip(sentences, known, strict=True)]

    async def _recall(self, sentences: Sequence[Sentence]) -> list[Flown | None]:
        """A person's translation where there is one, else what this model wrote before, else None."""
        if self._memory is None:
            return [None] * len(sentences)
        info = self.info
        entries = await self._memory.first_of(
            [(key_of_human(one.as_written), key_of(info, one.segment)) for one in sentences]
        )
        return [None if entry is None else _flown(entry) for entry in entries]

    async def _remember(self, sentences: Sequence[Sentence], answers: Sequence[Answer], flown: Sequence[Flown]) -> None:
        """Keep what is new and sound; what has a fault is asked for again next time."""
        if self._memory is None:
            return
        sound: dict[Segment, str] = {}
        for sentence, answer, one in zip(sentences, answers, flown, strict=True):
            if answer.is_sound and isinstance(one.outcome, Output) and one.origin == "engine":
                sound[sentence.segment] = answer.text
        if sound:
            info, now = self.info, int(time.time())
            await self._memory.put_many(
                [
                    (key_of(info, segment), Entry(segment.text, segment.pair, text, info.model, now))
                    for segment, text in sound.items()
                ]
            )


def _judged(sentences: Sequence[Sentence], flown: Sequence[Flown], engine: str) -> list[Answer]:
    return [judge(sentence, one, engine) for sentence, one in zip(sentences, flown, strict=True)]


async def _aside(characters: int, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """The result of plain work on so much text: at once where it is short, else in a thread."""
    if characters <= CHARACTERS_ON_LOOP:
        return work(*args, **kwargs)
    return await asyncio.to_thread(work, *args, **kwargs)


def _flown(entry: Entry) -> Flown:
    return Flown(Output(entry.translation), origin="person" if entry.model is None else "memory")


def _with_total(result: Translation | DragomanError, total_ms: float) -> Translation | DragomanError:
    if isinstance(result, DragomanError):
        return result
    return structs.replace(result, timings=structs.replace(result.timings, total_ms=total_ms))

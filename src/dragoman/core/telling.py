"""What there is to tell of a request while it is worked on, for one reader.

There is no queue: what a reader was told is kept beside what there is, and what he is told next is the difference. So a
slow reader gets longer pieces, loses nothing, and holds no more than the request itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import suppress

from dragoman.core import repair
from dragoman.core.events import Done, Event, ItemDone, ItemFailed, ItemStarted
from dragoman.core.flights import Flown
from dragoman.core.plan import Plan
from dragoman.core.sentence import Answer, Sentence, judge
from dragoman.core.told import Known, ToldItem
from dragoman.errors import DragomanError
from dragoman.types import EngineInfo, Segment, Timings, Tokens, Translation

Results = list[Translation | DragomanError]


class Telling:
    """A reader's view of one request. The translator tells it what happens, the reader asks for `news`.

    The mutable state: `_known` is what is known of each sentence, `_items` what was told of each item, `_touched` the
    items that have something new, `_landed` the sentences to be judged; `_numbers` are the sentences of each segment in
    the air. Nothing is told before the request is let in: until then it can still be refused.
    """

    def __init__(self, info: EngineInfo) -> None:
        self._info = info
        self._known: list[Known] = []
        self._items: list[ToldItem] = []
        self._items_of: list[list[int]] = []
        self._touched: set[int] = set()
        self._landed: list[Known] = []
        self._targets = 1
        self._numbers: list[list[int]] = []
        self._results: Results | None = None
        self._error: BaseException | None = None
        self._begun = False
        self._over = False
        self._changed = asyncio.Event()

    async def news(self, timeout_s: float | None = None) -> list[Event]:
        """What is new, in the order in which it is to be read; nothing after `timeout_s` in which nothing happened.

        After `Done` there is nothing more to ask for. Raises what became of the request where it failed as a whole.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while not (events := self._news()):
                    await self._changed.wait()
                return events
        return []

    def planned(self, plan: Plan, targets: int) -> None:
        """The request was prepared: there are items for so many targets of each text."""
        self._targets = targets
        self._known = [Known(sentence) for sentence in plan.sentences]
        self._items = [ToldItem(item, self._known) for item in plan.items]
        self._items_of = [[] for _ in plan.sentences]
        for number, item in enumerate(plan.items):
            for sentence in set(item.sentences.values()):
                self._items_of[sentence].append(number)
        self._touched.update(range(len(plan.items)))

    def recalled(
        self, sentences: Sequence[Sentence], known: Sequence[Flown | None], missing: Sequence[Segment]
    ) -> None:
        """The memory was asked: these segments are missing. `sentences` begin with those of the plan."""
        index = {segment: place for place, segment in enumerate(missing)}
        self._numbers = [[] for _ in missing]
        for number, (sentence, flown) in enumerate(zip(sentences[: len(self._known)], known, strict=False)):
            if flown is None:
                self._numbers[index[sentence.segment]].append(number)
            else:
                self._land(number, flown)
        if not missing:
            self.admitted()

    def admitted(self) -> None:
        """As `flights.Listener`."""
        self._begun = True
        self._changed.set()

    def heard(self, index: int, text: str) -> None:
        """As `flights.Listener`."""
        for number in self._numbers[index]:
            self._known[number].so_far = text
            self._touch(number)

    def landed(self, index: int, flown: Flown) -> None:
        """As `flights.Listener`."""
        for number in self._numbers[index]:
            self._land(number, flown)

    def finished(self, answers: Sequence[Answer], results: Results) -> None:
        """All is done: the best answer to each sentence of the plan, and what the items came to."""
        for known, answer in zip(self._known, answers, strict=True):
            known.answer, known.is_final = answer, True
        self._touched.update(range(len(self._items)))
        self._results = results
        self.admitted()

    def ended(self, work: asyncio.Task[Results]) -> None:
        """The work is over, in one way or another."""
        self._error = None if work.cancelled() else work.exception()
        self._changed.set()

    def _land(self, number: int, flown: Flown) -> None:
        self._known[number].flown = flown
        self._landed.append(self._known[number])
        self._touch(number)

    def _touch(self, number: int) -> None:
        self._touched.update(self._items_of[number])
        self._changed.set()

    def _news(self) -> list[Event]:
        if self._error is not None:
            raise self._error
        self._changed.clear()
        if not self._begun or self._over:
            return []
        self._judge()
        touched, self._touched = sorted(self._touched), set()
        events = [event for number in touched for event in self._news_of(number)]
        if self._results is not None:
            self._over = True
            events += [*self._ends(self._results), _done(self._results)]
        return events

    def _judge(self) -> None:
        """Look at what landed: what has no fault is final, the rest may be repaired."""
        landed, self._landed = self._landed, []
        for known in landed:
            if known.answer is None and known.flown is not None:
                known.answer = answer = judge(known.sentence, known.flown, self._info.name)
                remedy = repair.remedy_for(known.sentence, answer, self._info, 0)
                known.is_final = answer.parts is not None and remedy is None

    def _news_of(self, number: int) -> Iterator[Event]:
        told = self._items[number]
        if not told.is_started:
            told.is_started = True
            yield self._started(number, told)
        if self._results is None or isinstance(self._results[number], Translation):
            yield from told.news(number, self._info)

    def _started(self, number: int, told: ToldItem) -> ItemStarted:
        pair, detected = told.item.pair, told.item.detected
        return ItemStarted(
            item=number,
            text=number // self._targets,
            target=pair.target,
            source=pair.source,
            segments=len(told.segments),
            detected=detected,
        )

    def _ends(self, results: Results) -> Iterator[Event]:
        for number, (told, result) in enumerate(zip(self._items, results, strict=True)):
            if isinstance(result, DragomanError):
                yield ItemFailed(number, result)
            else:
                yield ItemDone(number, result, told.after)


def _done(results: Results) -> Done:
    done = [result for result in results if isinstance(result, Translation)]
    slowest = max((result.timings for result in done), key=lambda timings: timings.total_ms, default=Timings())
    tokens = sum((result.tokens for result in done), Tokens())
    return Done(len(results), len(results) - len(done), tokens, slowest)

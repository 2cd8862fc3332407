"""Texts in, what each came to out: equal ones asked for once, as many at a time as keep the engine full.

A cell is one text in one target language. What waits here has not been sent to an engine, so it costs nothing to stop;
what flies is committed to the memo before anybody is told of it, so it is never asked for again.
"""

from __future__ import annotations

import asyncio
import logging
import random
import re
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct, structs

from dragoman.errors import (
    DeadlineExceeded,
    DragomanError,
    EngineTimeout,
    EngineUnavailable,
    JobNotReady,
    Overloaded,
    ShuttingDown,
    StatusRejected,
)
from dragoman.jobs.outage import Outage
from dragoman.jobs.spec import Cell
from dragoman.types import Lane, Tokens, TranslateRequest, Translation

if TYPE_CHECKING:
    from dragoman.core.translator import Translator

log = logging.getLogger(__name__)

KEY_BYTES = 16
TRIES = 5
"""Of a text that the engine has no answer to while it answers others."""

NOT_FOR_THIS_TEXT = frozenset({401, 402, 403, 404})
"""What an engine answers whatever the text: a key, a bill or a model is wrong, and every further row would fail."""

FEWEST_IN_THE_AIR = 16
AHEAD = 2
"""Texts handed to the translator for each slot: while one flies the next is made ready."""

_NO_WORDS = re.compile(r"(?:https?://|www\.)\S+|[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
"""An address alone, of a page or a mailbox (one match, no repetition inside another)."""


class Memo(Protocol):
    """What the job knows already, kept over a crash."""

    async def get_many(self, keys: Sequence[bytes]) -> list[Cell | None]:
        """What each key came to; None where that is not known."""
        ...

    async def put(self, key: bytes, cell: Cell) -> asyncio.Future[Cell]:
        """Hand an answer over, waiting for room; the future gives what is stored, once it is: the first answer wins."""
        ...


class Wanted(Struct, frozen=True):
    """A text and the language it is wanted in."""

    text: str | None
    target: str


class Spent(Struct):
    """What calls have cost; the one mutable sum of a shard."""

    characters: int = 0
    tokens: Tokens = Tokens()


class Tally(Struct):
    """Counted over all shards since the start, for progress; `called` counts when a text is sent.

    `flying` texts are out now. `settled` cells are known, `shared` of them by another cell's call, `known` from the
    memo, `remembered` from the translation memory without the engine, `copied` without any call.
    """

    flying: int = 0
    settled: int = 0
    copied: int = 0
    known: int = 0
    shared: int = 0
    called: int = 0
    remembered: int = 0
    errors: int = 0
    characters: int = 0
    tokens: Tokens = Tokens()


class Stopped(JobNotReady):
    """The job stops here, for the reason in its message; nothing of what flew is lost."""


class _Flight:
    """One text on its way, for all cells that wait for it."""

    def __init__(self, key: bytes, wanted: Wanted, settled: asyncio.Future[Cell], spent: Spent) -> None:
        self.key = key
        self.text = (wanted.text or "").strip()
        self.target = wanted.target
        self.settled = settled
        self.spent = spent
        self.cells = 0
        self.tries = 0
        self.answered_before = 0


class Cells:
    """Translates cells through a translator and a memo; it owns neither.

    `pause_for` is asked after every answer and may give the reason why the job is to stop. The mutable state: `_aloft`
    holds every text that somebody waits for, by key; `_waiting` those not sent yet, `_resting` those that wait for a
    further try; `_answered` counts the answers so far, and `tally` all that is told of.
    """

    def __init__(
        self,
        translator: Translator,
        memo: Memo,
        request: TranslateRequest,
        pause_for: Callable[[Tally], str | None] = lambda _: None,
    ) -> None:
        self._translator = translator
        self._memo = memo
        self._request = structs.replace(request, lane=Lane.BULK)
        self._pause_for = pause_for
        self._aloft: dict[bytes, _Flight] = {}
        self._waiting: deque[_Flight] = deque()
        self._resting: dict[_Flight, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._answered = 0
        self._stopped: DragomanError | None = None
        self._outage = Outage(self._dispatch)
        self.tally = Tally()

    async def translate(self, wanted: Sequence[Wanted], spent: Spent) -> list[Cell]:
        """What each cell came to, in order; what its calls cost is added to `spent`.

        A text that cannot be translated is a cell of status `error`. Raises Stopped when the job is stopped, and
        LedgerError where the memo cannot keep an answer.
        """
        cells = [passed_through(one) for one in wanted]
        self._count_copied(len(cells) - cells.count(None))
        asked = [one for one, cell in zip(wanted, cells, strict=True) if cell is None]
        settled, new = self._claimed(asked, spent)
        await self._begin(new)
        answers = iter([_put_back(await answer, one) for answer, one in zip(settled, asked, strict=True)])
        return [cell or next(answers) for cell in cells]

    def stop(self, reason: DragomanError) -> None:
        """Send nothing more, and fail all that waits with `reason`; what flies is committed still."""
        if self._stopped is not None:
            return
        self._stopped = reason
        for timer in self._resting.values():
            timer.cancel()
        for flight in (*self._waiting, *self._resting):
            self._fail(flight, reason)
        self._waiting.clear()
        self._resting.clear()
        self._outage.end()

    def abandon(self) -> None:
        """Cancel what flies: it is asked for again when the job goes on."""
        for task in self._tasks:
            task.cancel()

    async def drained(self) -> None:
        """Return when nothing flies any more."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _count_copied(self, cells: int) -> None:
        self.tally.copied += cells
        self.tally.settled += cells

    def _claimed(self, wanted: Iterable[Wanted], spent: Spent) -> tuple[list[asyncio.Future[Cell]], list[_Flight]]:
        """The future of each cell, and the flights that are new: claimed before the memo is read, so that no key that
        is committed meanwhile is called for again.
        """
        loop = asyncio.get_running_loop()
        settled: list[asyncio.Future[Cell]] = []
        new: list[_Flight] = []
        for one in wanted:
            key = _key(one)
            flight = self._aloft.get(key)
            if flight is None:
                flight = self._aloft[key] = _Flight(key, one, loop.create_future(), spent)
                new.append(flight)
            else:
                self.tally.shared += 1
            flight.cells += 1
            settled.append(flight.settled)
        return settled, new

    async def _begin(self, new: Sequence[_Flight]) -> None:
        """Settle what the memo knows and queue the rest, longest first: a long text that starts last ends last."""
        try:
            known = await self._memo.get_many([flight.key for flight in new]) if new else []
        except DragomanError as error:
            for flight in new:
                self._fail(flight, error)
            raise
        missing = []
        for flight, cell in zip(new, known, strict=True):
            if cell is None:
                missing.append(flight)
            else:
                self.tally.known += 1
                self._settle(flight, cell)
        for flight in sorted(missing, key=lambda flight: len(flight.text), reverse=True):
            self._queue(flight)
        self._dispatch()

    def _queue(self, flight: _Flight) -> None:
        if self._stopped is None:
            self._waiting.append(flight)
        else:
            self._fail(flight, self._stopped)

    @property
    def _room(self) -> int:
        """How many texts may be out: as the engine's own limits go up and down."""
        now = asyncio.get_running_loop().time()
        slots = sum(seats.limit for seats in self._translator.pool.seats(now))
        return self._outage.room(max(FEWEST_IN_THE_AIR, AHEAD * slots))

    def _dispatch(self) -> None:
        room = self._room if self._waiting else 0
        while self._waiting and self.tally.flying < room:
            self.tally.flying += 1
            task = asyncio.create_task(self._carry(self._waiting.popleft()), name="translate a cell")
            self._tasks.add(task)
            task.add_done_callback(self._landed)

    def _landed(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self.tally.flying -= 1
        if not task.cancelled() and (error := task.exception()) is not None:
            self.stop(error if isinstance(error, DragomanError) else Stopped(f"A fault in Dragoman: {error!r}"))
        self._dispatch()

    async def _carry(self, flight: _Flight) -> None:
        """Ask for one text, and commit the answer."""
        try:
            cell = await self._asked(flight)
            if cell is None:
                return
            committed = await self._memo.put(flight.key, cell)
        except BaseException as error:
            self._fail(flight, error if isinstance(error, DragomanError) else Stopped("The work was cancelled."))
            raise
        committed.add_done_callback(lambda stored: self._stored(flight, stored))

    def _stored(self, flight: _Flight, stored: asyncio.Future[Cell]) -> None:
        error = stored.exception()
        if error is None:
            self._settle(flight, stored.result())
        else:
            failure = error if isinstance(error, DragomanError) else Stopped(f"The memo failed: {error!r}")
            self._fail(flight, failure)
            self.stop(failure)

    async def _asked(self, flight: _Flight) -> Cell | None:
        """The flight's cell; None where it waits again."""
        outcome = await self._outcome(flight)
        if isinstance(outcome, ShuttingDown):
            raise Stopped("The server is stopping; the job goes on when it starts again.")
        if outcome is self._stopped:
            raise outcome
        if isinstance(outcome, StatusRejected) and outcome.status in NOT_FOR_THIS_TEXT:
            raise Stopped(f"The engine refuses all work: {outcome.message}. Mend that and resume the job.")
        if isinstance(outcome, EngineUnavailable | EngineTimeout | DeadlineExceeded) and self._try_again(
            flight, outcome
        ):
            return None
        self._answered += 1
        self._outage.over()
        cell = self._counted(flight, outcome)
        if (reason := self._pause_for(self.tally)) is not None:
            self.stop(Stopped(reason))
        return cell

    async def _outcome(self, flight: _Flight) -> Translation | DragomanError:
        request = structs.replace(self._request, texts=(flight.text,), targets=(flight.target,))
        while True:
            try:
                self.tally.called += 1
                (outcome,) = await self._translator.translate(request)
            except Overloaded as busy:  # people go first
                self.tally.called -= 1
                await asyncio.sleep(busy.retry_after_s)
                if self._stopped is not None:
                    return self._stopped
            except DragomanError as error:
                return error
            else:
                return outcome

    def _try_again(self, flight: _Flight, error: DragomanError) -> bool:
        """Let a text wait for its next try. It costs one of its own only if the engine was there for others: an engine
        that is away as a whole burns no rows.
        """
        if self._answered > flight.answered_before or self._translator.readiness.ready:
            flight.tries += 1
        flight.answered_before = self._answered
        if flight.tries >= TRIES:
            return False
        if isinstance(error, EngineUnavailable):
            self._outage.begin(error)
            self._queue(flight)
        else:
            wait_s = random.uniform(0.0, 2.0**flight.tries)
            self._resting[flight] = asyncio.get_running_loop().call_later(wait_s, self._queue_again, flight)
        return True

    def _queue_again(self, flight: _Flight) -> None:
        del self._resting[flight]
        self._queue(flight)
        self._dispatch()

    def _counted(self, flight: _Flight, outcome: Translation | DragomanError) -> Cell:
        """The cell that an outcome is, with what it cost."""
        if isinstance(outcome, DragomanError):
            self.tally.errors += 1
            return Cell("error", findings=(f"{_words_of(outcome)}: {outcome.message}",))
        tally, spent = self.tally, flight.spent
        tally.remembered += outcome.tokens == Tokens() and outcome.remembered > 0
        tally.characters += len(flight.text)
        spent.characters += len(flight.text)
        tally.tokens += outcome.tokens
        spent.tokens += outcome.tokens
        findings = tuple(f"{finding.kind}: {finding.message}" for finding in outcome.findings)
        return Cell("ok", outcome.text, findings, outcome.confidence, outcome.source)

    def _settle(self, flight: _Flight, cell: Cell) -> None:
        del self._aloft[flight.key]
        self.tally.settled += flight.cells
        if not flight.settled.done():
            flight.settled.set_result(cell)

    def _fail(self, flight: _Flight, error: DragomanError) -> None:
        self._aloft.pop(flight.key, None)
        if not flight.settled.done():
            flight.settled.set_exception(error)
            flight.settled.exception()  # whoever waits is told; where nobody does any more, that is no fault


def passed_through(wanted: Wanted) -> Cell | None:
    """The cell of a text that needs no translation: none at all, or nothing in it to be translated; None for others."""
    text = wanted.text
    if text is None or not any(map(str.isalpha, text)) or _NO_WORDS.fullmatch(text.strip()):
        return Cell("passthrough", text)
    return None


def _put_back(cell: Cell, wanted: Wanted) -> Cell:
    """The cell of a text's core, with the white space that stands around this one."""
    text = wanted.text or ""
    core = text.strip()
    if cell.text is None or core == text:
        return cell
    before, _, after = text.partition(core)
    return structs.replace(cell, text=f"{before}{cell.text}{after}")


def _key(wanted: Wanted) -> bytes:
    """16 bytes of BLAKE2b over the target and the text's core, the first with its length before it, so that no two
    pairs share a pre-image. All else that decides a translation is the same for a whole job.
    """
    target = wanted.target.encode()
    core = (wanted.text or "").strip().encode("utf-8", "surrogatepass")
    return blake2b(len(target).to_bytes(2, "big") + target + core, digest_size=KEY_BYTES).digest()


def _words_of(error: DragomanError) -> str:
    """The name of an error's class as words, as findings begin with their kind: `engine_rejected`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(error).__name__).lower()

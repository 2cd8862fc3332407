"""From segments to outputs: admission, lanes, flights, deadlines and retries."""

from __future__ import annotations

import asyncio
import logging
import math
from collections import OrderedDict
from collections.abc import Sequence

from msgspec import Struct

from dragoman.core.flights import Call, Flight, Flown, Listener, Ticket, Wait
from dragoman.core.planner import BULK_FILL, Lanes, Launch, plan
from dragoman.core.pool import Pool, Replica
from dragoman.core.rates import DrainRate, RetryBudget, SlowCall
from dragoman.engines.base import Hear
from dragoman.errors import (
    BadOutput,
    DeadlineExceeded,
    DragomanError,
    EngineError,
    EngineUnavailable,
    Overloaded,
    ShuttingDown,
)
from dragoman.telemetry import Tally
from dragoman.text.segment import estimate_tokens
from dragoman.types import Lane, Output, Segment

log = logging.getLogger(__name__)

KEPT_S = 30.0
"""How long a finished flight keeps its answer: a client that gave up and asks again finds it."""

KEPT_FLIGHTS = 4096

SPARE_TIME = 1.15
"""How much longer than estimated a request must be able to wait to be let in. Estimates are averages: without this,
too much of what is let in under overload comes late, and the engine's work on it is lost (`python -m bench open_loop`).
"""


PEOPLE_S = 30.0
"""So long after the last interactive segment people count as being served; then a job may have their room too."""


class Scheduling(Struct, frozen=True, kw_only=True):
    """How much may wait, in segments and in tokens of source text for each lane on its own, and what goes before what.

    `bulk_fill` is the part of the slots up to which bulk fills an engine while people are served beside it. With
    `hedge` a person's segment that takes longer than most is given to a second replica too, and the first answer
    counts (Dean and Barroso, "The tail at scale", 2013).
    """

    segments: int
    tokens: int
    bulk_fill: float = BULK_FILL
    hedge: bool = False


class Scheduler:
    """Keeps every replica's slots full, and the queue in front of them bounded, ordered and ours.

    Engines queue without bound once their model is loaded, so the waiting happens here, where it can be counted,
    refused, put in order and left. Identical segments are one flight, whoever asks for them.

    The mutable state: `_lanes` holds the flights that wait, `_aloft` all that somebody waits for, `_calls` the engine
    calls under way, `_kept` the answers of flights that landed lately. `segments` counts how each one asked for ended:
    translated, joined (it shared another's flight), failed, refused, or left by its caller; and how many were hedged.
    Decisions are made by `planner.plan`.
    """

    def __init__(self, pool: Pool, limits: Scheduling) -> None:
        self._pool = pool
        self._limits = limits
        self._lanes = Lanes()
        self._aloft: dict[Segment, Flight] = {}
        self._calls: set[Call] = set()
        self._kept: OrderedDict[Segment, tuple[float, Flown]] = OrderedDict()
        self._drain = DrainRate()
        self._engine_s = 0.0
        self._slow = SlowCall()
        self._retries = RetryBudget()
        self._since_bulk = 0
        self._closed = False
        self._bulk_paused = False
        self._last_person = -math.inf
        self._refusal: str | None = None
        self.segments = Tally()
        self._idle = asyncio.Event()
        self._idle.set()
        self._loop = asyncio.get_running_loop()
        pool.on_change(self._dispatch)

    def __repr__(self) -> str:
        waiting = ", ".join(f"{self._lanes.waiting(lane)} {lane.name.lower()}" for lane in Lane)
        return f"<Scheduler: {waiting} waiting, {len(self._calls)} calls under way>"

    @property
    def lanes(self) -> Lanes:
        """The flights that wait."""
        return self._lanes

    @property
    def pool(self) -> Pool:
        """The replicas that the work goes to."""
        return self._pool

    @property
    def calls(self) -> int:
        """Engine calls under way."""
        return len(self._calls)

    def close(self) -> None:
        """Refuse new work from now on; what was admitted goes on."""
        self._closed = True

    def pause_bulk(self, paused: bool) -> None:
        """Launch nothing from the bulk lane while it is paused; what flies goes on."""
        self._bulk_paused = paused
        self._dispatch()

    def refuse(self, reason: str | None) -> None:
        """Refuse new work for this reason from now on; None takes it again."""
        self._refusal = reason

    async def drained(self) -> None:
        """Return when nobody waits for anything and nothing is under way."""
        await self._idle.wait()

    async def fly(
        self,
        segments: Sequence[Segment],
        deadline: float,
        lane: Lane = Lane.INTERACTIVE,
        *,
        keep: bool = True,
        listener: Listener | None = None,
    ) -> list[Flown]:
        """Translate all segments, in parallel as slots allow; one outcome each, in order.

        `listener` hears of them meanwhile. A flight that others had begun before without one lands as a whole.
        `deadline` is in the running loop's time. Raises Overloaded, ShuttingDown or EngineUnavailable before anything
        is started. Cancelling gives up this caller's tickets; a flight nobody else waits for ends in the engine too.
        """
        now = self._loop.time()
        try:
            self._admit(segments, lane, now, deadline)
        except DragomanError as refusal:
            self.segments.count("refused", len(segments), refusal)
            raise
        if lane is Lane.INTERACTIVE:
            self._last_person = now
        if listener is not None:
            listener.admitted()
        wait = Wait(len(segments), listener)
        tickets = [Ticket(wait, index, lane, deadline, keep) for index in range(len(segments))]
        for segment, ticket in zip(segments, tickets, strict=True):
            self._board(segment, ticket, now)
        self._dispatch()
        try:
            async with asyncio.timeout_at(deadline):
                await wait.done
        except TimeoutError:
            pass
        except asyncio.CancelledError:
            self.segments.count("left", wait.flown.count(None))
            raise
        finally:
            for segment, ticket in zip(segments, tickets, strict=True):
                self._leave(segment, ticket)
            self._note_idle()
        return [flown or self._out_of_time(now) for flown in wait.flown]

    def _admit(self, segments: Sequence[Segment], lane: Lane, now: float, deadline: float) -> None:
        if self._closed:
            raise ShuttingDown("The server is stopping; send the request again in a moment.")
        out_of_order = self._pool.out_of_order(now)
        if out_of_order is not None:
            raise out_of_order
        if self._refusal is not None:
            raise Overloaded(self._refusal, retry_after_s=self._drain.retry_after_s(len(self._lanes)))
        waiting = self._lanes.waiting(lane)
        if not waiting:
            return  # a request of any size that was let through the door may start on an empty lane
        new = [segment for segment in segments if segment not in self._aloft]
        tokens = self._lanes.tokens(lane) + sum(estimate_tokens(segment.text) for segment in new)
        if waiting + len(new) > self._limits.segments or tokens > self._limits.tokens:
            raise self._overloaded(waiting, f"too many to add {len(new)}")
        begin_s = self._drain.estimate_s(waiting + len(new))
        if new and begin_s is not None and now + (begin_s + self._engine_s) * SPARE_TIME > deadline:
            raise self._overloaded(waiting, f"too many for the {deadline - now:.1f} s allowed")

    def _overloaded(self, waiting: int, why: str) -> Overloaded:
        retry_after_s = self._drain.retry_after_s(waiting)
        return Overloaded(
            f"{waiting} segments are waiting already, {why}. Try again in {math.ceil(retry_after_s)} s.",
            retry_after_s=retry_after_s,
        )

    def _board(self, segment: Segment, ticket: Ticket, now: float) -> None:
        kept = self._kept.get(segment)
        if kept is not None and kept[0] > now:
            ticket.wait.settle(ticket.index, kept[1])
            self.segments.count("joined")
            return
        flight = self._aloft.get(segment)
        if flight is None:
            flight = self._aloft[segment] = Flight(segment, estimate_tokens(segment.text), now)
            self._idle.clear()
        earlier = flight.board(ticket)
        if flight.started is None and (earlier or flight not in self._lanes):
            self._lanes.add(flight)

    def _leave(self, segment: Segment, ticket: Ticket) -> None:
        flight = self._aloft.get(segment)
        if flight is None or ticket not in flight.tickets:
            return
        flight.tickets.remove(ticket)
        if flight.tickets:
            return
        del self._aloft[segment]
        self._lanes.drop(flight)
        for call in flight.calls:
            call.abandon_if_empty()

    def _dispatch(self) -> None:
        """Launch what may fly now. Called whenever there is new work or new room."""
        now = self._loop.time()
        launches, self._since_bulk = plan(
            self._lanes, self._pool.seats(now), self._since_bulk, now, bulk_fill=self._bulk_fill(now)
        )
        for launch in launches:
            self._launch(launch, now)
        if len(self._lanes) == (self._lanes.waiting(Lane.BULK) if self._bulk_paused else 0):
            self._drain.pause()

    def _bulk_fill(self, now: float) -> float:
        if self._bulk_paused:
            return 0.0
        return self._limits.bulk_fill if now < self._last_person + PEOPLE_S else BULK_FILL

    def _launch(self, launch: Launch, now: float) -> None:
        for flight in launch.flights:
            flight.started = now
            if not flight.tries:
                self._retries.earn()
        call = self._call(launch.replica, launch.flights)
        slow_s = self._slow.seconds
        if self._limits.hedge and slow_s is not None and len(launch.flights) == 1:
            self._loop.call_later(slow_s, self._hedge, call, launch.flights[0])

    def _call(self, name: str, flights: Sequence[Flight]) -> Call:
        call = Call(name, flights)
        for flight in flights:
            flight.calls.append(call)
        replica = self._pool[name]
        replica.take_off(flights[0].segment.pair, len(flights))
        hear = self._ear(call) if any(flight.is_listened_to for flight in flights) else None
        call.task = self._loop.create_task(_carry(flights, replica, hear))
        call.task.add_done_callback(lambda carried: self._come_down(call, replica, carried))
        self._calls.add(call)
        return call

    def _ear(self, call: Call) -> Hear:
        """Passes on what an engine tells of a call's flights, where another call for the same is not further ahead."""

        def hear(number: int, text: str) -> None:
            flight = call.flights[number]
            if flight.calls[:1] == [call]:
                flight.hear(text)

        return hear

    def _hedge(self, slow: Call, flight: Flight) -> None:
        """Give a flight whose call is still out to a second replica, if one has room and the retry budget pays."""
        if flight.calls != [slow] or flight.lane is not Lane.INTERACTIVE:
            return
        seats = [seats for seats in self._pool.seats(self._loop.time()) if seats.name != slow.replica]
        other = max(seats, key=lambda seats: seats.limit - seats.flying, default=None)
        if other is not None and other.limit > other.flying and self._retries.spend():
            self._call(other.name, [flight])
            self.segments.count("hedged")

    def _come_down(self, call: Call, replica: Replica, carried: asyncio.Task[Sequence[Output | EngineError]]) -> None:
        """A call is over. Called back, as a task that is cancelled before its first step runs no line of its own."""
        self._calls.discard(call)
        for flight in call.flights:
            flight.calls.remove(call)
        replica.landed(len(call.flights))
        if not carried.cancelled():
            for flight, outcome in zip(call.flights, carried.result(), strict=True):
                self._land(flight, outcome, replica)
        self._tell_who_waits_in_vain()
        self._dispatch()
        self._note_idle()

    def _tell_who_waits_in_vain(self) -> None:
        """With every replica out of order, a person learns it now and not at his deadline; a job can wait."""
        out_of_order = self._pool.out_of_order(self._loop.time())
        if out_of_order is not None:
            for flight in self._lanes:
                if flight.lane is Lane.INTERACTIVE:
                    self._settle(flight, Flown(out_of_order, (self._loop.time() - flight.queued) * 1e3))

    def _land(self, flight: Flight, outcome: Output | EngineError, replica: Replica) -> None:
        now = self._loop.time()
        self._drain.count(now)
        if isinstance(outcome, EngineError) and flight.calls:
            return  # a second call is out, and may do better
        if isinstance(outcome, EngineUnavailable) and self._retry(flight, replica):
            return
        started = now if flight.started is None else flight.started
        self._engine_s += (now - started - self._engine_s) / 16
        self._slow.observe(now - started)
        flown = Flown(outcome, (started - flight.queued) * 1e3, (now - started) * 1e3)
        self._settle(flight, flown)

    def _retry(self, flight: Flight, replica: Replica) -> bool:
        """Let a flight wait again, if somebody still waits for it, a try is left and the budget pays for it."""
        if not flight.tickets or flight.tries + 1 >= self._pool.tries or not self._retries.spend():
            return False
        flight.tries += 1
        flight.avoid, flight.started = replica.name, None
        self._lanes.add(flight)
        return True

    def _settle(self, flight: Flight, flown: Flown) -> None:
        """Answer every ticket of a flight, and forget it."""
        if self._aloft.get(flight.segment) is flight:
            del self._aloft[flight.segment]
        self._lanes.drop(flight)
        for ticket in flight.tickets:
            ticket.wait.settle(ticket.index, flown)
        self._count(flown.outcome, len(flight.tickets))
        if isinstance(flown.outcome, Output) and any(ticket.keep for ticket in flight.tickets):
            self._keep(flight.segment, flown)
        flight.tickets.clear()
        for call in flight.calls:  # the slower of two
            call.abandon_if_empty()

    def _count(self, outcome: Output | DragomanError, tickets: int) -> None:
        if isinstance(outcome, DragomanError):
            self.segments.count("failed", tickets, outcome)
        elif tickets:
            self.segments.count("translated")
            if tickets > 1:
                self.segments.count("joined", tickets - 1)

    def _keep(self, segment: Segment, flown: Flown) -> None:
        self._kept[segment] = (self._loop.time() + KEPT_S, flown)
        self._kept.move_to_end(segment)
        while len(self._kept) > KEPT_FLIGHTS:
            self._kept.popitem(last=False)

    def _out_of_time(self, queued: float) -> Flown:
        late = DeadlineExceeded(
            "The time allowed for this request ran out before the translation was there. "
            "Allow more with 'timeout', or send less text at once."
        )
        self.segments.count("failed", error=late)
        return Flown(late, queue_ms=(self._loop.time() - queued) * 1e3)

    def _note_idle(self) -> None:
        if not self._aloft and not self._calls:
            self._idle.set()


async def _carry(flights: Sequence[Flight], replica: Replica, hear: Hear | None) -> Sequence[Output | EngineError]:
    try:
        outcomes = await replica.translate([flight.segment for flight in flights], hear)
        if len(outcomes) != len(flights):
            raise ValueError(f"{len(outcomes)} outcomes for {len(flights)} segments")
        return outcomes
    except Exception:
        log.exception("An engine raised what it should have answered. This is a bug.")
        name = replica.engine.info.name
        return [BadOutput("The engine failed in an unknown way; the log says more.", engine=name)] * len(flights)

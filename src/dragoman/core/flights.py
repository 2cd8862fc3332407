"""Flights and who waits for them. Plain data; `scheduler` moves it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Literal, Protocol

from msgspec import Struct

from dragoman.errors import DragomanError, EngineError
from dragoman.types import Lane, Output, Segment

Origin = Literal["engine", "memory", "person"]


class Flown(Struct, frozen=True):
    """What became of one segment, and how long it waited for a slot and spent in the engine.

    `origin` tells those that did not fly at all: the memory knew what an engine had written, or a person.
    """

    outcome: Output | DragomanError
    queue_ms: float = 0.0
    engine_ms: float = 0.0
    origin: Origin = "engine"


class Listener(Protocol):
    """Hears of one caller's segments, known by their index, while they are worked on. Must return at once."""

    def admitted(self) -> None:
        """They were let in."""
        ...

    def heard(self, index: int, text: str) -> None:
        """The translation so far, where the engine tells it. After a try that failed it begins anew."""
        ...

    def landed(self, index: int, flown: Flown) -> None:
        """What became of a segment."""
        ...


class Wait:
    """One caller's wait for all its segments: its own future, which no other caller's leaving touches."""

    def __init__(self, count: int, listener: Listener | None = None) -> None:
        self.listener = listener
        self.flown: list[Flown | None] = [None] * count
        self._open = count
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def settle(self, index: int, flown: Flown) -> None:
        """Answer one segment."""
        assert self.flown[index] is None, "A ticket was answered twice. This is a bug."
        self.flown[index] = flown
        if self.listener is not None:
            self.listener.landed(index, flown)
        self._open -= 1
        if not self._open and not self.done.done():
            self.done.set_result(None)


class Ticket(Struct, frozen=True, eq=False):
    """One caller's wait for one segment. `keep` allows its answer to be kept for those who ask again soon."""

    wait: Wait
    index: int
    lane: Lane
    deadline: float
    keep: bool


class Flight:
    """One segment on its way through an engine, with every ticket that waits for it.

    It waits in `lane`, in order of `deadline`, its tickets' earliest; after `latest` nobody waits for it any more. Once
    `started` is set it belongs to the `calls` that carry it: one, and a second where that one is slow. `tries` counts
    calls that ended because a replica was unavailable, `avoid` names the last of those replicas.
    """

    __slots__ = (
        "avoid", "calls", "deadline", "lane", "latest", "queued", "segment", "started", "tickets", "tokens", "tries",
    )  # fmt: skip

    def __init__(self, segment: Segment, tokens: int, now: float) -> None:
        self.segment = segment
        self.tokens = tokens
        self.queued = now
        self.started: float | None = None
        self.lane = Lane.BULK
        self.deadline = float("inf")
        self.latest = float("-inf")
        self.tickets: set[Ticket] = set()
        self.calls: list[Call] = []
        self.tries = 0
        self.avoid: str | None = None

    def __repr__(self) -> str:
        state = "waiting" if self.started is None else "flying"
        return f"<Flight {state}, {self.lane.name.lower()}, {len(self.tickets)} tickets>"

    @property
    def is_listened_to(self) -> bool:
        """Whether any of those who wait wants to hear the translation as it comes."""
        return any(ticket.wait.listener is not None for ticket in self.tickets)

    def hear(self, text: str) -> None:
        """Tell the translation so far to those who want to hear it."""
        for ticket in self.tickets:
            if ticket.wait.listener is not None:
                ticket.wait.listener.heard(ticket.index, text)

    def board(self, ticket: Ticket) -> bool:
        """Add a ticket; True if the flight now has to go earlier than before."""
        earlier = not self.tickets or ticket.lane < self.lane or ticket.deadline < self.deadline
        self.tickets.add(ticket)
        self.lane = min(self.lane, ticket.lane)
        self.deadline = min(self.deadline, ticket.deadline)
        self.latest = max(self.latest, ticket.deadline)
        return earlier


class Call:
    """One call of an engine under way, and the flights it carries."""

    def __init__(self, replica: str, flights: Sequence[Flight]) -> None:
        self.replica = replica
        self.flights = flights
        self.task: asyncio.Task[Sequence[Output | EngineError]] | None = None

    def abandon_if_empty(self) -> None:
        """Cancel the call, in the engine too, when nobody waits for any of its flights."""
        if self.task is not None and not any(flight.tickets for flight in self.flights):
            self.task.cancel()

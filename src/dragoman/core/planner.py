"""What flies next: decisions only. No clock, no I/O, no event loop; time comes in as a number."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from heapq import heappop, heappush
from itertools import count

from msgspec import Struct

from dragoman.core.flights import Flight
from dragoman.types import Lane, Pair

BULK_SHARE = 8
"""When people wait too, one launch in this many is bulk's: a job moves on, however busy the day."""

BULK_FILL = 0.9
"""The part of a replica's slots up to which bulk fills it, so that who arrives next flies at once (a single slot may
be filled).
"""

WINDOW = 256
"""Among how many waiting flights a batch looks for others of like length. A flight waits for no more than that."""


class Seats(Struct, frozen=True, kw_only=True):
    """What a replica can take now.

    `limit` is how many segments it may work on at once and `flying` how many it does. `max_batch` and
    `max_batch_tokens` bound one call, counted as an engine pads it: its longest segment times their number. `warm` are
    the pairs whose prompt it has lately seen, and so keeps in its prefix cache.
    """

    name: str
    limit: int
    flying: int
    max_batch: int = 1
    max_batch_tokens: int | None = None
    warm: frozenset[Pair] = frozenset()


class Launch(Struct, frozen=True):
    """One call: these flights together, on this replica."""

    replica: str
    flights: list[Flight]


class Lanes:
    """The waiting flights of both lanes, each in order of deadline.

    The mutable state is a heap for each lane, which flight waits under which entry, and the sums of both. A flight that
    left or was moved stays in its heap until it comes to the top, where its entry no longer is the one in `_waiting`.
    """

    def __init__(self) -> None:
        self._heaps: dict[Lane, list[tuple[float, int, Flight]]] = {lane: [] for lane in Lane}
        self._waiting: dict[Flight, tuple[int, Lane]] = {}
        self._entries = count()
        self._counts = dict.fromkeys(Lane, 0)
        self._tokens = dict.fromkeys(Lane, 0)

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, flight: Flight) -> bool:
        return flight in self._waiting

    def __iter__(self) -> Iterator[Flight]:
        return iter(tuple(self._waiting))

    def tokens(self, lane: Lane) -> int:
        """How many tokens of source text wait in this lane."""
        return self._tokens[lane]

    def waiting(self, lane: Lane) -> int:
        """How many flights wait in this lane."""
        return self._counts[lane]

    def add(self, flight: Flight) -> None:
        """Let a flight wait in its lane; one that waits already moves to where it belongs now."""
        self.drop(flight)
        entry = next(self._entries)
        self._waiting[flight] = (entry, flight.lane)
        self._counts[flight.lane] += 1
        self._tokens[flight.lane] += flight.tokens
        heappush(self._heaps[flight.lane], (flight.deadline, entry, flight))

    def drop(self, flight: Flight) -> None:
        """Take a flight out, if it waits at all."""
        entry = self._waiting.pop(flight, None)
        if entry is not None:
            self._counts[entry[1]] -= 1
            self._tokens[entry[1]] -= flight.tokens

    def first(self, lane: Lane) -> Flight | None:
        """The flight that goes next in this lane; it stays there until it is dropped."""
        heap = self._heaps[lane]
        while heap:
            _, entry, flight = heap[0]
            if self._waiting.get(flight) == (entry, lane):
                return flight
            heappop(heap)
        return None

    def near_front(self, lane: Lane, most: int) -> list[Flight]:
        """Up to `most` flights that go soon, in no certain order: roughly the smallest stand first in a heap."""
        near = self._heaps[lane][:most]
        return [flight for _, entry, flight in near if self._waiting.get(flight) == (entry, lane)]


def plan(
    lanes: Lanes, seats: Sequence[Seats], since_bulk: int, now: float, *, bulk_fill: float = BULK_FILL
) -> tuple[list[Launch], int]:
    """Decide what flies now, and take it out of its lane.

    Interactive goes before bulk, except that one launch in `BULK_SHARE` is bulk's while both wait: `since_bulk` counts
    the launches since its last, and comes back as it is after this plan. Within a lane the earliest deadline goes
    first. A flight goes to a replica that has its pair warm, else to the emptiest, and to one that failed it only while
    no other takes work. One past its last deadline is left behind: whoever waited for it has gone.
    Bulk flies only where no more than `bulk_fill` of the slots are taken then, but for the share that is due to it;
    with 0 it does not fly.
    """
    launches: list[Launch] = []
    rooms = {seat.name: _Room(seat, bulk_fill) for seat in seats}
    while True:
        bulk_waits = lanes.waiting(Lane.BULK) > 0 and bulk_fill > 0
        due = since_bulk >= BULK_SHARE - 1
        order = _order(bulk_waits, due)
        launch = next((found for lane in order if (found := _launch(lanes, lane, rooms, now, due))), None)
        if launch is None:
            return launches, since_bulk
        launches.append(launch)
        since_bulk = since_bulk + 1 if bulk_waits and launch.flights[0].lane is Lane.INTERACTIVE else 0


def _order(bulk_waits: bool, due: bool) -> Sequence[Lane]:
    """The lanes that the next launch may come from, the one that goes first before the other."""
    if not bulk_waits:
        return (Lane.INTERACTIVE,)
    return (Lane.BULK, Lane.INTERACTIVE) if due else (Lane.INTERACTIVE, Lane.BULK)


class _Room:
    """What is left of a replica's seats while a plan is made."""

    def __init__(self, seats: Seats, bulk_fill: float) -> None:
        self.seats = seats
        self.free = seats.limit - seats.flying
        self.free_for_bulk = min(self.free, max(1, math.floor(seats.limit * bulk_fill)) - seats.flying)

    def free_in(self, lane: Lane, due: bool) -> int:
        """How many segments may fly; bulk that is due takes a seat like anyone, or it would starve among people."""
        return self.free if lane is Lane.INTERACTIVE or due else self.free_for_bulk

    def distance(self, flight: Flight) -> tuple[bool, float]:
        """How little this replica suits a flight: its prompt is not cached, many are there."""
        return flight.segment.pair not in self.seats.warm, 1 - self.free / self.seats.limit

    def take(self, flights: Sequence[Flight]) -> None:
        self.free -= len(flights)
        self.free_for_bulk -= len(flights)


def _launch(lanes: Lanes, lane: Lane, rooms: Mapping[str, _Room], now: float, due: bool) -> Launch | None:
    flight = _first_awaited(lanes, lane, now)
    if flight is None:
        return None
    # Who failed elsewhere waits for a slot here: a replica that fails at once always has the most room.
    others = [room for name, room in rooms.items() if name != flight.avoid and room.seats.limit]
    room = min(
        (room for room in others or rooms.values() if room.free_in(lane, due) > 0),
        key=lambda room: room.distance(flight),
        default=None,
    )
    if room is None:
        return None
    flights = _batch(lanes, flight, room, min(room.seats.max_batch, room.free_in(lane, due)))
    for member in flights:
        lanes.drop(member)
    room.take(flights)
    return Launch(room.seats.name, flights)


def _first_awaited(lanes: Lanes, lane: Lane, now: float) -> Flight | None:
    while (flight := lanes.first(lane)) is not None and flight.latest <= now:
        lanes.drop(flight)
    return flight


def _batch(lanes: Lanes, first: Flight, room: _Room, most: int) -> list[Flight]:
    """The flight and others of its lane that cost little beside it: those of like length, as far as a call may hold."""
    if most == 1:
        return [first]
    others = [flight for flight in lanes.near_front(first.lane, WINDOW) if flight is not first]
    others.sort(key=lambda flight: abs(flight.tokens - first.tokens))
    batch, longest = [first], first.tokens
    budget = room.seats.max_batch_tokens or math.inf
    for flight in others[: most - 1]:
        longest = max(longest, flight.tokens)
        if longest * (len(batch) + 1) > budget:
            break
        batch.append(flight)
    return batch

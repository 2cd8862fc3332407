"""What part of a replica's slots this process may use, where several processes share the replica.

Processes that know nothing of each other take equal parts. Through Valkey they lend each other what they do not need:
each holds a lease on some of the slots, tells every quarter of a second how many it could use, and takes what is its
due. A call costs no round trip. A process gives slots up by itself and takes only what is free, both before it uses
them, so that all together never pass the replica's slots; the lease of one that was killed runs out.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol, cast
from urllib.parse import urlsplit

from msgspec import Struct

from dragoman.memory.valkey import client_of

if TYPE_CHECKING:
    from valkey.asyncio import Valkey

log = logging.getLogger(__name__)

LOAD_A_MODEL = frozenset({"llamacpp", "transformers"})
IN_PROCESS = LOAD_A_MODEL | {"simulated"}
"""Engines that run in the process that opens them, or in a child of it: each process has its own slots there."""

KEY_PREFIX = "dragoman:1:slots:"
"""The number is the version of what stands under the key."""

BEAT_S, HUNGRY_BEAT_S, BEAT_AGAIN_S = 0.25, 0.05, 0.5
"""Between two beats of a lease: of one that has its due, one that has not yet, one whose server did not answer."""

LEASE_S = 3.0
TIMEOUT_S = 0.5
TURN_S = 2.0
"""How long a process keeps the slot that it shares with others in turns: there are fewer slots than processes."""

LEAST_OF = 10
"""With so many slots for each process, one that is idle keeps one: who asks it next does not wait for a beat."""

# A process's own row says what it holds, whatever the others hold. It grows by no more than what is free.
_BEAT = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local me, held, demand, target, slots, lease = ARGV[1], unpack(ARGV, 2)
local others, free = {}, tonumber(slots)
local rows = redis.call('HGETALL', KEYS[1])
for i = 1, #rows, 2 do
    local until_ms, its_held, its_demand = string.match(rows[i + 1], '^(%d+) (%d+) (%d+)$')
    if not until_ms or tonumber(until_ms) < now then
        redis.call('HDEL', KEYS[1], rows[i])
    elseif rows[i] ~= me then
        free = free - its_held
        table.insert(others, rows[i])
        table.insert(others, tonumber(its_demand))
    end
end
held = math.max(tonumber(held), math.min(tonumber(target), free))
redis.call('HSET', KEYS[1], me, string.format('%d %d %d', now + lease, held, demand))
redis.call('PEXPIRE', KEYS[1], lease * 10)
return {held, others}
"""


class Load(Struct, frozen=True):
    """A replica as this process sees it: its model, all its slots, and the segments that fly there from here."""

    model: str
    slots: int
    flying: int


class Share(Protocol):
    """The part of this process in one replica."""

    def of(self, slots: int) -> int:
        """How many of the replica's slots may be used now; 0 while that is not clear yet."""
        ...

    async def aclose(self) -> None:
        """Give the part back; nothing flies any more."""
        ...


class Shares(Protocol):
    """Opens this process's share of each replica."""

    def open(self, name: str, load: Callable[[], Load | None], changed: Callable[[], None]) -> Share:
        """The share of the replica that is called `name`. `load` tells how it stands, None while its slots are not
        known; `changed` is called whenever there may be more room.
        """
        ...


class EqualShares(Struct, frozen=True):
    """The same part for each of the workers of one server, at least one slot; by default all for the only one."""

    workers: int = 1
    worker: int = 0

    def open(self, name: str, load: Callable[[], Load | None], changed: Callable[[], None]) -> Share:
        return WHOLE if urlsplit(name).scheme in IN_PROCESS else self

    def of(self, slots: int) -> int:
        return max(1, (slots + self.workers - 1 - self.worker) // self.workers)

    async def aclose(self) -> None:
        """Nothing is held."""


WHOLE = EqualShares()


class LeasedShares:
    """Leases on slots, kept on a Valkey server; opened by `open_leases`. `waiting` counts what waits in this process.

    While the server does not answer, each process takes the part it would have if all did the same.
    """

    def __init__(self, client: Valkey, server: str, workers: int, waiting: Callable[[], int]) -> None:
        self.client = client
        self.server = server
        self.workers = workers
        self.waiting = waiting

    def open(self, name: str, load: Callable[[], Load | None], changed: Callable[[], None]) -> Share:
        return WHOLE if urlsplit(name).scheme in IN_PROCESS else LeasedShare(self, name, load, changed)

    async def aclose(self) -> None:
        await self.client.aclose()


def open_leases(url: str, workers: int, waiting: Callable[[], int]) -> LeasedShares:
    """Leases on the server at `url`, as `memory.valkey.client_of` takes it and with the errors that it raises."""
    client, server = client_of(url, TIMEOUT_S)
    return LeasedShares(client, server, workers, waiting)


class LeasedShare:
    """The lease of this process on one replica's slots, renewed by a task of its own.

    Mutable state: `_allowed` is what may be used until `_valid_until`, `_others` the demand of each other process,
    `_known` is set from the first answer or failure on, `_failing` while the server does not answer.
    """

    def __init__(
        self, shares: LeasedShares, name: str, load: Callable[[], Load | None], changed: Callable[[], None]
    ) -> None:
        self._shares = shares
        self._name = name
        self._load = load
        self._changed = changed
        self._me = secrets.token_hex(8)
        self._script = shares.client.register_script(_BEAT)
        self._key: str | None = None
        self._loop = asyncio.get_running_loop()
        self._allowed = 0
        self._valid_until = self._loop.time()
        self._others: Mapping[str, int] = {}
        self._known = self._failing = False
        self._closing = asyncio.Event()
        self._beating = self._loop.create_task(self._keep(), name=f"lease on {name}")

    def of(self, slots: int) -> int:
        if self._loop.time() < self._valid_until:
            return min(self._allowed, slots)
        processes = max(self._shares.workers, len(self._others) + 1)
        return max(1, slots // processes) if self._known else 0

    async def aclose(self) -> None:
        self._closing.set()
        await self._beating

    async def _keep(self) -> None:
        while not self._closing.is_set():
            pause_s = await self._try_to_renew()
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._closing.wait()
        await self._release()

    async def _try_to_renew(self) -> float:
        """Renew the lease, and return how long to wait before the next time."""
        load = self._load()
        if load is None:
            return HUNGRY_BEAT_S
        try:
            has_its_due = await self._renew(load)
        except _server_errors() as error:
            self._fail(error)
            return BEAT_AGAIN_S
        return BEAT_S if has_its_due else HUNGRY_BEAT_S

    async def _renew(self, load: Load) -> bool:
        """Give up what is too much, ask for what is missing; True if that is all of this process's due."""
        asked_at = self._loop.time()
        demand = load.flying + self._shares.waiting()
        due = due_part(load.slots, {**self._others, self._me: demand}, self._me, int(time.time() / TURN_S))
        self._allowed = min(self.of(load.slots), due)
        held = max(load.flying, self.of(load.slots))
        self._key = key_of(self._name, load.model)
        arguments: list[str | int] = [self._me, held, demand, due, load.slots, int(LEASE_S * 1e3)]
        held, others = await self._script(keys=[self._key], args=arguments)
        self._others = {other.decode(): demand for other, demand in zip(others[::2], others[1::2], strict=True)}
        self._allowed, self._valid_until, self._known = min(held, due), asked_at + LEASE_S, True
        self._recover()
        self._changed()
        return self._allowed >= due

    async def _release(self) -> None:
        if self._key is None:
            return
        with suppress(*_server_errors()):  # the lease runs out by itself
            await cast("Awaitable[int]", self._shares.client.hdel(self._key, self._me))

    def _fail(self, error: Exception) -> None:
        if not self._failing:
            log.warning(
                "The slots of %s cannot be shared through %s: %s. Each process takes an equal part of them meanwhile.",
                self._name,
                self._shares.server,
                str(error).rstrip(".") or type(error).__name__,
            )
        self._known = self._failing = True
        self._changed()

    def _recover(self) -> None:
        if self._failing:
            log.info("The slots of %s are shared through %s again.", self._name, self._shares.server)
        self._failing = False


def due_part(slots: int, demands: Mapping[str, int], me: str, turn: int) -> int:
    """What `me` is due: no process gets more than it can use while another goes without, and what nobody can use is
    split. Where more want a slot than there are, it goes round by `turn`. The parts of all come to `slots`.
    """
    hungry = sorted(process for process, demand in demands.items() if demand)
    if len(hungry) > slots:
        return int(me in hungry and (hungry.index(me) - turn) % len(hungry) < slots)
    least = 1 if slots >= LEAST_OF * len(demands) else 0
    parts: dict[str, int] = {}
    left = slots
    for process in sorted(demands, key=lambda process: (demands[process], process)):
        fair = left // (len(demands) - len(parts))
        parts[process] = min(max(demands[process], least), fair)
        left -= parts[process]
    extra, odd = divmod(left, len(demands))
    return parts[me] + extra + (sorted(demands).index(me) < odd)


def key_of(name: str, model: str) -> str:
    """The key of a replica's leases. An address that means another machine on each host is named together with it."""
    host = urlsplit(name).hostname
    is_local = host is None or host == "localhost" or host.startswith("127.") or host == "::1"
    return f"{KEY_PREFIX}{socket.gethostname() if is_local else ''}|{name}|{model}"


def _server_errors() -> tuple[type[Exception], ...]:
    from valkey.exceptions import ValkeyError

    return (OSError, ValkeyError)

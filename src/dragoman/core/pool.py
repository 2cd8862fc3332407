"""The replicas of one model: who is there, who is well, who has room."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

from msgspec import Struct, structs

from dragoman.core.breaker import Breaker
from dragoman.core.limiter import AdaptiveLimit, FixedLimit
from dragoman.core.planner import Seats
from dragoman.core.shared_limit import WHOLE, Load, Shares
from dragoman.engines.base import Engine, Hear
from dragoman.errors import ConfigurationError, EngineError, EngineTimeout, EngineUnavailable, InvalidRequest
from dragoman.telemetry import Histogram
from dragoman.types import EngineInfo, Output, Pair, Readiness, Segment, Tokens

log = logging.getLogger(__name__)

_LOTS = random.Random()

PROBE_AGAIN_S = 15.0
"""Between probes of an engine that answers; one that does not is asked sooner, from a quarter of a second on."""


class ReplicaState(Struct, frozen=True, kw_only=True):
    """What the operator sees of a replica."""

    name: str
    info: EngineInfo
    readiness: Readiness
    limit: int
    flying: int
    draining: bool


class Replica:
    """One engine, and what is known of its health and room. The scheduler calls it; a task of its own probes it.

    The mutable state is `flying`, `_warm`, `_readiness`, `_draining`, what limiter and breaker remember, and the
    counts of its calls' seconds and tokens.
    """

    def __init__(self, name: str, engine: Engine, room_again: Callable[[], None], shares: Shares) -> None:
        self.name = name
        self.engine = engine
        self.flying = 0
        self.limiter = _limiter_for(engine.info)
        self.breaker = Breaker()
        self.call_s = Histogram()
        self.tokens = Tokens()
        self.draining = False
        self.readiness = Readiness(False, "The engine has not answered yet.")
        self._warm: OrderedDict[Pair, None] = OrderedDict()
        self._warm_now: frozenset[Pair] = frozenset()
        self._room_again = room_again
        self.idle = asyncio.Event()
        self.idle.set()
        self.share = shares.open(name, self._load, room_again)

    def __repr__(self) -> str:
        return f"<Replica {self.name}: {self.flying} of {self.limit} flying>"

    @property
    def limit(self) -> int:
        """How many segments may fly from here. Slots that are known are shared out; where they are not, every process
        looks for its own limit, and the engine's queue keeps them apart.
        """
        return self.share.of(self.limiter.limit) if self.engine.info.slots_known else self.limiter.limit

    @property
    def state(self) -> ReplicaState:
        return ReplicaState(
            name=self.name,
            info=self.engine.info,
            readiness=self.readiness,
            limit=self.limit,
            flying=self.flying,
            draining=self.draining,
        )

    def seats(self, now: float) -> Seats:
        """What it can take at `now`: nothing while draining or while its breaker is open."""
        info = self.engine.info
        room = 0 if self.draining else self.breaker.room(now, self.limit)
        return Seats(
            name=self.name,
            limit=room,
            flying=self.flying,
            max_batch=info.max_batch,
            max_batch_tokens=info.max_batch_tokens,
            warm=self._warm_now,
        )

    async def translate(self, batch: Sequence[Segment], hear: Hear | None = None) -> Sequence[Output | EngineError]:
        """Have the engine translate a batch, and learn from how it went. `hear` is told of it, if the engine can."""
        clock = asyncio.get_running_loop().time
        began = clock()
        outcomes = await self._asked(batch, hear)
        self._learn(outcomes, clock(), clock() - began)
        return outcomes

    def _asked(self, batch: Sequence[Segment], hear: Hear | None) -> Awaitable[Sequence[Output | EngineError]]:
        if hear is None or "stream" not in self.engine.info.can:
            return self.engine.translate(batch)
        return self.engine.translate(batch, hear)

    def take_off(self, pair: Pair, segments: int) -> None:
        """So many segments are on their way; the replica will have this pair's prompt cached."""
        self.flying += segments
        self.idle.clear()
        self._touch(pair)

    def landed(self, segments: int) -> None:
        """So many segments are back, whatever became of them."""
        self.flying -= segments
        if not self.flying:
            self.idle.set()

    def found(self, readiness: Readiness) -> None:
        """Keep what a probe found, and say so when it changed."""
        if readiness != self.readiness:
            level = logging.INFO if readiness.ready else logging.WARNING
            log.log(level, "%s: %s", self.name, readiness.reason or "the engine is ready.")
        self.readiness = readiness

    def probed(self, info: EngineInfo) -> None:
        """Follow what a good probe told."""
        if info.slots_known and info.slots != self.limiter.limit:
            self.limiter = FixedLimit(info.slots)
        if not self.readiness.ready:
            self.breaker.succeeded()  # it is back, and nobody should wait out the pause of its absence
        self.found(Readiness(True))

    def _load(self) -> Load | None:
        info = self.engine.info
        return Load(info.model, info.slots, self.flying) if info.slots_known else None

    def _touch(self, pair: Pair) -> None:
        self._warm[pair] = None
        self._warm.move_to_end(pair)
        if len(self._warm) > self.engine.info.slots:
            self._warm.popitem(last=False)
        elif len(self._warm) == len(self._warm_now):
            return
        self._warm_now = frozenset(self._warm)

    def _learn(self, outcomes: Sequence[Output | EngineError], now: float, took_s: float) -> None:
        self.call_s.observe(took_s)
        for outcome in outcomes:
            if isinstance(outcome, EngineUnavailable | EngineTimeout):
                self._fail(now)
                self.limiter.landed(now, took_s=took_s, tokens=0, flying=self.flying, ok=False)
            else:
                self.breaker.succeeded()
            if isinstance(outcome, Output):
                self.tokens += outcome.tokens
                tokens = outcome.tokens.output or len(outcome.text) // 4 + 1
                self.limiter.landed(now, took_s=took_s, tokens=tokens, flying=self.flying, ok=True)

    def _fail(self, now: float) -> None:
        before = self.breaker.retry_at()
        self.breaker.failed(now)
        retry_at = self.breaker.retry_at()
        if retry_at is not None and retry_at != before:
            log.warning(
                "%s failed %d times in a row and is left alone for %.0f s.",
                self.name,
                self.breaker.failures,
                retry_at - now,
            )
            asyncio.get_running_loop().call_at(retry_at, self._room_again)


class Pool:
    """The replicas of one model. An async context manager: it probes them all and closes them at the end.

    `info` is that of the first replica; all are taken for the same model, so their answers are each other's.
    """

    def __init__(self, shares: Shares = WHOLE) -> None:
        self._shares = shares
        self._replicas: dict[str, Replica] = {}
        self._watches: dict[str, asyncio.Task[None]] = {}
        self._leaving: set[str] = set()
        self._info: EngineInfo | None = None
        self._changed: Callable[[], None] = lambda: None
        self._first: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await asyncio.gather(*(self._end(name) for name in list(self._replicas)))

    def __getitem__(self, name: str) -> Replica:
        return self._replicas[name]

    def __iter__(self) -> Iterator[Replica]:
        return iter(list(self._replicas.values()))

    @property
    def info(self) -> EngineInfo:
        """What the pool's model is; `slots` are those of all replicas together. The last known when all have gone."""
        assert self._info is not None, "a pool without a replica has no model yet"
        return self._info

    @property
    def readiness(self) -> Readiness:
        """Ready while any replica is; else the first one's reason."""
        found = [replica.readiness for replica in self._replicas.values() if not replica.draining]
        return next(
            (one for one in found if one.ready), found[0] if found else Readiness(False, "No replica is there.")
        )

    def states(self) -> list[ReplicaState]:
        """Every replica, in the order they came."""
        return [replica.state for replica in self._replicas.values()]

    def on_change(self, changed: Callable[[], None]) -> None:
        """Call this whenever there may be more room than before."""
        self._changed = changed

    async def ready(self) -> None:
        """Return once a replica has answered a probe. Raises ConfigurationError where none ever will."""
        await asyncio.shield(self._first)

    @property
    def tries(self) -> int:
        """Calls a flight may take: one more than the first, and a third where there are several replicas."""
        return 2 if len(self._replicas) == 1 else 3

    def out_of_order(self, now: float) -> EngineUnavailable | None:
        """An error while every replica that might work has failed so often that it is left alone, else None."""
        at_work = self._at_work()
        if not at_work or not all(replica.breaker.is_open(now) for replica in at_work):
            return None
        name = self.info.name
        return EngineUnavailable(
            f"The engine {name} failed several times in a row and is left alone for a moment.", engine=name
        )

    def seats(self, now: float) -> list[Seats]:
        """What the replicas can take, also those that are full; nothing where all are."""
        all_seats = [replica.seats(now) for replica in self._at_work()]
        return all_seats if any(seats.limit > seats.flying for seats in all_seats) else []

    def add(self, name: str, engine: Engine) -> None:
        """Let a replica join; it takes work once it has answered a probe, or at once where none has."""
        if name in self._replicas:
            raise InvalidRequest(f"There is a replica {name} already.", field="url")
        self._replicas[name] = Replica(name, engine, lambda: self._changed(), self._shares)
        self._sum_up()
        self._watches[name] = asyncio.create_task(self._watch(self._replicas[name]), name=f"watch {name}")
        self._changed()

    def drain(self, name: str) -> None:
        """Give a replica no new work; what it has, it finishes."""
        self._known(name).draining = True

    def resume(self, name: str) -> None:
        """Give a drained replica work again."""
        self._known(name).draining = False
        self._changed()

    async def remove(self, name: str, grace_s: float) -> None:
        """Drain a replica for up to `grace_s`, then close it: what still flies there is tried elsewhere."""
        replica = self._known(name)
        if not self._replicas.keys() - self._leaving - {name}:
            raise InvalidRequest("The last replica cannot be removed.", field="name")
        self._leaving.add(name)
        replica.draining = True
        with suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                await replica.idle.wait()
        await self._end(name)
        del self._replicas[name], self._watches[name]
        self._leaving.discard(name)
        self._sum_up()
        self._changed()

    def _at_work(self) -> list[Replica]:
        """Not those that drain; of the others those that answered their latest probe, or all where none did."""
        staying = [replica for replica in self._replicas.values() if not replica.draining]
        return [replica for replica in staying if replica.readiness.ready] or staying

    def _known(self, name: str) -> Replica:
        if name not in self._replicas:
            raise InvalidRequest(f"There is no replica {name}.", field="name", accepted=list(self._replicas))
        return self._replicas[name]

    async def _end(self, name: str) -> None:
        replica, watch = self._replicas[name], self._watches[name]
        watch.cancel()
        await replica.engine.aclose()
        await asyncio.gather(watch, return_exceptions=True)
        await replica.idle.wait()  # its calls end now, with EngineUnavailable
        await replica.share.aclose()

    async def _watch(self, replica: Replica) -> None:
        """Probe a replica for as long as it is there; what that finds is its readiness."""
        pause_s = 0.25
        while True:
            try:
                info = await replica.engine.probe()
            except ConfigurationError as error:
                replica.found(Readiness(False, error.message))
                self._settle(error)
            except EngineError as error:
                replica.found(Readiness(False, error.message))
            except Exception:
                log.critical("Probing %s failed. This is a bug.", replica.name, exc_info=True)
                replica.found(Readiness(False, "The engine cannot be probed; the log says why. This is a bug."))
            else:
                replica.probed(info)
                self._sum_up()
                self._settle()
            self._changed()
            pause_s = PROBE_AGAIN_S if replica.readiness.ready else min(pause_s * 2, PROBE_AGAIN_S)
            await asyncio.sleep(pause_s * _LOTS.uniform(0.8, 1.2))

    def _sum_up(self) -> None:
        infos = [replica.engine.info for replica in self._replicas.values()]
        if infos:
            self._info = structs.replace(infos[0], slots=sum(info.slots for info in infos))

    def _settle(self, error: ConfigurationError | None = None) -> None:
        """The first good probe ends the wait for `ready`; so does a bad one that leaves no replica to hope for."""
        if self._first.done():
            return
        if error is None:
            self._first.set_result(None)
        elif len(self._replicas) == 1:
            self._first.set_exception(error)
            self._first.exception()  # marks it as seen: who waits for `ready` still gets it


def _limiter_for(info: EngineInfo) -> FixedLimit | AdaptiveLimit:
    """An engine that tells its slots is believed; of another the best number is found."""
    return FixedLimit(info.slots) if info.slots_known else AdaptiveLimit()

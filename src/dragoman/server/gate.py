"""Who may come in, and how much they may ask for: keys, scopes, limits and what was used."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from ipaddress import ip_address, ip_network
from typing import Protocol

from msgspec import Struct
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from dragoman.errors import (
    ConfigurationError,
    DragomanError,
    Forbidden,
    QuotaExceeded,
    TooLarge,
    TooManyRequests,
    Unauthorized,
)
from dragoman.memory.glossary_file import NOBODY
from dragoman.memory.key_file import KeyLimits, Scope
from dragoman.memory.usage import MINUTE_S, Meter, Used, Window, windows_of
from dragoman.server.endpoint import Handler
from dragoman.server.keys import Keyring
from dragoman.settings import Settings

__all__ = [
    "Caller",
    "Gate",
    "KeyGate",
    "OpenGate",
    "Scope",
    "Usage",
    "bearer_key",
    "behind",
    "check_exposure",
    "check_proxies",
    "native_key",
]

_NO_KEY = "This server asks for an API key. Send yours with the request; whoever runs the server can make you one."
_WRONG_KEY = "This API key is not known here, or it was revoked. Ask whoever runs the server for another."


class Caller(Struct, frozen=True):
    """Who asks: the id of a key, never the key itself; "" where no keys are needed."""

    key_id: str = NOBODY
    scopes: frozenset[Scope] = frozenset({"translate"})


class Usage(Struct, frozen=True):
    """Characters that a caller had translated in this period, and how many it may; None where there is no limit."""

    characters: int
    character_limit: int | None = None


class Gate(Protocol):
    """Lets callers in and counts what they use."""

    async def admit(self, key: str | None, scope: Scope = "translate") -> Caller:
        """Who this key belongs to. Raises Unauthorized without a valid key and Forbidden without the scope."""
        ...

    async def charge(self, caller: Caller, characters: int) -> None:
        """Count a request and its characters, and raise without counting what the caller may not have.

        That is QuotaExceeded for this day or month, TooManyRequests for this minute, and TooLarge for what no minute
        has room for.
        """
        ...

    async def charge_job(self, caller: Caller, characters: int) -> None:
        """Count characters that a job had translated, and raise where that is more than the caller may have: the job is
        to stop then. Limits of a minute and of requests are for those who wait, and hold for no job.

        That is QuotaExceeded for this day or month, and Unauthorized for a key that was revoked.
        """
        ...

    async def usage(self, caller: Caller) -> Usage:
        """What was used in this calendar month (UTC)."""
        ...


class OpenGate:
    """Asks for no keys, lets everybody in and counts them together."""

    def __init__(self, meter: Meter | None = None, clock: Callable[[], float] = time.time) -> None:
        self._meter = meter or Meter()
        self._clock = clock

    async def admit(self, key: str | None, scope: Scope = "translate") -> Caller:
        return Caller()

    async def charge(self, caller: Caller, characters: int) -> None:
        self._meter.add(NOBODY, windows_of(self._clock()).month, Used(1, characters))

    async def charge_job(self, caller: Caller, characters: int) -> None:
        self._meter.add(NOBODY, windows_of(self._clock()).month, Used(0, characters))

    async def usage(self, caller: Caller) -> Usage:
        return Usage(self._meter.used(NOBODY, windows_of(self._clock()).month).characters)


class KeyGate:
    """Lets in who has a key, as far as its scopes and limits go.

    Among several processes a limit may be passed by what they let in together in half a second.
    """

    def __init__(self, keyring: Keyring, clock: Callable[[], float] = time.time) -> None:
        self.keyring = keyring
        self._clock = clock

    async def admit(self, key: str | None, scope: Scope = "translate") -> Caller:
        if not key:
            raise Unauthorized(_NO_KEY)
        info = self.keyring.find(key)
        if info is None:
            raise Unauthorized(_WRONG_KEY)
        if scope not in info.scopes:
            raise Forbidden(f"This API key has not the scope {scope}; it has {', '.join(sorted(info.scopes))}.")
        return Caller(info.id, info.scopes)

    async def charge(self, caller: Caller, characters: int) -> None:
        info = self.keyring.info(caller.key_id)
        if info is None:  # revoked since it was admitted
            raise Unauthorized(_WRONG_KEY)
        now, meter = self._clock(), self.keyring.meter
        windows = windows_of(now)
        for window in reversed(windows):  # what is over for the month is not over in a minute
            refusal = _refusal(info.limits, window, meter.used(info.id, window), characters, now)
            if refusal is not None:
                raise refusal
        _count(meter, info.id, windows, Used(1, characters))

    async def charge_job(self, caller: Caller, characters: int) -> None:
        info = self.keyring.info(caller.key_id)
        if info is None:
            raise Unauthorized(_WRONG_KEY)
        now, meter = self._clock(), self.keyring.meter
        _, day, month = windows_of(now)
        refusals = [
            _over_characters(info.limits, window, meter.used(info.id, window), characters, now)
            for window in (month, day)
        ]
        _count(meter, info.id, (month, day), Used(0, characters))
        for refusal in filter(None, refusals):
            raise refusal

    async def usage(self, caller: Caller) -> Usage:
        info = self.keyring.info(caller.key_id)
        used = self.keyring.meter.used(caller.key_id, windows_of(self._clock()).month)
        return Usage(used.characters, None if info is None else info.limits.characters_per_month)


def bearer_key(request: HTTPConnection) -> str | None:
    """The key in `Authorization: Bearer KEY`."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else None


def native_key(request: HTTPConnection) -> str | None:
    """The key where Dragoman's own routes look for it: as bearer, or in `X-API-Key`."""
    return bearer_key(request) or request.headers.get("x-api-key")


def behind(gate: Gate, scope: Scope, handler: Handler) -> Handler:
    """A handler for those only whose key, where Dragoman's own routes look for it, has the scope."""

    async def admitting(request: Request) -> Response:
        await gate.admit(native_key(request), scope)
        return await handler(request)

    return admitting


def check_exposure(address: str, settings: Settings) -> None:
    """Raise ConfigurationError where others than this machine could reach a server that asks for no keys, by its IP
    address, and nobody said that this is meant.
    """
    if settings.keys or settings.open_to_all or ip_address(address).is_loopback:
        return
    raise ConfigurationError(
        f"Everybody who reaches {address} could use this server, and it would ask for no key. Set --keys true and make "
        "keys with `dragoman keys add NAME`, or say that this is meant with --open-to-all true, or listen on 127.0.0.1."
    )


def check_proxies(settings: Settings) -> None:
    """Raise ConfigurationError for a trusted proxy that is neither an address nor a network: uvicorn would take it for
    a name, and trust nobody.
    """
    for proxy in (settings.trusted_proxies or "").split():
        try:
            ip_network(proxy)
        except ValueError as error:
            raise ConfigurationError(
                f"trusted_proxies: {error}. Name addresses as 10.0.0.1 or networks as 192.168.0.0/16, with spaces "
                "between."
            ) from error


def _refusal(limits: KeyLimits, window: Window, used: Used, characters: int, now: float) -> DragomanError | None:
    """Why one more request of so many characters is too much in a window, None if it is not."""
    period = window.period
    most_requests = limits.requests_per(period)
    if most_requests is not None and used.requests >= most_requests:
        return _over(f"This API key may send {most_requests} requests in a {period}, and has sent them.", window, now)
    return _over_characters(limits, window, used, characters, now)


def _over_characters(
    limits: KeyLimits, window: Window, used: Used, characters: int, now: float
) -> DragomanError | None:
    """Why so many more characters are too much in a window, None if they are not."""
    period = window.period
    most_characters = limits.characters_per(period)
    if most_characters is None or used.characters + characters <= most_characters:
        return None
    may = f"This API key may have {most_characters} characters translated in a {period}"
    if period == "minute" and characters > most_characters:
        return TooLarge(
            f"{may}, and these are {characters}. Send them in several requests.", field="text", limit=most_characters
        )
    if not characters:
        return _over(f"{may}, and has had them.", window, now)
    left = max(0, most_characters - used.characters)
    return _over(f"{may}; {left} are left, and these are {characters}.", window, now)


def _over(words: str, window: Window, now: float) -> DragomanError:
    if window.period == "minute":
        return TooManyRequests(f"{words} Wait for the next minute.", retry_after_s=window.start + MINUTE_S - now)
    return QuotaExceeded(
        f"{words} Wait for the next {window.period} (UTC), or ask whoever runs the server to raise the limit."
    )


def _count(meter: Meter, key_id: str, windows: Iterable[Window], used: Used) -> None:
    for window in windows:
        meter.add(key_id, window, used)

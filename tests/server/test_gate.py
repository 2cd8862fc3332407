"""Who comes in, and how far: the gates, and Dragoman's own routes behind them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from starlette.applications import Starlette

from dragoman.errors import ConfigurationError, Forbidden, QuotaExceeded, TooLarge, TooManyRequests, Unauthorized
from dragoman.memory.glossaries import Glossaries
from dragoman.memory.key_file import KeyLimits
from dragoman.server.app import create_app
from dragoman.server.gate import Caller, KeyGate, OpenGate, Usage, check_exposure, check_proxies
from dragoman.server.keys import Keyring
from dragoman.settings import Settings
from tests.server.scripted import ScriptedTranslator, call, service_over

MINUTE_S, DAY_S = 60, 86_400
BODY = {"text": "Good morning.", "target": "de"}
GLOSSARY = {"name": "bikes", "dictionaries": [{"source": "en", "target": "de", "entries": {"hub": "Nabe"}}]}


class Clock:
    """Stands at the first second of a month until it is moved."""

    def __init__(self) -> None:
        self.now = 1_790_812_800.0  # 2026-10-01

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def keyring(tmp_path: Path) -> AsyncIterator[Keyring]:
    async with Keyring(tmp_path / "keys.sqlite3") as keyring:
        yield keyring


@pytest.fixture
async def gate(keyring: Keyring, clock: Clock) -> KeyGate:
    return KeyGate(keyring, clock)


@pytest.fixture
async def app(gate: KeyGate, translator: ScriptedTranslator, tmp_path: Path) -> AsyncIterator[Starlette]:
    async with Glossaries(tmp_path / "glossaries.sqlite3") as glossaries:
        yield create_app(service_over(translator, gate, glossaries))


async def new_key(keyring: Keyring, name: str = "shop", **limits: int) -> str:
    key, _ = await keyring.add(name, ["translate"], KeyLimits(**limits))
    return key


async def caller_with(gate: KeyGate, **limits: int) -> Caller:
    return await gate.admit(await new_key(gate.keyring, "shop", **limits))


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


class TestOpenGate:
    async def test_everybody_comes_in_and_is_counted_by_the_month(self, clock: Clock) -> None:
        gate = OpenGate(clock=clock)
        caller = await gate.admit(None, "admin")
        await gate.charge(caller, 10)
        clock.now += 20 * DAY_S
        await gate.charge(await gate.admit("any"), 5)

        assert await gate.usage(caller) == Usage(15)
        clock.now += 20 * DAY_S
        assert await gate.usage(caller) == Usage(0)


class TestAdmission:
    @pytest.mark.parametrize("key", [None, "", "wrong", "dragoman_0_wrong"])
    async def test_nobody_comes_in_without_a_key(self, gate: KeyGate, key: str | None) -> None:
        with pytest.raises(Unauthorized, match="whoever runs the server"):
            await gate.admit(key)

    async def test_a_key_opens_what_its_scopes_name(self, gate: KeyGate) -> None:
        key, info = await gate.keyring.add("crm", ["jobs"], KeyLimits())

        assert await gate.admit(key, "jobs") == Caller(info.id, frozenset({"jobs"}))
        with pytest.raises(Forbidden, match="translate; it has jobs"):
            await gate.admit(key)

    async def test_a_revoked_key_opens_nothing_more(self, gate: KeyGate) -> None:
        key = await new_key(gate.keyring)
        caller = await gate.admit(key)
        await gate.keyring.revoke("shop")

        with pytest.raises(Unauthorized):
            await gate.admit(key)
        with pytest.raises(Unauthorized):
            await gate.charge(caller, 1)


class TestLimits:
    async def test_the_last_character_is_had_and_no_more(self, gate: KeyGate) -> None:
        caller = await caller_with(gate, characters_per_month=10)
        await gate.charge(caller, 7)

        with pytest.raises(QuotaExceeded, match="3 are left, and these are 4"):
            await gate.charge(caller, 4)
        await gate.charge(caller, 3)
        assert await gate.usage(caller) == Usage(10, 10)

    @pytest.mark.parametrize(("limit", "wait_s"), [("requests_per_day", DAY_S), ("characters_per_day", DAY_S)])
    async def test_what_is_used_up_comes_back_with_the_next_day(
        self, gate: KeyGate, clock: Clock, limit: str, wait_s: int
    ) -> None:
        caller = await caller_with(gate, **{limit: 1})
        await gate.charge(caller, 1)
        with pytest.raises(QuotaExceeded, match="next day"):
            await gate.charge(caller, 1)

        clock.now += wait_s
        await gate.charge(caller, 1)

        assert await gate.usage(caller) == Usage(2)

    @pytest.mark.parametrize("limit", ["requests_per_minute", "characters_per_minute"])
    async def test_what_is_used_up_for_a_minute_says_when_the_next_begins(
        self, gate: KeyGate, clock: Clock, limit: str
    ) -> None:
        caller = await caller_with(gate, **{limit: 1})
        clock.now += 45
        await gate.charge(caller, 1)
        with pytest.raises(TooManyRequests) as caught:
            await gate.charge(caller, 1)

        assert caught.value.retry_after_s == 15
        clock.now += caught.value.retry_after_s
        await gate.charge(caller, 1)

    async def test_what_no_minute_has_room_for_is_not_tried_again(self, gate: KeyGate) -> None:
        caller = await caller_with(gate, characters_per_minute=10)

        with pytest.raises(TooLarge) as caught:
            await gate.charge(caller, 11)
        assert caught.value.limit == 10

    async def test_over_for_the_month_goes_before_over_for_the_minute(self, gate: KeyGate) -> None:
        caller = await caller_with(gate, requests_per_minute=0, requests_per_month=0)

        with pytest.raises(QuotaExceeded, match="next month"):
            await gate.charge(caller, 1)

    async def test_a_new_limit_holds_at_once(self, gate: KeyGate) -> None:
        caller = await caller_with(gate)
        await gate.charge(caller, 100)
        await gate.keyring.limit("shop", {"characters_per_month": 100})

        with pytest.raises(QuotaExceeded):
            await gate.charge(caller, 1)


class TestRoutes:
    @pytest.mark.parametrize("header", ["Authorization", "X-API-Key"])
    async def test_a_key_is_found_in_either_header(self, app: Starlette, keyring: Keyring, header: str) -> None:
        key = await new_key(keyring)
        word = f"bearer {key}" if header == "Authorization" else key

        answer = await call(app, "POST", "/v1/translate", BODY, headers={header: word})

        assert answer.status == 200

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("POST", "/v1/translate"),
            ("POST", "/batch-translate"),
            ("GET", "/v1/glossaries"),
            ("DELETE", "/v1/glossaries/x"),
            ("PUT", "/v1/glossaries/x/en-de"),
            ("GET", "/v1/keys"),
        ],
    )
    async def test_without_one_nothing_is_begun(
        self, app: Starlette, translator: ScriptedTranslator, method: str, path: str
    ) -> None:
        answer = await call(app, method, path, b"no JSON")

        assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert translator.requests == []

    @pytest.mark.parametrize("path", ["/health", "/ready", "/docs", "/openapi.json", "/", "/static/docs.js"])
    async def test_what_tells_nothing_needs_none(self, app: Starlette, path: str) -> None:
        assert (await call(app, "GET", path)).status == 200

    async def test_the_simple_route_says_so_in_its_own_shape(self, app: Starlette) -> None:
        answer = await call(app, "POST", "/translate", {"text": "Hi", "target_lang": "de"})

        assert (answer.status, answer.json["status"]) == (401, "error")

    async def test_characters_count_once_for_each_target(self, app: Starlette, gate: KeyGate) -> None:
        key = await new_key(gate.keyring)
        await call(app, "POST", "/v1/translate", {"text": ["𝄞ö"], "target": ["de", "fr"]}, headers=bearer(key))
        await call(app, "POST", "/batch-translate", {"texts": ["abc", 7], "target_lang": "de"}, headers=bearer(key))

        assert await gate.usage(await gate.admit(key)) == Usage(7)

    async def test_too_many_say_when_to_come_back(self, app: Starlette, keyring: Keyring) -> None:
        key = await new_key(keyring, requests_per_minute=0)

        answer = await call(app, "POST", "/v1/translate", BODY, headers=bearer(key))

        assert (answer.status, answer.headers["retry-after"]) == (429, "60")

    async def test_nobody_sees_another_ones_glossaries(self, app: Starlette, keyring: Keyring) -> None:
        mine, other = bearer(await new_key(keyring)), bearer(await new_key(keyring, "crm"))
        made = await call(app, "POST", "/v1/glossaries", GLOSSARY, headers=mine)
        path = made.headers["location"]

        assert (await call(app, "GET", path, headers=mine)).status == 200
        assert (await call(app, "GET", path, headers=other)).status == 404
        assert (await call(app, "GET", "/v1/glossaries", headers=other)).json == {"glossaries": []}
        asked = {**BODY, "glossary": "bikes"}
        assert (await call(app, "POST", "/v1/translate", asked, headers=mine)).status == 200
        assert (await call(app, "POST", "/v1/translate", asked, headers=other)).status == 404


class TestExposure:
    @pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.168.0.7", "fe80::1%1"])
    def test_a_server_for_strangers_asks_for_keys_or_is_meant_to_be_open(self, address: str) -> None:
        with pytest.raises(ConfigurationError, match=r"--keys true .* --open-to-all true"):
            check_exposure(address, Settings())
        check_exposure(address, Settings(keys=True))
        check_exposure(address, Settings(open_to_all=True))

    @pytest.mark.parametrize("address", ["127.0.0.1", "127.1.2.3", "::1"])
    def test_a_server_for_this_machine_needs_neither(self, address: str) -> None:
        check_exposure(address, Settings())

    @pytest.mark.parametrize("proxies", ["proxy.example", "10.0.0.1/8", "10.0.0.1,10.0.0.2", "*"])
    def test_a_proxy_is_an_address_or_a_network(self, proxies: str) -> None:
        with pytest.raises(ConfigurationError, match="trusted_proxies"):
            check_proxies(Settings(trusted_proxies=proxies))
        check_proxies(Settings(trusted_proxies="10.0.0.1 192.168.0.0/16 ::1"))

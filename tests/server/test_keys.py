"""The keyring of a running server, and the admin API over it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest
from starlette.applications import Starlette

from dragoman.errors import ConfigurationError
from dragoman.memory.key_file import KeyFile, KeyLimits
from dragoman.memory.usage import Used, windows_of
from dragoman.server import keys
from dragoman.server.app import create_app
from dragoman.server.gate import KeyGate, OpenGate
from dragoman.server.keys import Keyring
from tests.server.scripted import Answer, ScriptedTranslator, app_over, call, service_over

WINDOWS = windows_of(4e9)
"""Of the future: what the file holds of it is always read."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "keys.sqlite3"


@pytest.fixture
def in_the_way(path: Path) -> Path:
    """A folder where the file should be."""
    path.mkdir(parents=True)
    return path


async def until(happened: Callable[[], bool], within_s: float = 1.0) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            while not happened():  # noqa: ASYNC110 - another process tells of nothing
                await asyncio.sleep(0.02)
    assert happened()


class TestKeyring:
    async def test_what_was_counted_is_exact_after_a_restart(self, path: Path) -> None:
        for _ in range(2):
            async with Keyring(path) as keyring:
                for _ in range(50):
                    keyring.meter.add("a", WINDOWS.month, Used(1, 3))
                    await asyncio.sleep(0)
        async with Keyring(path) as keyring:
            assert keyring.meter.used("a", WINDOWS.month) == Used(100, 300)

    async def test_another_processes_keys_and_counts_are_known_within_a_second(self, path: Path) -> None:
        async with Keyring(path) as keyring, Keyring(path) as other:
            key, info = await other.add("shop", ["translate"], KeyLimits())
            other.meter.add(info.id, WINDOWS.month, Used(1, 3))

            await until(lambda: keyring.find(key) == info)
            await until(lambda: keyring.meter.used(info.id, WINDOWS.month) == Used(1, 3))
            await other.revoke("shop")
            await until(lambda: keyring.find(key) is None)

    async def test_a_look_up_and_a_count_touch_no_disk(self, path: Path) -> None:
        async with Keyring(path) as keyring:
            key, info = await keyring.add("shop", ["translate"], KeyLimits())
        keyring.meter.add(info.id, WINDOWS.month, Used(1, 3))  # its file is closed

        assert keyring.find(key) == info
        assert keyring.meter.used(info.id, WINDOWS.month) == Used(1, 3)

    async def test_counts_that_cannot_be_written_wait_and_are_told_of_once(
        self, in_the_way: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(keys, "KEEP_EVERY_S", 0.01)
        caplog.set_level(logging.INFO)
        async with Keyring(in_the_way, must_open=False) as keyring:
            keyring.meter.add("a", WINDOWS.month, Used(1, 3))
            await asyncio.sleep(0.1)
            assert caplog.text.count("in memory only") == 1
            await asyncio.to_thread(in_the_way.rmdir)
            await until(lambda: "again" in caplog.text)

        with closing(KeyFile(in_the_way)) as file:
            assert file.used(WINDOWS)["a", WINDOWS.month] == Used(1, 3)

    async def test_a_bug_is_told_of_and_ends_nothing(
        self, path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(keys, "KEEP_EVERY_S", 0.01)
        async with Keyring(path) as keyring, Keyring(path) as other:
            with monkeypatch.context() as broken:
                broken.setattr(KeyFile, "keep", lambda *_: 1 / 0)
                await until(lambda: "This is a bug" in caplog.text)
            key, info = await other.add("shop", ["translate"], KeyLimits())
            await until(lambda: keyring.find(key) == info)

    async def test_where_keys_are_asked_for_their_file_has_to_be_usable(self, in_the_way: Path) -> None:
        with pytest.raises(ConfigurationError, match=r"keys\.sqlite3"):
            async with Keyring(in_the_way):
                pass


class TestAdmin:
    @pytest.fixture
    async def gate(self, path: Path) -> AsyncIterator[KeyGate]:
        async with Keyring(path) as keyring:
            yield KeyGate(keyring)

    @pytest.fixture
    async def app(self, gate: KeyGate, translator: ScriptedTranslator) -> Starlette:
        return create_app(service_over(translator, gate))

    @pytest.fixture
    async def admin(self, gate: KeyGate) -> str:
        key, _ = await gate.keyring.add("root", ["admin"], KeyLimits())
        return key

    async def ask(self, app: Starlette, key: str, method: str, path: str = "/v1/keys", body: object = None) -> Answer:
        return await call(app, method, path, body, headers={"X-API-Key": key})

    async def test_a_key_is_made_shown_once_and_used(self, app: Starlette, admin: str) -> None:
        limits = {"characters_per_month": 100}
        made = await self.ask(app, admin, "POST", body={"name": "shop", "limits": limits})
        key = made.json["key"]
        used = await self.ask(app, key, "POST", "/v1/translate", {"text": "Good", "target": "de"})
        listed = await self.ask(app, admin, "GET")

        assert (made.status, made.headers["cache-control"], used.status) == (201, "no-store", 200)
        assert key not in listed.body.decode()
        (shop,) = (one for one in listed.json["keys"] if one["name"] == "shop")
        assert (shop["scopes"], shop["limits"], shop["characters_this_month"]) == (["translate"], limits, 4)
        assert made.headers["location"] == f"/v1/keys/{shop['id']}"

    async def test_limits_that_are_named_change(self, app: Starlette, admin: str) -> None:
        limits = {"requests_per_day": 5, "characters_per_month": 100}
        made = await self.ask(app, admin, "POST", body={"name": "shop", "limits": limits})
        changes = {"requests_per_day": None, "requests_per_minute": 1}

        changed = await self.ask(app, admin, "PATCH", made.headers["location"], {"limits": changes})

        assert changed.json["limits"] == {"characters_per_month": 100, "requests_per_minute": 1}

    async def test_a_revoked_key_is_listed_and_opens_nothing(self, app: Starlette, admin: str) -> None:
        made = await self.ask(app, admin, "POST", body={"name": "shop", "scopes": ["admin"]})
        gone = [await self.ask(app, admin, "DELETE", made.headers["location"]) for _ in range(2)]
        refused = await self.ask(app, made.json["key"], "GET")
        listed = (await self.ask(app, admin, "GET")).json["keys"]

        assert [answer.status for answer in gone] == [204, 404]
        assert refused.status == 401
        assert [one["revoked_at"] is None for one in listed] == [True, False]

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"name": "root"}, "name"),
            ({"name": "shop", "scopes": []}, "scopes"),
            ({"name": "shop", "scopes": ["all"]}, "scopes[0]"),
            ({"name": "shop", "limits": {"requests_per_day": -1}}, "limits.requests_per_day"),
            ({"name": "shop", "limits": {"requests_per_year": 1}}, "requests_per_year"),
        ],
    )
    async def test_what_does_not_fit_is_named(
        self, app: Starlette, admin: str, body: dict[str, object], field: str
    ) -> None:
        answer = await self.ask(app, admin, "POST", body=body)

        assert (answer.status, answer.json["field"]) == (400, field)

    async def test_other_scopes_do_not_do(self, app: Starlette, gate: KeyGate) -> None:
        key, _ = await gate.keyring.add("shop", ["translate", "jobs"], KeyLimits())

        assert (await self.ask(app, key, "GET")).status == 403

    async def test_it_is_documented_and_only_there_where_keys_are(self, app: Starlette, admin: str) -> None:
        document = (await call(app, "GET", "/openapi.json")).json
        without = app_over(ScriptedTranslator())

        assert document["paths"]["/v1/keys"]["post"]["security"] == [{"bearer": ["admin"]}, {"header": ["admin"]}]
        assert {"401", "403"} < document["paths"]["/v1/keys"]["post"]["responses"].keys()
        assert document["components"]["schemas"]["KeyLimits"]["properties"].keys() == {*KeyLimits.__struct_fields__}
        assert (await call(without, "GET", "/v1/keys")).status == 404
        assert "/v1/keys" not in (await call(without, "GET", "/openapi.json")).json["paths"]


async def test_no_key_is_in_logs(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with Keyring(path) as keyring:
        key, _ = await keyring.add("shop", ["translate"], KeyLimits())
        app = create_app(service_over(ScriptedTranslator(), KeyGate(keyring)))
        for header in (key, f"{key}x"):
            await call(app, "POST", "/v1/translate", {"text": "a", "target": "de"}, headers={"X-API-Key": header})

    assert key.rpartition("_")[2] not in caplog.text


async def test_without_keys_everybodys_characters_survive_a_restart(path: Path) -> None:
    for expected in (4, 8):
        async with Keyring(path) as keyring:
            gate = OpenGate(keyring.meter)
            caller = await gate.admit(None)
            await gate.charge(caller, 4)
            assert (await gate.usage(caller)).characters == expected

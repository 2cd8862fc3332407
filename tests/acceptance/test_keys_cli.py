"""`dragoman keys`, and a server that asks for them: beside each other, in several processes and over restarts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.acceptance.test_cli import SIMULATED, Cli, assert_one_line
from tests.acceptance.test_workers import serving

KEYS = ("--keys", "true")


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path)


def said(cli: Cli, *arguments: str) -> str:
    finished = cli("keys", *arguments)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout.decode()


def new_key(cli: Cli, *arguments: str) -> str:
    return said(cli, "add", *arguments).strip()


def translate(address: str, key: str, **body: object) -> int:
    return asyncio.run(_status(address, key, {"text": "Hello.", "source": "en", "target": "de", **body}))


async def _status(address: str, key: str, body: object) -> int:
    async with (
        aiohttp.ClientSession(headers={"X-API-Key": key}) as session,
        session.post(f"{address}/v1/translate", json=body) as answer,
    ):
        return answer.status


def within_a_second(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + 1.0
    while not happened():
        assert time.monotonic() < end, "it was not noticed in time"
        time.sleep(0.05)


def uploaded_to(address: str, headers: dict[str, str]) -> Any:  # noqa: ANN401 - the JSON of the answer
    async def upload() -> Any:  # noqa: ANN401 - the same
        form = aiohttp.FormData({"source": "en", "target": "de"})
        form.add_field("file", b"Hello.", filename="hello.txt")
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.post(f"{address}/translate_file", data=form) as answer,
        ):
            return await answer.json()

    return asyncio.run(upload())


# The command


def test_a_key_is_shown_once_alone_on_stdout(cli: Cli) -> None:
    finished = cli("keys", "add", "shop", "--scope", "translate", "--scope", "jobs", "--characters-per-day", "500")
    (key,) = finished.stdout.decode().splitlines()
    listed = said(cli, "list")

    assert key.startswith("dragoman_")
    assert b"not shown again" in finished.stderr
    assert key.split("_")[1] in listed
    assert key not in listed
    assert "jobs,translate" in listed
    assert "500 characters per day" in listed


def test_limits_change_and_go(cli: Cli) -> None:
    new_key(cli, "shop", "--requests-per-minute", "5", "--characters-per-day", "500")

    told = said(cli, "limit", "shop", "--characters-per-month", "9", "--requests-per-minute", "none")

    assert told == "shop: 500 characters per day, 9 characters per month\n"


def test_a_revoked_key_stays_listed(cli: Cli) -> None:
    assert said(cli, "list") == "There are no keys.\n"
    new_key(cli, "shop")

    assert said(cli, "revoke", "shop").startswith("Revoked shop, id ")
    assert "revoked 2" in said(cli, "list")


def test_what_cannot_be_done_is_told_in_one_line(cli: Cli) -> None:
    new_key(cli, "shop")

    assert_one_line(cli("keys", "add", "shop"), 1, "shop", "revoke it first")
    assert_one_line(cli("keys", "revoke", "nobody"), 1, "nobody", "dragoman keys list")
    for arguments in (("limit", "shop", "--requests-per-day", "-1"), ("add", "crm", "--scope", "all")):
        assert cli("keys", *arguments).returncode == 2


# The server


def test_two_workers_take_keys_and_limits_as_they_change(cli: Cli) -> None:
    with serving(cli, *SIMULATED, *KEYS, "--workers", "2") as service:
        key = new_key(cli, "shop")
        within_a_second(lambda: {translate(service.address, key) for _ in range(6)} == {200})
        said(cli, "limit", "shop", "--characters-per-month", "0")
        within_a_second(lambda: {translate(service.address, key) for _ in range(6)} == {429})
        said(cli, "revoke", "shop")
        within_a_second(lambda: {translate(service.address, key) for _ in range(6)} == {401})


def test_what_was_used_is_known_after_a_restart(cli: Cli) -> None:
    key = new_key(cli, "shop", "--characters-per-month", "10")
    with serving(cli, *SIMULATED, *KEYS) as service:
        assert translate(service.address, key, target=["de"]) == 200
        service.process.terminate()
        assert service.process.wait(15) == 0

    assert said(cli, "list").splitlines()[1].split()[4:6] == ["1", "6"]
    with serving(cli, *SIMULATED, *KEYS) as service:
        assert translate(service.address, key) == 429


def test_a_server_for_others_asks_for_keys_unless_it_is_told_otherwise(cli: Cli) -> None:
    elsewhere = ("--host", "0.0.0.0", "--port", "0")

    for workers in ("1", "2"):
        finished = cli("serve", *SIMULATED, *elsewhere, "--workers", workers)
        assert finished.returncode == 2
        (line,) = finished.stderr.decode().splitlines()
        assert "--keys true" in line
        assert "--open-to-all true" in line
    with serving(cli, *SIMULATED, *elsewhere, "--open-to-all", "true") as service:
        assert translate(service.address, "") == 200


def test_only_a_trusted_proxy_is_believed(cli: Cli) -> None:
    forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9"}

    assert_one_line(cli("serve", *SIMULATED, "--trusted-proxies", "proxy"), 2, "trusted_proxies", "proxy")
    with serving(cli, *SIMULATED) as service:
        assert uploaded_to(service.address, forwarded)["translatedFileUrl"].startswith("http://")
    with serving(cli, *SIMULATED, "--trusted-proxies", "10.0.0.0/8 127.0.0.1") as service:
        assert uploaded_to(service.address, forwarded)["translatedFileUrl"].startswith("https://")
    assert b"203.0.113.9" not in (cli.folder / "serve.log").read_bytes()

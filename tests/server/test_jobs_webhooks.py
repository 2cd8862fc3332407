"""Webhooks of jobs: signed, tried again over restarts, and only where the operator allows it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from msgspec import Struct
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dragoman.errors import InvalidRequest
from dragoman.server.jobs import webhooks
from dragoman.server.jobs.index_file import FILE_NAME, Ended, IndexFile, Notice, Plan, Row
from dragoman.server.jobs.store import Store
from dragoman.server.jobs.webhooks import Webhooks, check_webhook, signature_of
from tests.server.job_server import job_server, shop
from tests.server.scripted import served


class Call(Struct, frozen=True):
    path: str
    headers: dict[str, str]
    body: bytes


class Receiver:
    """Answers with these statuses, then with 204; `url` is where it listens."""

    def __init__(self, statuses: Sequence[int]) -> None:
        self.host = ""
        self.calls: list[Call] = []
        self._statuses = list(statuses)
        self._called = asyncio.Condition()

    async def answer(self, request: Request) -> Response:
        call = Call(request.url.path, dict(request.headers), await request.body())
        async with self._called:
            self.calls.append(call)
            self._called.notify_all()
        status = self._statuses.pop(0) if self._statuses else 204
        return Response(status_code=status, headers={"Location": "/elsewhere"})

    async def called(self, times: int) -> None:
        async with asyncio.timeout(20), self._called:
            await self._called.wait_for(lambda: len(self.calls) >= times)


@asynccontextmanager
async def receiver(*statuses: int) -> AsyncIterator[Receiver]:
    receiver = Receiver(statuses)
    routes = [Route("/{path:path}", receiver.answer, methods=["POST", "GET"])]
    async with served(Starlette(routes=routes)) as (host, port):
        receiver.host = f"{host}:{port}"
        yield receiver


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "WAITS_S", (0.0,) * 7)


def test_the_signature_is_that_of_the_specifications_libraries() -> None:
    """The values of the reference libraries' own tests."""
    secret, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"test": 2432232314}'

    signature = signature_of(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)

    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


async def test_the_end_of_a_job_is_told_with_a_signature_that_can_be_verified(tmp_path: Path) -> None:
    async with receiver() as hook, job_server(tmp_path, webhook_hosts=hook.host) as server:
        _, accepted = await server.post(shop(3), ("webhook", f"http://{hook.host}/jobs?of=shop"))
        await hook.called(1)
        job = await server.show(accepted["id"])
        await server.over(accepted["id"])

    (call,) = hook.calls
    event = msgspec.json.decode(call.body)
    sent_at = call.headers["webhook-timestamp"]
    signed = b".".join((call.headers["webhook-id"].encode(), sent_at.encode(), call.body))
    key = base64.b64decode(accepted["webhook_secret"].removeprefix("whsec_"))
    assert (len(key), call.path, abs(int(sent_at) - time.time()) < 30) == (32, "/jobs", True)
    wanted = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    assert call.headers["webhook-signature"] == f"v1,{wanted}"
    assert (event["type"], event["data"]["id"], event["data"]["ok"]) == ("job.done", accepted["id"], 3)
    assert event["data"].keys() == job.keys()


async def test_a_cancelled_job_is_told_too(tmp_path: Path) -> None:
    engine = "simulated://instant?stall_rate=1&stall_s=3600"
    async with (
        receiver() as hook,
        job_server(tmp_path, engine, webhook_hosts=hook.host, jobs_at_once=1, shutdown_grace_s=0) as server,
    ):
        await server.follow(await server.begun(shop(3)), ["running"])
        waits = await server.begun(shop(3), ("webhook", f"http://{hook.host}/"))
        await server.ask("POST", f"/{waits}/cancel")
        await hook.called(1)

    assert msgspec.json.decode(hook.calls[0].body)["type"] == "job.cancelled"


@pytest.mark.usefixtures("at_once")
async def test_one_that_fails_comes_again_with_the_same_id_and_follows_no_redirect(tmp_path: Path) -> None:
    async with receiver(500, 302, 404) as hook, job_server(tmp_path, webhook_hosts=hook.host) as server:
        await server.begun(shop(3), ("webhook", f"http://{hook.host}/hook"))
        await hook.called(4)

    assert [call.path for call in hook.calls] == ["/hook"] * 4
    assert len({(call.headers["webhook-id"], call.body) for call in hook.calls}) == 1


def queued(folder: Path, address: str) -> IndexFile:
    """An index with one webhook that is due."""
    file = IndexFile(folder / FILE_NAME)
    plan = Plan(filename="a.csv", rows=1, columns=("a",), targets=("de",), digest=b"", webhook=address, secret="whsec_")
    file.add(Row(id="1", owner="", created_at=0.0, idempotency_key=None, plan=plan))
    assert file.end("1", "", Ended("done", "", Notice("msg_1", "1", b"{}", 0)))
    return file


async def test_one_that_was_due_when_the_server_stopped_comes_when_it_starts_again(tmp_path: Path) -> None:
    async with receiver() as hook:
        queued(tmp_path, f"http://{hook.host}/hook").close()
        async with job_server(tmp_path, webhook_hosts=hook.host):
            await hook.called(1)

    assert hook.calls[0].headers["webhook-id"] == "msg_1"


@pytest.mark.parametrize(
    ("statuses", "allowed", "calls"),
    [((410,), True, 1), ((500,) * 20, True, 8), ((), False, 0)],
    ids=["the receiver wants no more", "eight tries came to nothing", "the operator allows the host no longer"],
)
@pytest.mark.usefixtures("at_once")
async def test_one_is_given_up(tmp_path: Path, statuses: tuple[int, ...], *, allowed: bool, calls: int) -> None:
    async with receiver(*statuses) as hook:
        file = queued(tmp_path, f"http://{hook.host}/hook")
        store = Store(tmp_path, max_bytes=1, max_age_s=60)
        sender = Webhooks(store, [hook.host] if allowed else [])
        await sender.send_due()

        assert len(hook.calls) == calls
        assert file.take_notices(1, 0.0) == []
        await sender.aclose()
        await store.aclose()
        file.close()


def test_the_tries_are_spread_over_more_than_a_day() -> None:
    assert list(webhooks.WAITS_S) == sorted(webhooks.WAITS_S)
    assert sum(webhooks.WAITS_S) * (1 - webhooks.JITTER) > 20 * 3600
    assert sum(webhooks.WAITS_S) > 24 * 3600


@pytest.mark.parametrize(
    "address",
    [
        "http://hooks.example.org/a",
        "https://evil.example/a",
        "https://hooks.example.org.evil.example/",
        "https://hooks.example.org@evil.example/",
        "https://user:password@hooks.example.org/",
        "http://127.0.0.1:9001/",
        "http://localhost.evil.example:9000/",
        "ftp://hooks.example.org/",
        "file:///etc/passwd",
        "hooks.example.org",
        "https://",
        "https://[::1/",
        "",
    ],
)
def test_nobody_is_called_whom_the_operator_did_not_name(address: str) -> None:
    with pytest.raises(InvalidRequest, match="'webhook'"):
        check_webhook(address, ["hooks.example.org", "127.0.0.1:9000", "localhost.evil.example"])


@pytest.mark.parametrize(
    "address", ["https://hooks.example.org/a?b=c", "https://hooks.example.org:8443/", "http://127.0.0.1:9000/"]
)
def test_whom_the_operator_named_is_called(address: str) -> None:
    check_webhook(address, ["hooks.example.org", "127.0.0.1:9000"])

"""Webhooks, signed as the Standard Webhooks specification says (standardwebhooks.com), and tried for over a day."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import logging
import random
import secrets
import time
from collections.abc import Collection
from ipaddress import ip_address

import aiohttp
from yarl import URL

from dragoman.errors import InvalidRequest
from dragoman.server.jobs.index_file import Notice
from dragoman.server.jobs.store import Store

log = logging.getLogger(__name__)

WAITS_S = (5.0, 60.0, 300.0, 1_800.0, 7_200.0, 21_600.0, 64_800.0)
"""Between one try and the next: eight tries in 26 hours."""
JITTER = 0.2
TIMEOUT_S = 20.0
LEASE_S = 3 * TIMEOUT_S
AT_ONCE = 16
SECRET_PREFIX = "whsec_"
SECRET_BYTES = 32
GONE = 410


def new_secret() -> str:
    """A secret for one job's webhook."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def signature_of(secret: str, notice_id: str, sent_at_s: int, body: bytes) -> str:
    """The value of `webhook-signature`."""
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    signed = b".".join((notice_id.encode(), str(sent_at_s).encode(), body))
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def check_webhook(address: str, hosts: Collection[str]) -> None:
    """Raise InvalidRequest for an address that is not called: the operator names the hosts, alone or with a port."""
    try:
        url = URL(address)
        host, port = url.host, url.port
    except ValueError:
        host = port = None
    if host is None or url.user is not None or url.password is not None:
        raise InvalidRequest("'webhook' has to be a URL such as https://example.org/hook.", field="webhook")
    if url.scheme != "https" and not (url.scheme == "http" and _is_loopback(host)):
        raise InvalidRequest("'webhook' has to begin with https://.", field="webhook")
    if not {host, f"{host}:{port}"} & set(hosts):
        raise InvalidRequest(
            "'webhook' names a host that this server does not call. Whoever runs it can allow it in webhook_hosts; "
            "without a webhook, follow the job's events.",
            field="webhook",
        )


class Webhooks:
    """Sends what is due. Mutable state: the session, opened with the first; `aclose` closes it."""

    def __init__(self, store: Store, hosts: Collection[str]) -> None:
        self._store = store
        self._hosts = hosts
        self._session: aiohttp.ClientSession | None = None

    async def send_due(self) -> None:
        """Send the webhooks that are due."""
        while notices := await self._store.run(lambda file: file.take_notices(AT_ONCE, LEASE_S)):
            await asyncio.gather(*map(self._send, notices))

    async def aclose(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def _send(self, notice: Notice) -> None:
        status = await self._status(notice)
        if status is not None and 200 <= status < 300:
            await self._store.run(lambda file: file.drop_notice(notice.id))
        elif status == GONE or notice.tries > len(WAITS_S):
            log.error("The webhook of job %s is given up after %d tries: %s.", notice.job, notice.tries, _told(status))
            await self._store.run(lambda file: file.drop_notice(notice.id))
        else:
            wait_s = WAITS_S[notice.tries - 1] * random.uniform(1 - JITTER, 1 + JITTER)
            log.warning("The webhook of job %s comes again in %.0f s: %s.", notice.job, wait_s, _told(status))
            await self._store.run(lambda file: file.delay_notice(notice.id, wait_s))

    async def _status(self, notice: Notice) -> int | None:
        """What the receiver answered; None where there was no answer, and 410 where it is not to be called any more."""
        row = await self._store.run(lambda file: file.find(notice.job))
        if row is None or row.plan.webhook is None or row.plan.secret is None:
            return GONE
        try:
            check_webhook(row.plan.webhook, self._hosts)
        except InvalidRequest:  # the operator allows it no longer
            return GONE
        sent_at_s = int(time.time())
        headers = {
            "content-type": "application/json",
            "webhook-id": notice.id,
            "webhook-timestamp": str(sent_at_s),
            "webhook-signature": signature_of(row.plan.secret, notice.id, sent_at_s, notice.body),
        }
        try:
            async with self._opened().post(
                row.plan.webhook, data=notice.body, headers=headers, allow_redirects=False
            ) as answer:
                return answer.status
        except (aiohttp.ClientError, TimeoutError, OSError):
            return None

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(force_close=True),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
                headers={"User-Agent": "dragoman"},
                trust_env=False,
            )
        return self._session


def _told(status: int | None) -> str:
    return "there was no answer" if status is None else f"the answer was {status}"


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

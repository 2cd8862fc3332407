"""The operator's routes, `/v1/status` and `/v1/replicas`, and the status page, which asks them."""

from __future__ import annotations

import asyncio
import time

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dragoman.errors import Refused
from dragoman.server import pages
from dragoman.server.cached import Cached
from dragoman.server.endpoint import Endpoint, Handler, json_answer, native_failure
from dragoman.server.gate import behind
from dragoman.server.metrics import Metrics
from dragoman.server.openapi import Operation
from dragoman.server.service import Service
from dragoman.server.status.status import ReplicaStatus, Status, replica_status, status_of

DRAIN = "/v1/replicas/{name:path}/drain"
"""A replica is named by its URL, so its name holds slashes."""


class StatusHandlers:
    """The handlers of the operator's routes."""

    def __init__(self, service: Service, metrics: Metrics) -> None:
        self._service = service
        self._metrics = metrics

    async def show(self, request: Request) -> Response:
        """`GET /v1/status`"""
        now = asyncio.get_running_loop().time()
        service = self._service
        status = status_of(service.translator, self._metrics, service.settings, at=time.time(), now=now)
        return json_answer(status, {"Cache-Control": "no-store"})

    async def drain(self, request: Request) -> Response:
        """`POST /v1/replicas/{name}/drain`"""
        self._check_alone()
        self._service.translator.pool.drain(request.path_params["name"])
        return self._replica(request)

    async def resume(self, request: Request) -> Response:
        """`DELETE /v1/replicas/{name}/drain`"""
        self._check_alone()
        self._service.translator.pool.resume(request.path_params["name"])
        return self._replica(request)

    def _check_alone(self) -> None:
        """Each process has a pool of its own, and a request reaches one of them only."""
        processes = self._service.settings.workers
        if processes > 1:
            raise Refused(
                f"This server runs as {processes} processes, and the replica would stop getting work from one of them "
                "only. Stop the replica itself: its work goes to the others. With --workers 1 it can be drained here."
            )

    def _replica(self, request: Request) -> Response:
        replica = self._service.translator.pool[request.path_params["name"]]
        return json_answer(replica_status(replica, asyncio.get_running_loop().time()))


def status_page() -> Route:
    """`/status`. Everybody may load it: what it shows it asks for with the operator's key."""
    page = Cached((pages.PAGE / "status.html").read_bytes(), "text/html", pages.HEADERS)
    return Route("/status", Endpoint(page, native_failure), methods=["GET"])


def status_operations(service: Service, metrics: Metrics) -> list[Operation]:
    """The routes, for the table of the app."""
    handlers = StatusHandlers(service, metrics)

    def endpoint(handler: Handler) -> Endpoint:
        return Endpoint(behind(service.gate, "admin", handler), native_failure)

    return [
        Operation(
            method="GET",
            path="/v1/status",
            scope="admin",
            endpoint=endpoint(handlers.show),
            summary="The server's state, and its last hour",
            description="Queues, slots, limits, hit rate, errors and replicas now, and series with a point for every "
            "ten seconds. With `--workers` above 1 it is that of the process that answers.",
            answer=Status,
        ),
        Operation(
            method="POST",
            path=DRAIN,
            scope="admin",
            endpoint=endpoint(handlers.drain),
            summary="Drain a replica",
            description="It gets no new work and finishes what it has: `draining`, then `drained`. Its name is "
            "URL-encoded. Where no other replica is left, requests wait. 403 with `--workers` above 1.",
            answer=ReplicaStatus,
            failures=(400, 403),
        ),
        Operation(
            method="DELETE",
            path=DRAIN,
            scope="admin",
            endpoint=endpoint(handlers.resume),
            summary="Give a drained replica work again",
            description="As if it had never been drained.",
            answer=ReplicaStatus,
            failures=(400, 403),
        ),
    ]

"""The operator's page over an hour that no test can wait for: made up, but in the server's own shapes."""

from __future__ import annotations

import math
from random import Random

import msgspec
from playwright.sync_api import Page, expect

from dragoman.server.pages import PAGE
from dragoman.server.status.history import KEPT_POINTS, POINT_EVERY_S, Point
from dragoman.server.status.status import (
    EngineStatus,
    LaneStatus,
    ProcessStatus,
    ReplicaStatus,
    SegmentCount,
    Status,
    TierStatus,
    series_of,
)
from dragoman.types import Readiness, Tokens
from tests.pages.pictures import PHONE, Camera

NOW = 1_795_341_600.0
"""A Sunday morning in November 2026."""
SLOTS = 24
RUSH = range(190, 235)
"""The points in which a table of many rows came in."""


def _point(number: int, chance: Random) -> Point:
    """Ten seconds of a morning: waves of requests, and bulk work that fills the slots for a while."""
    rush = number in RUSH
    load = 9 + 3 * math.sin(number / 38) + chance.gauss(0, 0.6)
    p50_ms = 310 + 14 * load + (140 if rush else 0) + chance.gauss(0, 18)
    return Point(
        at=NOW - (KEPT_POINTS - 1 - number) * POINT_EVERY_S,
        requests_per_s=round(load, 1),
        refused_per_s=0.1 if number % 47 == 0 else 0.0,
        failed_per_s=0.2 if number in (231, 232) else 0.0,
        segments_per_s=round(load * 2.6 + (21 if rush else 0) + chance.gauss(0, 0.8), 1),
        p50_ms=round(p50_ms, 1),
        p95_ms=round(p50_ms * 2.1 + chance.gauss(0, 40), 1),
        p99_ms=round(p50_ms * 3.0 + chance.gauss(0, 90), 1),
        interactive_waiting=max(0, round(chance.gauss(3, 2) if rush else chance.gauss(0, 0.7))),
        bulk_waiting=max(0, 18 * (RUSH.stop - number) + chance.randrange(30)) if rush else 0,
        slots_used=round(min(SLOTS - 0.4, load * 1.1 + (12 if rush else 0)), 1),
        limit=SLOTS,
        hit_rate=round(0.34 + 0.05 * math.sin(number / 25) + chance.gauss(0, 0.01), 3),
        errors_per_s={"EngineTimeout": 0.3} if number in (231, 232) else {},
    )


def _replica(name: str, flying: int, calls: int) -> ReplicaStatus:
    return ReplicaStatus(
        name=name,
        engine="llamacpp",
        state="ready",
        reason="",
        slots=SLOTS // 2,
        limit=SLOTS // 2,
        flying=flying,
        calls=calls,
        tokens=Tokens(prompt=calls * 118, cached=calls * 61, output=calls * 34),
    )


def _lane() -> LaneStatus:
    return LaneStatus(waiting=0, max_waiting=100_000, tokens=0, max_tokens=50_000)


def _status() -> Status:
    chance = Random(11)
    return Status(
        at=NOW,
        process=ProcessStatus(
            pid=412,
            processes=1,
            started_at=NOW - 3 * 86_400 - 5 * 3_600,
            rss_bytes=412_000_000,
            rss_soft_limit_bytes=3_200_000_000,
            rss_hard_limit_bytes=3_600_000_000,
            pressure=0,
            loop_lag_ms=4.2,
        ),
        readiness=Readiness(ready=True),
        engine=EngineStatus(name="llamacpp", model="translategemma-4b-it", revision=None, slots=SLOTS),
        replicas=[
            _replica("llamacpp+http://gpu-1:8080", 5, 1_204_118),
            _replica("llamacpp+http://gpu-2:8080", 4, 1_187_420),
        ],
        lanes={"interactive": _lane(), "bulk": _lane()},
        hit_rate=0.352,
        memory={
            "ram": TierStatus(hits=1_140_220, misses=2_560_311, dropped=0, entries=318_402, bytes=201_000_000),
            "disk": TierStatus(hits=161_004, misses=2_399_307, dropped=0, entries=2_204_118, bytes=1_420_000_000),
        },
        segments=[
            SegmentCount(outcome="translated", error="", count=2_391_532),
            SegmentCount(outcome="remembered", error="", count=1_301_224),
            SegmentCount(outcome="failed", error="EngineTimeout", count=6),
        ],
        series=series_of([_point(number, chance) for number in range(KEPT_POINTS)]),
    )


def take_all(camera: Camera) -> None:
    with camera.window() as page:
        _show(page)
        camera.take(page, "status")
    with camera.window(color_scheme="dark") as page:
        _show(page)
        camera.take(page, "status-dark")
    with camera.window(**PHONE) as page:
        _show(page)
        camera.take(page, "status-phone")


def _show(page: Page) -> None:
    status = msgspec.json.encode(_status())
    page.route("**/status", lambda route: route.fulfill(path=PAGE / "status.html"))
    page.route("**/v1/status", lambda route: route.fulfill(body=status, content_type="application/json"))
    page.goto("/status")
    expect(page.locator(".plot").last).to_be_attached()

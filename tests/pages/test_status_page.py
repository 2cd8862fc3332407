"""The operator's page in a real browser, over a real server that asks for keys."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from msgspec import Struct
from playwright.sync_api import Browser, Page, Route, expect

from dragoman.core.translator import Translator
from dragoman.listening import address_of, listen
from dragoman.memory.key_file import KeyLimits
from dragoman.server.app import create_app
from dragoman.server.gate import KeyGate
from dragoman.server.metrics import Metrics
from dragoman.server.status.history import KEPT_POINTS, POINT_EVERY_S, History
from dragoman.serving import open_metrics, open_service
from dragoman.settings import Settings
from dragoman.wiring import open_translator
from tests.held_engine import HeldEngine
from tests.pages.conftest import PATIENCE_MS, Watch

FIRST, SECOND = "simulated://instant", "openai+http://gpu-2:8000/v1#2"
LANGUAGES = ("en", "de", "es", "fr", "zh", "ja", "ar")
PLOTS = 6
START_S = 30

Open = Callable[..., Page]


class StatusServer(Struct, frozen=True):
    """A server with an hour behind it: a key that may see it and one that may not, and a replica that can be held."""

    url: str
    operator: str
    shop: str
    loop: asyncio.AbstractEventLoop
    translator: Translator
    held: HeldEngine
    server: uvicorn.Server

    def hold(self) -> Future[Any]:
        """Let the second replica work on a segment until its engine is released."""
        return asyncio.run_coroutine_threadsafe(self._hold(), self.loop)

    async def _hold(self) -> Any:  # noqa: ANN401 - nobody looks at it
        self.held.release.clear()
        return await self.translator.translate_text("Hold on.", source="en", target="de")

    def release(self) -> None:
        self.loop.call_soon_threadsafe(self.held.release.set)

    def resume_all(self) -> None:
        for name in (FIRST, SECOND):
            self.loop.call_soon_threadsafe(self.translator.pool.resume, name)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StatusServer]:
    started: Future[StatusServer] = Future()
    folder = tmp_path_factory.mktemp("server")
    thread = threading.Thread(target=lambda: asyncio.run(_serve(folder, started)))
    thread.start()
    running = started.result(START_S)
    yield running
    running.server.should_exit = True
    thread.join()


async def _serve(folder: Path, started: Future[StatusServer]) -> None:
    settings = Settings(data_dir=str(folder), keys=True)
    async with AsyncExitStack() as stack:
        translator = await stack.enter_async_context(open_translator(settings, engines=[FIRST]))
        metrics = await stack.enter_async_context(open_metrics(translator, settings))
        service = await stack.enter_async_context(open_service(translator, settings))
        held = HeldEngine()
        translator.pool.add(SECOND, held)
        await translator.ready()
        metrics.history = await _an_hour(translator, metrics)
        assert isinstance(service.gate, KeyGate)
        operator, _ = await service.gate.keyring.add("operator", ["admin"], KeyLimits())
        shop, _ = await service.gate.keyring.add("shop", ["translate"], KeyLimits())
        listener = stack.enter_context(listen("127.0.0.1", 0))
        app = create_app(service, metrics)
        server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None, timeout_graceful_shutdown=1))
        loop = asyncio.get_running_loop()
        started.set_result(StatusServer(address_of(listener), operator, shop, loop, translator, held, server))
        await server.serve(sockets=[listener])


async def _an_hour(translator: Translator, metrics: Metrics) -> History:
    """A history that has seen requests, errors and quiet times."""
    now = metrics.history.began_at - KEPT_POINTS * POINT_EVERY_S
    history = History(translator, lambda: now)
    for number in range(KEPT_POINTS):
        now += POINT_EVERY_S
        for request in range(number % 7):
            history.answered(503 if number == 100 else 200, 0.05 * (1 + request))
        if number == 100:
            translator.scheduler.segments.count("failed", 3, TimeoutError())
        if number % 3:
            translator.scheduler.segments.count("translated", number % 11)
        history.look()
    return history


@pytest.fixture
def opened(browser: Browser, server: StatusServer) -> Iterator[Open]:
    """Opens the page as a visitor of its own, with the operator's key; at the end nothing may have gone wrong in it."""
    watch = Watch(server.url)
    contexts = []

    def open_page(*, key: str = server.operator, **options: Any) -> Page:  # noqa: ANN401 - of a browser context
        context = browser.new_context(**{"locale": "en-GB"} | options)
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        context.add_init_script(
            f"if ({json.dumps(key)}) sessionStorage.setItem('dragoman.operator', {json.dumps(key)})"
        )
        page = context.new_page()
        watch.over(page)
        page.goto(server.url + "/status")
        return page

    yield open_page
    server.release()
    server.resume_all()
    for context in contexts:
        context.close()
    assert watch.errors == []
    assert watch.foreign == []


def replica(page: Page, name: str) -> Any:  # noqa: ANN401 - a Locator
    return page.get_by_role("listitem").filter(has=page.get_by_role("heading", name=name, exact=True))


def look_again(page: Page) -> None:
    """Have the page ask now and not only after its five seconds."""
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def refuse(route: Route) -> None:
    route.abort()


class TestKey:
    def test_it_is_asked_for_kept_for_this_tab_and_can_be_forgotten(self, opened: Open, server: StatusServer) -> None:
        page = opened(key="")
        page.get_by_label("API key").fill("wrong")
        page.get_by_role("button", name="Use this key").click()
        expect(page.get_by_text("A valid API key is needed.")).to_be_visible()
        page.get_by_label("API key").fill(server.operator)
        page.keyboard.press("Enter")

        expect(page.get_by_role("heading", level=1)).to_have_text("At work")
        assert page.evaluate("Object.values({...sessionStorage})") == [server.operator]
        assert server.operator not in page.evaluate("JSON.stringify({...localStorage})")

        page.get_by_role("button", name="Forget the key").click()
        expect(page.get_by_label("API key")).to_be_visible()
        expect(page.locator(".status")).to_be_hidden()
        expect(page.get_by_role("heading", level=1)).to_have_text("For those who run this server")

    def test_a_key_without_the_scope_is_told_so(self, opened: Open, server: StatusServer) -> None:
        page = opened(key=server.shop)

        expect(page.get_by_text("Your key does not allow this.")).to_be_visible()


class TestFigures:
    def test_an_hour_is_drawn_with_axes_and_a_legend(self, opened: Open) -> None:
        page = opened()
        plots = page.locator(".plot")

        expect(plots).to_have_count(PLOTS)
        latency = plots.filter(has=page.get_by_role("heading", name="Request time"))
        expect(latency.get_by_role("img")).to_have_attribute("aria-label", re.compile(r"p50 .*ms, p95 .*ms, p99 .*ms"))
        expect(latency.locator("svg[role=img] text").filter(has_text=re.compile(r"^\d\d:\d\d$")).first).to_be_visible()
        expect(latency.locator("svg[role=img] text").filter(has_text=re.compile(r"^\d+ms$")).first).to_be_visible()
        assert len(latency.locator(".line-0").last.get_attribute("d") or "") > KEPT_POINTS

    def test_lines_differ_by_more_than_colour(self, opened: Open) -> None:
        page = opened()
        page.locator(".plot").first.wait_for()
        strokes = page.eval_on_selector_all(
            ".plot:first-child .legend path", "paths => paths.map(path => getComputedStyle(path).strokeDasharray)"
        )

        assert len(set(strokes)) == 3

    def test_the_pointer_reads_a_moment(self, opened: Open) -> None:
        page = opened()
        plot = page.locator(".plot").first
        plot.get_by_role("img").hover()

        expect(plot.get_by_text(re.compile(r"^at \d\d:\d\d:\d\d$"))).to_be_visible()

    def test_each_plot_is_a_table_too(self, opened: Open) -> None:
        page = opened()
        plot = page.locator(".plot").nth(1)
        plot.get_by_text("As a table").click()

        expect(plot.get_by_role("columnheader")).to_have_text(["Time", "Segments", "Requests"])
        assert 12 <= plot.get_by_role("row").count() - 1 <= 13

    def test_errors_are_told_by_kind(self, opened: Open) -> None:
        page = opened()

        expect(page.get_by_role("region", name="Errors of the last hour")).to_contain_text(
            re.compile("TimeoutError.*3")
        )

    def test_one_process_of_several_says_so_and_offers_no_draining(self, opened: Open) -> None:
        def as_one_of_four(route: Route) -> None:
            answer = route.fetch()
            status = answer.json()
            status["process"]["processes"] = 4
            route.fulfill(response=answer, body=json.dumps(status))

        page = opened()
        expect(page.get_by_role("button", name="Drain")).to_have_count(2)
        page.route("**/v1/status", as_one_of_four)
        look_again(page)

        expect(page.get_by_text(re.compile(r"one of 4\."))).to_be_visible()
        expect(page.get_by_role("button", name="Drain")).to_have_count(0)
        page.unroute_all(behavior="wait")


class TestDraining:
    def test_nothing_is_drained_without_a_yes(self, opened: Open, server: StatusServer) -> None:
        page = opened()
        page.get_by_role("button", name=f"Drain {SECOND}").click()
        page.get_by_role("dialog").get_by_role("button", name="Cancel").click()

        expect(page.get_by_role("dialog")).to_have_count(0)
        assert not server.translator.pool[SECOND].draining

    def test_a_replica_finishes_is_drained_and_comes_back(self, opened: Open, server: StatusServer) -> None:
        page = opened()
        drain(page, FIRST)
        expect(replica(page, FIRST)).to_contain_text("drained")
        expect(page.get_by_role("heading", level=1)).to_have_text("At work with 1 of 2 replicas")

        holding = server.hold()
        drain(page, SECOND, warned=True)
        expect(replica(page, SECOND)).to_contain_text("draining")
        server.release()
        holding.result(START_S)
        look_again(page)
        expect(replica(page, SECOND)).to_contain_text("drained")
        expect(page.get_by_role("heading", level=1)).to_have_text("No replica is at work")

        page.get_by_role("button", name=f"Back to work: {SECOND}").click()
        expect(replica(page, SECOND)).to_contain_text("at work")


class TestTrouble:
    def test_a_server_that_does_not_answer_leaves_the_last_figures_marked(self, opened: Open) -> None:
        page = opened()
        expect(page.locator(".status")).to_be_visible()
        page.route("**/v1/status", refuse)
        look_again(page)

        expect(page.get_by_role("alert").get_by_text("The server does not answer.")).to_be_visible()
        expect(page.get_by_text(re.compile(r"These figures are from \d\d:\d\d:\d\d\."))).to_be_visible()
        expect(page.locator(".status")).to_have_class(re.compile("stale"))

        page.unroute_all(behavior="wait")
        page.get_by_role("button", name="Try again").click()
        expect(page.get_by_role("button", name="Try again")).to_have_count(0)
        expect(page.locator(".status")).not_to_have_class(re.compile("stale"))

    def test_one_who_is_offline_is_told_so_and_sees_it_end(self, opened: Open) -> None:
        page = opened()
        expect(page.locator(".status")).to_be_visible()
        page.context.set_offline(True)
        expect(page.get_by_text("You are offline.")).to_be_visible()
        page.context.set_offline(False)

        expect(page.get_by_text("You are offline.")).to_be_hidden()

    def test_a_page_that_never_had_an_answer_shows_no_figures(self, opened: Open) -> None:
        page = opened(key="")
        page.route("**/v1/status", refuse)
        page.reload()

        expect(page.get_by_text("The server does not answer.")).to_be_visible()
        expect(page.locator(".figures")).to_be_hidden()

    def test_nothing_is_asked_while_nobody_looks(self, opened: Open) -> None:
        page = opened()
        expect(page.locator(".status")).to_be_visible()
        page.clock.install()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.evaluate("Object.defineProperty(document, 'hidden', { value: true, configurable: true })")
        look_again(page)
        page.clock.run_for(60_000)

        assert asked == []


class TestForEveryone:
    @pytest.mark.parametrize("scheme", ["light", "dark"])
    @pytest.mark.parametrize("width", [360, 1440])
    def test_axe_finds_nothing_and_nothing_runs_over_the_edge(self, opened: Open, scheme: str, width: int) -> None:
        page = opened(viewport={"width": width, "height": 800}, color_scheme=scheme)
        expect(page.locator(".status")).to_be_visible()
        page.get_by_text("As a table").first.click()
        found = Axe().run(page).response["violations"]

        assert [(one["id"], one["nodes"][0]["target"]) for one in found] == []
        assert page.evaluate("document.documentElement.scrollWidth") == width

    def test_it_speaks_seven_languages(self, opened: Open) -> None:
        page = opened()
        expect(page.locator(".status")).to_be_visible()
        page.get_by_text("As a table").first.click()
        headings = set()
        for code in LANGUAGES:
            page.get_by_role("banner").get_by_role("combobox").select_option(code)
            expect(page.locator("html")).to_have_attribute("lang", code)
            headings.add(page.get_by_role("heading", level=1).inner_text())
            assert page.locator("html").get_attribute("dir") == ("rtl" if code == "ar" else "ltr")

        assert len(headings) == len(LANGUAGES)


def drain(page: Page, name: str, *, warned: bool = False) -> None:
    page.get_by_role("button", name=f"Drain {name}").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(name)
    expect(dialog.get_by_text("No other replica is at work.")).to_have_count(int(warned))
    dialog.get_by_role("button", name="Drain").click()

"""One browser for all tests of the page, a server whose streams can be scripted, and a visitor who notices trouble."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import pytest
from msgspec import Struct
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect, sync_playwright

from tests.clients.serving import running_server
from tests.pages.scripted_stream import ScriptedStream

CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-dev-shm-usage"]
"""A container has no user namespaces, and little shared memory."""

ENGINE = "simulated://h100-12b?speed=20"
PATIENCE_MS = 10_000

Visit: TypeAlias = Callable[..., Page]


class PageServer(Struct, frozen=True):
    """Where the page is, and what its streams are to do; without scripts they are the real ones."""

    url: str
    stream: ScriptedStream


class Watch:
    """What went wrong in a page. A failed request is told by the page itself, so the browser's line on it is no error,
    and a test that wants trouble names the words it expects.
    """

    def __init__(self, own_url: str) -> None:
        self._own = urlsplit(own_url).netloc
        self.errors: list[str] = []
        self.foreign: list[str] = []

    def over(self, page: Page) -> None:
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", self._asked)

    def _said(self, message: ConsoleMessage) -> None:
        refused = re.match(r"Failed to load resource: (the server responded with|net::ERR_)", message.text)
        if message.type in ("error", "warning") and not refused:
            self.errors.append(message.text)

    def _asked(self, request: Request) -> None:
        if urlsplit(request.url).scheme in ("http", "https", "ws", "wss") and urlsplit(request.url).netloc != self._own:
            self.foreign.append(request.url)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Debian's Chromium. It ends with this package: Playwright holds the event loop that asynchronous tests need."""
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def page_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageServer]:
    """A whole server over the simulated engine; what one test keeps in it, the others of the module see too."""
    streams: list[ScriptedStream] = []

    def scripted(app: Any) -> ScriptedStream:  # noqa: ANN401 - an ASGI app
        streams.append(ScriptedStream(app))
        return streams[0]

    with running_server(tmp_path_factory.mktemp("server"), ENGINE, wrapped=scripted) as url:
        yield PageServer(url, streams[0])


@pytest.fixture
def visit(browser: Browser, page_server: PageServer) -> Iterator[Visit]:
    """Opens the page at a path in a browser of a fresh visitor; at the end nothing may have gone wrong in it."""
    watch = Watch(page_server.url)
    contexts = []

    def open_at(path: str = "/", **context: Any) -> Page:  # noqa: ANN401 - any option of a browser context
        contexts.append(browser.new_context(**{"locale": "en-GB"} | context))
        contexts[-1].set_default_timeout(PATIENCE_MS)
        page = contexts[-1].new_page()
        watch.over(page)
        page.goto(page_server.url + path)
        page.locator("main").wait_for()
        return page

    page_server.stream.scripts.clear()
    page_server.stream.asked.clear()
    yield open_at
    for context in contexts:
        context.close()
    assert watch.errors == []
    assert watch.foreign == []

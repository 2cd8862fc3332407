"""What all pictures have in common: a camera, before which a page is brought into the state that is to be seen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from msgspec import Struct
from playwright.sync_api import Browser, Page

from tests.pages.scripted_stream import ScriptedStream

MOST_BYTES = 300_000
PATIENCE_MS = 120_000
DESK = {"width": 1280, "height": 800}
PHONE = {"viewport": {"width": 360, "height": 740}, "device_scale_factor": 2}
"""A narrow phone, as the options of a browser context."""


class Camera(Struct, frozen=True):
    """Takes pictures of the server at `url` into `folder`. `stream` is what its streamed translations are to do."""

    browser: Browser
    url: str
    stream: ScriptedStream
    folder: Path

    @contextmanager
    def window(self, **context: Any) -> Iterator[Page]:  # noqa: ANN401 - any option of a browser context
        """An empty page of a visitor of its own, to whom the server's paths are enough of an address."""
        plain = {"viewport": DESK, "locale": "en-GB", "timezone_id": "Europe/Berlin", "reduced_motion": "reduce"}
        opened = self.browser.new_context(**{"base_url": self.url} | plain | context)
        yield opened.new_page()
        opened.close()

    def take(self, page: Page, name: str) -> None:
        """Write the picture. Raises SystemExit where it is too large for a document."""
        file = self.folder / f"{name}.png"
        page.mouse.move(0, 0)  # what one points at looks different
        page.screenshot(path=file)
        if file.stat().st_size > MOST_BYTES:
            raise SystemExit(f"{file} is larger than {MOST_BYTES} bytes: take a smaller part of the page.")
        print(f"{file}  {file.stat().st_size // 1000} kB")

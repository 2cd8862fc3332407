"""Writes the pictures of the page that the documents show: `python -m tests.pages.screenshots docs/images`.

A real server over a real engine does the work, unless a state needs a scripted stream to stand still.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from msgspec import Struct
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.clients.serving import running_server
from tests.pages.conftest import CHROMIUM, FLAGS
from tests.pages.scripted_stream import Hold, Refusal, Script, ScriptedStream, Sentence, told

MOST_BYTES = 300_000
PATIENCE_MS = 120_000
DESK = {"width": 1280, "height": 800}
PHONE = {"width": 360, "height": 740}

STORY = [
    Sentence(
        source="The harbour was quiet that morning.", text="Der Hafen war an diesem Morgen still.", confidence=0.93
    ),
    Sentence(
        source="Only the ferry to the islands, due at 7:40, had its lights on.",
        text="Nur die Fähre zu den Inseln, die um 7.40 Uhr kommen sollte, hatte ihre Lichter an.",
        before=" ",
        confidence=0.86,
    ),
    Sentence(
        source="She had bought her ticket the day before and kept it folded in her glove.",
        text="Sie hatte ihre Fahrkarte am Tag zuvor gekauft und hielt sie gefaltet im Handschuh.",
        before=" ",
        confidence=0.42,
    ),
    Sentence(
        source="“The crossing takes 45 minutes,” said the man at the gate.",
        text="„Die Überfahrt dauert 54 Minuten“, sagte der Mann am Tor.",
        before="\n\n",
        confidence=0.66,
        findings=(("number", "The translation has the number 54 where the source has 45."),),
    ),
]
TEXT = "".join(sentence.before + sentence.source for sentence in STORY)
EVENTS = told(STORY, "de-DE")


class Picture(Struct, frozen=True):
    """One picture: the script its stream follows (None is the engine's own), and what is done before it is taken."""

    name: str
    script: Script | None = None
    before: Callable[[Page], None] = lambda page: None
    text: str = TEXT
    context: dict[str, Any] = {}


def _written(page: Page) -> None:
    expect(page.locator(".sheet .sentence").nth(1)).to_be_visible(timeout=PATIENCE_MS)
    expect(page.locator(".sheet")).to_have_attribute("aria-busy", "false", timeout=PATIENCE_MS)


def _about_a_sentence(page: Page) -> None:
    _written(page)
    page.get_by_role("button", name="To check").click()


def _choosing(page: Page) -> None:
    _written(page)
    page.get_by_role("combobox", name="Translate into").focus()
    page.keyboard.type("ja")


def _busy(page: Page) -> None:
    expect(page.locator(".sheet .sentence").nth(2)).to_be_visible()


def _failed(page: Page) -> None:
    expect(page.get_by_role("alert")).not_to_be_empty()


def _slow(page: Page) -> None:
    expect(page.get_by_text("No word from the engine yet.")).to_be_visible(timeout=PATIENCE_MS)


def _offline(page: Page) -> None:
    page.context.set_offline(True)
    page.locator("textarea").press("Control+Enter")
    _failed(page)


PICTURES = [
    Picture("translate", before=_written),
    Picture("translate-empty", text=""),
    Picture("translate-busy", script=[*EVENTS[:11], Hold()], before=_busy),
    Picture("translate-sentence", script=EVENTS, before=_about_a_sentence),
    Picture("translate-languages", script=EVENTS, before=_choosing),
    Picture("translate-slow", script=[Hold()], before=_slow),
    Picture(
        "translate-failed",
        script=Refusal(503, "50000 tokens wait already; at most 50000 may. Try again in 7 seconds."),
        before=_failed,
    ),
    Picture("translate-offline", script=EVENTS, before=_offline),
    Picture("translate-dark", script=EVENTS, before=_about_a_sentence, context={"color_scheme": "dark"}),
    Picture("translate-arabic", script=EVENTS, before=_written, context={"locale": "ar"}),
    Picture("translate-phone", script=EVENTS, before=_written, context={"viewport": PHONE, "device_scale_factor": 2}),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--engine", default="llamacpp://bundled")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    with _browser() as browser, tempfile.TemporaryDirectory() as data:
        streams: list[ScriptedStream] = []

        def scripted(app: Any) -> ScriptedStream:  # noqa: ANN401 - an ASGI app
            streams.append(ScriptedStream(app))
            return streams[0]

        with running_server(Path(data), arguments.engine, wrapped=scripted) as url:
            for picture in PICTURES:
                streams[0].scripts = [] if picture.script is None else [picture.script]
                _take(picture, browser, url, arguments.folder)


@contextmanager
def _browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


def _take(picture: Picture, browser: Browser, url: str, folder: Path) -> None:
    context = browser.new_context(**{"viewport": DESK, "locale": "en-GB", "reduced_motion": "reduce"} | picture.context)
    page = context.new_page()
    page.goto(f"{url}/#translate?source=auto&target=de-DE")
    page.locator("textarea").fill(picture.text)
    picture.before(page)
    file = folder / f"{picture.name}.png"
    page.screenshot(path=file)
    context.close()
    if file.stat().st_size > MOST_BYTES:
        raise SystemExit(f"{file} is larger than {MOST_BYTES} bytes: take a smaller part of the page.")
    print(f"{file}  {file.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()

"""The translator, as it writes, is asked, fails and is shown to others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct
from playwright.sync_api import Page, expect

from tests.pages.pictures import PATIENCE_MS, PHONE, Camera
from tests.pages.scripted_stream import Hold, Refusal, Script, Sentence, told

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
PLAIN_TEXT = (
    "The train to Lisbon leaves at 9:40 from platform 14. Breakfast is included.\n\n"
    "The city is beautiful in spring. You can buy tickets at the station."
)
"""What a small model can do, for the one picture that shows the engine's own words."""


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
    Picture("translate", before=_written, text=PLAIN_TEXT),
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
    Picture("translate-phone", script=EVENTS, before=_written, context=PHONE),
]


def take_all(camera: Camera) -> None:
    for picture in PICTURES:
        camera.stream.scripts = [] if picture.script is None else [picture.script]
        with camera.window(**picture.context) as page:
            page.goto("/#translate?source=auto&target=de-DE")
            page.locator("textarea").fill(picture.text)
            picture.before(page)
            camera.take(page, picture.name)
    camera.stream.scripts = []

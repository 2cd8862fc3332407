"""Conversations in two windows: the desk in one, a guest in the other, and a wire between them that is cut."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.pages.conftest import PATIENCE_MS, PageServer, Visit, Watch
from tests.pages.everybody import PHONE, out_of_reach, serious
from tests.pages.scripted_room import Script, message
from tests.pages.severed import Wire

WIDE = {"width": 1440, "height": 900}
DESK = "/#conversations"

OnWire: TypeAlias = Callable[[str], Page]

expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture
def wire(page_server: PageServer) -> Iterator[Wire]:
    with Wire(page_server.url) as wire:
        yield wire


@pytest.fixture
def on_wire(browser: Browser, wire: Wire) -> Iterator[OnWire]:
    """Opens the page over the wire. A browser says of each refused connection that it was, and nothing else."""
    watch = Watch(wire.url)
    context = browser.new_context(locale="en-GB")
    context.set_default_timeout(PATIENCE_MS)

    def open_at(path: str) -> Page:
        page = context.new_page()
        watch.over(page)
        page.goto(wire.url + path)
        return page

    yield open_at
    context.close()
    assert [error for error in watch.errors if not error.startswith("WebSocket connection to")] == []
    assert watch.foreign == []


def opened(desk: Page, title: str, name: str = "Frau Weber") -> None:
    """The owner opens a conversation; then they are asked whom to invite."""
    desk.locator("#view-conversations button.primary:visible").first.click()
    dialog = desk.get_by_role("dialog")
    dialog.locator("input").nth(0).fill(title)
    dialog.locator("input").nth(1).fill(name)
    dialog.locator("button[type=submit]").click()
    expect(dialog.locator("select")).to_have_count(1)


def invited(desk: Page, name: str, language: str) -> str:
    """The path of the link for somebody; the dialog for it is open."""
    dialog = desk.get_by_role("dialog")
    dialog.locator("input").fill(name)
    dialog.locator("select").select_option(language)
    dialog.locator("button[type=submit]").click()
    link = dialog.locator(".link input").input_value()
    desk.keyboard.press("Escape")
    return "/chat" + link.partition("/chat")[2]


def joined(guest: Page) -> Page:
    guest.locator("button[type=submit]").click()
    expect(guest.locator(".people .there")).to_have_count(1)
    return guest


def write(page: Page, text: str) -> None:
    page.locator("textarea:visible").fill(text)
    page.locator("textarea:visible").press("Enter")


def turns(page: Page) -> Locator:
    return page.locator(".talk:visible .turn")


def originals(page: Page) -> list[str]:
    """All messages as they were written, from top to bottom."""
    return [text.strip() for text in turns(page).locator(".as-written").all_text_contents()]


class TestTwoWindows:
    @pytest.fixture
    def desk(self, visit: Visit) -> Page:
        desk = visit(DESK, locale="de-DE", viewport=WIDE)
        opened(desk, "Order 4711")
        return desk

    def test_each_writes_and_reads_their_own_language(self, desk: Page, visit: Visit) -> None:
        guest = joined(visit(invited(desk, "Layla", "en")))

        write(guest, "Good morning, my parcel has not come.")
        theirs = turns(desk).locator(".words[lang=de]")
        expect(theirs).not_to_have_text("Good morning, my parcel has not come.")
        desk.get_by_role("button", name="Original", exact=True).click()
        expect(desk.get_by_text("Good morning, my parcel has not come.")).to_be_visible()

        write(desk, "Guten Morgen! Ich sehe nach.")
        expect(turns(guest).nth(1).locator(".words")).to_have_attribute("lang", "en")
        expect(turns(desk).nth(1)).to_contain_text("Gesehen von Layla")

    def test_one_sees_who_is_there_and_who_types(self, desk: Page, visit: Visit) -> None:
        guest = joined(visit(invited(desk, "Layla", "en")))
        expect(desk.locator(".people .there")).to_contain_text("Layla")

        guest.locator("textarea").press_sequentially("Hm")
        expect(desk.locator(".typing:visible")).to_have_text("Layla schreibt …")
        guest.locator("textarea").fill("")
        expect(desk.locator(".typing:visible")).to_have_text("")

        guest.close()
        expect(desk.locator(".people .gone")).to_contain_text("Layla")

    def test_a_link_holds_one_place_however_often_it_is_opened(self, desk: Page, visit: Visit) -> None:
        link = invited(desk, "Layla", "en")
        first = joined(visit(link))
        second = joined(visit(link))

        expect(first.get_by_text("open in another window")).to_be_visible()
        expect(desk.locator(".people li")).to_have_count(1)
        first.get_by_role("button", name="Continue here").click()
        expect(second.get_by_text("open in another window")).to_be_visible()

    def test_who_comes_back_finds_all_of_it_and_is_not_asked_again(self, desk: Page, visit: Visit) -> None:
        guest = joined(visit(invited(desk, "Layla", "en")))
        write(guest, "I am here.")
        expect(turns(desk)).to_have_count(1)

        guest.reload()
        expect(turns(guest).locator(".words")).to_have_text(["I am here."])
        desk.reload()
        expect(turns(desk).locator(".words[lang=de]")).to_have_count(1)

    def test_the_end_is_told_to_everybody(self, desk: Page, visit: Visit) -> None:
        desk.keyboard.press("Escape")
        opened(desk, "One that ends")
        guest = joined(visit(invited(desk, "Layla", "en")))

        desk.get_by_role("button", name="Beenden").click()
        desk.get_by_role("dialog").get_by_role("button", name="Beenden").click()

        expect(guest.get_by_text("The conversation was ended.")).to_be_visible()
        expect(guest.locator("textarea")).to_be_hidden()
        expect(desk.locator(".row", has_text="One that ends")).to_have_count(0)

    def test_who_leaves_cannot_come_back_by_the_link(self, desk: Page, visit: Visit) -> None:
        link = invited(desk, "Layla", "en")
        guest = joined(visit(link))
        guest.get_by_role("button", name="Leave").click()
        guest.get_by_role("dialog").get_by_role("button", name="Leave").click()
        expect(guest.get_by_text("You left the conversation.")).to_be_visible()

        again = visit(link)
        again.get_by_role("button", name="Join").click()
        expect(again.get_by_text("You cannot join this conversation.")).to_be_visible()

    def test_enter_sends_and_with_shift_it_breaks_the_line(self, desk: Page, visit: Visit) -> None:
        guest = joined(visit(invited(desk, "Layla", "en")))
        area = guest.locator("textarea")
        height = area.bounding_box()
        area.press_sequentially("one")
        area.press("Shift+Enter")
        area.press_sequentially("two")
        grown = area.bounding_box()
        area.press("Enter")

        assert height is not None
        assert grown is not None
        assert grown["height"] > height["height"]
        expect(turns(guest).locator(".words")).to_have_text("one\ntwo")
        expect(area).to_have_value("")


class TestABrokenConnection:
    def test_nothing_is_lost_and_nothing_comes_twice(self, visit: Visit, on_wire: OnWire, wire: Wire) -> None:
        desk = visit(DESK, locale="de-DE", viewport=WIDE)
        opened(desk, "Order 4712")
        guest = joined(on_wire(invited(desk, "Layla", "en")))
        write(guest, "before")
        expect(turns(desk)).to_have_count(1)

        wire.cut()
        expect(guest.get_by_text("Connection lost.")).to_be_visible()
        expect(desk.locator(".people .gone")).to_have_count(1)
        for text in ("eins", "zwei", "drei"):
            write(desk, text)
        write(guest, "four")
        write(guest, "five")
        expect(turns(guest).last).to_contain_text("Sending…")
        wire.mend()

        expect(turns(desk).locator(".words")).to_have_count(6)
        expect(turns(guest).locator(".words")).to_have_count(6)
        expect(guest.get_by_text("Connection lost.")).to_be_hidden()
        expect(turns(guest).locator("button[aria-controls]")).to_have_count(3)
        expect(turns(desk).locator("button[aria-controls]")).to_have_count(3)
        written = ["before", "eins", "zwei", "drei", "four", "five"]
        assert originals(guest) == written
        assert originals(desk) == written

    def test_what_was_not_sent_survives_a_reload(self, visit: Visit, on_wire: OnWire, wire: Wire) -> None:
        desk = visit(DESK, locale="de-DE", viewport=WIDE)
        opened(desk, "Order 4713")
        guest = joined(on_wire(invited(desk, "Layla", "en")))
        wire.cut()
        expect(guest.get_by_text("Connection lost.")).to_be_visible()
        write(guest, "written on the train")
        address = guest.url
        guest.goto("about:blank")
        wire.mend()
        guest.goto(address)

        expect(turns(guest).locator(".words")).to_have_text(["written on the train"])
        expect(turns(desk).locator(".as-written")).to_have_text(["written on the train"])

    def test_it_is_noticed_at_once_when_the_browser_knows(self, visit: Visit) -> None:
        desk = visit(DESK, viewport=WIDE)
        opened(desk, "Order 4714")
        desk.keyboard.press("Escape")
        expect(desk.locator("textarea:visible")).to_be_visible()
        desk.context.set_offline(True)
        expect(desk.get_by_text("Connection lost.")).to_be_visible()
        desk.context.set_offline(False)
        expect(desk.get_by_text("Connection lost.")).to_be_hidden()

    def test_a_line_that_fell_silent_is_noticed_by_whoever_only_reads(self, visit: Visit) -> None:
        guest = visit("/chat")
        script = Script(guest)
        guest.clock.install()
        guest.evaluate("location.hash = '#room.secret?name=Me&language=en'")
        joined(guest)
        guest.clock.run_for(20_000)
        script.tell("pong")
        guest.clock.run_for(19_000)
        expect(guest.get_by_text("Connection lost.")).to_be_hidden()

        script.is_silent = True
        guest.clock.run_for(15_000)

        expect(guest.get_by_text("Connection lost.")).to_be_visible()
        assert [said["type"] for said in script.heard[:3]] == ["join", "ping", "ping"]


class TestTheDesk:
    def test_it_says_how_much_is_new_in_each_conversation(self, visit: Visit) -> None:
        desk = visit(DESK, locale="en-GB", viewport=WIDE)
        guests = []
        for title in ("Room one", "Room two"):
            opened(desk, title)
            guests.append(joined(visit(invited(desk, f"Guest of {title}", "de"))))

        write(guests[0], "Hallo?")
        write(guests[0], "Ist da jemand?")
        row = desk.locator(".row", has_text="Room one")
        expect(row.locator(".unread")).to_have_text("2")
        expect(row.locator(".unread")).to_have_attribute("aria-label", "New: 2")

        row.click()
        expect(row.locator(".unread")).to_be_hidden()
        expect(turns(guests[0]).last).to_contain_text("Gesehen von Frau Weber")

        desk.get_by_role("button", name="Side by side").click()
        titles = desk.locator(".talk:visible h2")
        expect(titles.filter(has_text="Room")).to_have_count(2)

    def test_while_one_reads_what_came_before_the_place_stays(self, visit: Visit) -> None:
        desk = visit(DESK, locale="en-GB", viewport={"width": 1200, "height": 560})
        opened(desk, "A long one")
        guest = joined(visit(invited(desk, "Ana", "en")))
        for number in range(12):
            write(guest, f"Message {number}")
        expect(turns(desk)).to_have_count(12)
        expect(turns(guest).last).to_contain_text("Seen by")
        scroller = desk.locator(".talk:visible .scroller")
        scroller.evaluate("node => { node.scrollTop = 0; }")
        down = desk.locator(".talk:visible .down")
        expect(down).to_be_visible()

        write(guest, "One more")
        expect(down).to_have_text("New messages: 1")
        assert scroller.evaluate("node => node.scrollTop") == 0
        expect(turns(desk).last.locator(".fresh")).to_be_visible()

        down.click()
        expect(turns(desk).last).to_be_in_viewport()
        expect(down).to_be_hidden()


class TestWhatAMessageSays:
    @pytest.fixture
    def guest(self, visit: Visit) -> Page:
        return visit("/chat")

    @pytest.fixture
    def script(self, guest: Page) -> Script:
        script = Script(guest)
        guest.evaluate("location.hash = '#room.secret?name=Me&language=en'")
        joined(guest)
        return script

    def test_a_translation_is_awaited_and_then_there(self, guest: Page, script: Script) -> None:
        script.tell("message", **message(1, "Buenos días."))
        expect(turns(guest)).to_contain_text("Being translated…")
        script.tell("translated", event=2, id="m1", language="en", text="Good morning.", findings=[])

        expect(turns(guest).locator(".words")).to_have_text("Good morning.")
        expect(guest.locator("[aria-live=polite]")).to_have_text("Ana: Good morning.")

    def test_one_that_failed_is_asked_for_again(self, guest: Page, script: Script) -> None:
        script.tell("message", **message(1, "Buenos días."))
        error = {"title": "Failed", "status": 502, "detail": "The engine is gone."}
        script.tell("translation_failed", event=2, id="m1", language="en", error=error, retrying=True)
        expect(turns(guest)).to_contain_text("The engine is away")
        script.tell("translation_failed", event=3, id="m1", language="en", error=error, retrying=False)
        expect(turns(guest)).to_contain_text("Not translated.")

        guest.get_by_role("button", name="Try again").click()
        expect(turns(guest)).to_contain_text("Being translated…")
        assert script.heard[-1] == {"type": "again", "id": "m1"}

    def test_what_is_doubtful_is_marked(self, guest: Page, script: Script) -> None:
        findings = [{"kind": "number", "message": "12 is missing."}, {"kind": "repaired", "message": "It was."}]
        script.tell("message", **message(1, "Son 12."), translation={"text": "They are 21.", "findings": findings})

        expect(turns(guest).locator(".doubt")).to_have_text(["A number differs"])

    def test_one_that_the_server_refuses_can_be_sent_again_or_discarded(self, guest: Page, script: Script) -> None:
        write(guest, "Too much")
        expect(turns(guest)).to_contain_text("Sending…")
        said = script.heard[-1]
        error = {"title": "Refused", "status": 413, "detail": "Send it in parts."}
        script.tell("error", error=error, client_id=said["client_id"])
        expect(turns(guest)).to_contain_text("Send it in parts.")

        guest.get_by_role("button", name="Try again").click()
        expect(turns(guest)).to_contain_text("Sending…")
        assert script.heard[-1] == said
        script.tell("error", error=error, client_id=said["client_id"])
        guest.get_by_role("button", name="Discard").click()
        expect(turns(guest)).to_have_count(0)

    def test_each_message_runs_in_its_languages_direction(self, guest: Page, script: Script) -> None:
        script.tell("message", **message(1, "صباح الخير", "ar"))
        expect(turns(guest).locator(".words")).to_have_attribute("dir", "rtl")
        script.tell("translated", event=2, id="m1", language="en", text="Good morning.", findings=[])
        expect(turns(guest).locator(".words")).to_have_attribute("dir", "ltr")
        expect(turns(guest).locator(".as-written")).to_have_attribute("dir", "rtl")

    @pytest.mark.parametrize(("locale", "written"), [("en-GB", "10:00"), ("en-US", "10:00 AM")])
    def test_times_are_written_as_in_the_readers_region(self, visit: Visit, locale: str, written: str) -> None:
        guest = visit("/chat", locale=locale, timezone_id="UTC")
        script = Script(guest)
        guest.evaluate("location.hash = '#room.secret?name=Me&language=en'")
        joined(guest)
        script.tell("message", **message(1, "Buenos días."))

        expect(turns(guest).locator("time")).to_have_text(written)

    def test_days_stand_between_messages(self, guest: Page, script: Script) -> None:
        script.tell("message", **message(1, "uno"))
        script.tell("message", **message(2, "dos"))
        script.tell("message", **message(3, "tres") | {"at": "2020-01-06T10:00:00Z"})

        expect(guest.locator(".day:visible")).to_have_text(["Sunday, 5 January 2020", "Monday, 6 January 2020"])

    def test_the_window_is_told_by_its_title_and_its_words(self, guest: Page, script: Script) -> None:
        assert script.heard[0] == {
            "type": "join",
            "token": "room.secret",
            "name": "Me",
            "language": "en",
            "last_event": 0,
        }
        expect(guest).to_have_title("Scripted · Dragoman")


class TestForEverybody:
    @pytest.mark.parametrize(("locale", "scheme"), [("en-GB", "light"), ("ar", "dark")])
    def test_axe_finds_nothing_serious_and_a_phone_shows_all(self, visit: Visit, locale: str, scheme: str) -> None:
        desk = visit(DESK, locale=locale, color_scheme=scheme, viewport=PHONE)
        opened(desk, "Order 4715")
        assert serious(desk) == []
        link = invited(desk, "Layla", "fr")
        welcome = visit(link, color_scheme=scheme, viewport=PHONE)
        assert serious(welcome) == []
        guest = joined(welcome)
        write(guest, "Is it on its way? " * 12)
        expect(turns(desk).locator("button[aria-controls]")).to_have_count(1)
        write(desk, "نعم، هي في الطريق.")
        expect(turns(guest).locator("button[aria-controls]")).to_have_count(1)

        for page in (desk, guest):
            assert serious(page) == []
            assert out_of_reach(page) == []
        desk.locator(".back:visible").click()
        expect(desk.locator(".row", has_text="Order 4715").first).to_be_visible()
        assert serious(desk) == []
        assert out_of_reach(desk) == []

    def test_a_link_that_is_cut_short_says_so(self, visit: Visit) -> None:
        expect(visit("/chat#half").get_by_text("This link is not complete.")).to_be_visible()

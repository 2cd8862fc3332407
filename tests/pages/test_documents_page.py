"""The documents of the page, in a real browser, against a real server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import FilePayload, Locator, Page, Route, expect

from dragoman.documents.families import FAMILIES
from tests.pages.conftest import PageServer, Visit
from tests.pages.everybody import PHONE, out_of_reach, serious

AT = "/#documents"
STATUS = "**/v1/documents/*"


def file(name: str, text: str) -> FilePayload:
    return {"name": name, "mimeType": "", "buffer": text.encode()}


MENU = file("menu.md", "# Menu\n\nA soup of 3 leeks.\n\n```\nkeep me\n```\n")
NOTE = file("note.txt", "Good morning.\n")


def hand_in(page: Page, *files: FilePayload) -> None:
    page.locator("#view-documents input[type=file]").set_input_files(files)


def row(page: Page, name: str) -> Locator:
    return page.get_by_role("list", name="Your documents").get_by_role("listitem").filter(has_text=name)


def tell(page: Page, **status: Any) -> None:  # noqa: ANN401 - any field of a document's status
    """The server says this of every document from now on."""
    told = {"id": "1", "filename": "", "characters": 9, "passages": 4, "failed": 0, "findings": {}} | status
    page.unroute(STATUS)
    page.route(STATUS, lambda route: route.fulfill(json=told))


class TestHandingIn:
    def test_several_files_come_back_with_their_layout(self, visit: Visit, tmp_path: Path) -> None:
        page = visit(AT)

        hand_in(page, MENU, NOTE)

        for name in ("menu.md", "note.txt"):
            expect(row(page, name)).to_contain_text("Done. Passages:")
        with page.expect_download() as download:
            page.get_by_role("button", name="Download menu.md").click()
        assert download.value.suggested_filename == "menu.de-DE.md"
        download.value.save_as(tmp_path / "menu")
        text = (tmp_path / "menu").read_text()
        assert text.startswith("# ⓓⓔ")
        assert "```\nkeep me\n```" in text

    def test_the_kinds_are_those_that_the_server_reads(self, visit: Visit) -> None:
        page = visit(AT)

        names = ", ".join(family.name for family in FAMILIES)
        expect(page.get_by_text(f"Kinds: {names}")).to_be_visible()

    def test_a_file_that_is_dropped_anywhere_in_the_view_is_taken(self, visit: Visit) -> None:
        page = visit(AT)
        dropped = page.evaluate_handle(
            """() => {
                const data = new DataTransfer();
                data.items.add(new File(["Hello."], "dropped.txt"));
                return data;
            }"""
        )

        page.dispatch_event("#view-documents .leaf:last-child", "dragover", {"dataTransfer": dropped})
        expect(page.locator(".drop")).to_have_class("drop over")
        page.dispatch_event("#view-documents .leaf:last-child", "drop", {"dataTransfer": dropped})

        expect(row(page, "dropped.txt")).to_contain_text("Done.")
        expect(page.locator(".drop")).to_have_class("drop")

    def test_the_keyboard_opens_the_choice_of_files(self, visit: Visit) -> None:
        page = visit(AT)
        page.on("filechooser", lambda _: None)  # has the browser tell of choosers before the key is pressed
        expect(page.get_by_text("Kinds:")).to_be_visible()

        with page.expect_file_chooser() as chooser:
            page.keyboard.press("Control+o")

        assert chooser.value.is_multiple()

    def test_the_chosen_languages_and_glossary_go_with_each_file(self, visit: Visit, page_server: PageServer) -> None:
        page = visit(AT)
        made = page.request.post(
            f"{page_server.url}/v1/glossaries",
            data={"name": "soups", "dictionaries": [{"source": "en", "target": "fr", "entries": {"leek": "POIREAU"}}]},
        )
        page.reload()
        page.get_by_role("combobox", name="Translate from").fill("en")
        page.keyboard.press("Enter")
        page.get_by_role("combobox", name="Translate into").fill("fr")
        page.keyboard.press("Enter")
        page.get_by_label("Glossary").select_option(made.json()["id"])

        hand_in(page, file("soup.txt", "A leek.\n"))

        expect(row(page, "soup.txt")).to_contain_text("English → French")
        expect(row(page, "soup.txt")).to_contain_text("Done.")
        with page.expect_download() as download:
            page.get_by_role("button", name="Download soup.txt").click()
        assert "POIREAU" in Path(download.value.path()).read_text()


class TestStanding:
    def test_how_far_it_is_and_how_long_it_takes_is_told(self, visit: Visit) -> None:
        page = visit(AT)
        tell(page, state="queued")
        hand_in(page, NOTE)
        expect(row(page, "note.txt")).to_contain_text("Waiting for its turn")

        tell(page, state="translating", seconds_remaining=150)

        expect(row(page, "note.txt")).to_contain_text("Translating, 3 min")
        expect(row(page, "note.txt").get_by_role("progressbar")).to_have_attribute("aria-valuenow", "0")

    def test_what_was_found_is_counted_by_its_kind(self, visit: Visit) -> None:
        page = visit(AT)
        tell(page, state="done", failed=1, findings={"number": 2, "repaired": 7})

        hand_in(page, NOTE)

        expect(row(page, "note.txt")).to_contain_text("To check: 3")
        assert row(page, "note.txt").locator(".findings li").all_inner_texts() == [
            "Left as it was\n1",
            "A number differs\n2",
        ]

    def test_a_translation_that_failed_says_why(self, visit: Visit) -> None:
        page = visit(AT)
        tell(page, state="error", message="The engine did not answer in time.")

        hand_in(page, NOTE)

        expect(row(page, "note.txt")).to_contain_text("Failed")
        expect(row(page, "note.txt")).to_contain_text("The engine did not answer in time.")
        expect(page.get_by_role("button", name="Download note.txt")).to_be_hidden()

    def test_a_file_that_is_not_taken_says_why_and_holds_up_no_other(self, visit: Visit) -> None:
        page = visit(AT)

        hand_in(page, file("photo.png", "x"), NOTE)

        expect(row(page, "photo.png")).to_contain_text("Documents of the kind '.png' are not translated")
        expect(row(page, "photo.png").get_by_role("button", name="Try again")).to_be_hidden()
        expect(row(page, "note.txt")).to_contain_text("Done.")

    def test_documents_survive_a_reload_and_tell_when_they_are_gone(self, visit: Visit) -> None:
        page = visit(AT)
        hand_in(page, MENU, NOTE)
        expect(row(page, "note.txt")).to_contain_text("Done.")
        expect(row(page, "menu.md")).to_contain_text("Done.")
        kept = json.loads(page.evaluate("() => localStorage.getItem('dragoman.documents')"))
        page.request.delete(f"{page.url.split('/#')[0]}/v1/documents/{kept[0]['id']}")

        page.reload()

        expect(row(page, "menu.md")).to_contain_text("No longer on the server")
        expect(row(page, "note.txt")).to_contain_text("Done.")

    def test_a_removed_one_is_gone_here_and_on_the_server(self, visit: Visit, page_server: PageServer) -> None:
        page = visit(AT)
        hand_in(page, MENU, NOTE)
        expect(row(page, "note.txt")).to_contain_text("Done.")
        gone = json.loads(page.evaluate("() => localStorage.getItem('dragoman.documents')"))[0]["id"]

        page.get_by_role("button", name="Remove menu.md").click()

        expect(row(page, "menu.md")).to_have_count(0)
        expect(page.get_by_role("button", name="Download note.txt")).to_be_focused()
        assert page.request.get(f"{page_server.url}/v1/documents/{gone}").status == 404


class TestTrouble:
    def test_a_file_that_could_not_be_sent_can_be_sent_again(self, visit: Visit) -> None:
        page = visit(AT)
        expect(page.get_by_text("Kinds:")).to_be_visible()
        page.context.set_offline(True)
        hand_in(page, NOTE)
        expect(row(page, "note.txt")).to_contain_text("You are offline.")

        page.context.set_offline(False)
        row(page, "note.txt").get_by_role("button", name="Try again").click()

        expect(row(page, "note.txt")).to_contain_text("Done.")

    def test_looking_goes_on_by_itself_when_the_server_is_back(self, visit: Visit) -> None:
        page = visit(AT)
        page.route(STATUS, lambda route: route.abort())
        hand_in(page, NOTE)
        expect(page.get_by_role("alert")).to_contain_text("The server does not answer.")

        page.unroute(STATUS)

        expect(row(page, "note.txt")).to_contain_text("Done.")
        expect(page.get_by_role("alert")).to_be_empty()

    def test_a_key_that_is_wanted_is_asked_for_and_used(self, visit: Visit) -> None:
        def guarded(route: Route) -> None:
            if route.request.headers.get("authorization") == "Bearer sesame":
                route.continue_()
            else:
                route.fulfill(
                    status=401, content_type="application/problem+json", body='{"detail": "A key is needed."}'
                )

        page = visit(AT)
        page.route("**/v1/documents", guarded)
        hand_in(page, NOTE)
        row(page, "note.txt").get_by_role("button", name="Give a key").click()
        page.get_by_role("textbox", name="API key").fill("sesame")
        page.keyboard.press("Enter")

        expect(row(page, "note.txt")).to_contain_text("Done.")


class TestEverybody:
    @pytest.mark.parametrize(("locale", "scheme"), [("en-GB", "light"), ("ar", "dark")])
    def test_axe_finds_nothing_serious(self, visit: Visit, locale: str, scheme: str) -> None:
        page = visit(AT, locale=locale, color_scheme=scheme)
        expect(page.locator(".leaf > .empty")).to_be_visible()
        assert serious(page) == []

        tell(page, state="done", findings={"number": 2})
        hand_in(page, file("photo.png", "x"), NOTE)

        expect(page.locator(".findings")).to_be_visible()
        assert serious(page) == []

    @pytest.mark.parametrize("locale", ["de", "fr", "ar"])
    def test_all_is_within_reach_on_a_narrow_phone(self, visit: Visit, locale: str) -> None:
        page = visit(AT, locale=locale, viewport=PHONE)
        hand_in(page, file("a-very-long-name-of-a-document-without-any-room-for-it.png", "x"), NOTE)
        expect(page.locator("[data-state=done]")).to_be_visible()

        assert out_of_reach(page) == []

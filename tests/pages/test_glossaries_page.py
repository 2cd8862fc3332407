"""The glossaries of the page, in a real browser, against a real server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, FilePayload, Locator, Page, expect

from tests.pages.conftest import PageServer, Visit
from tests.pages.everybody import PHONE, out_of_reach, serious

AT = "/#glossaries"
TSV = {"accept": "text/tab-separated-values"}


@pytest.fixture(autouse=True)
def nothing_is_left(browser: Browser, page_server: PageServer) -> Iterator[None]:
    yield
    with browser.new_context() as context:
        for glossary in context.request.get(f"{page_server.url}/v1/glossaries").json()["glossaries"]:
            context.request.delete(f"{page_server.url}/v1/glossaries/{glossary['id']}")


def stored(page: Page, url: str, name: str = "kitchen", **entries: str) -> str:
    """The id of a glossary that the server has, from English into German."""
    dictionary = {"source": "en", "target": "de", "entries": entries or {"mug": "Becher", "kettle": "Kessel"}}
    made = page.request.post(f"{url}/v1/glossaries", data={"name": name, "dictionaries": [dictionary]})
    return str(made.json()["id"])


def cell(page: Page, language: str, number: int) -> Locator:
    return page.get_by_role("textbox", name=f"{language}, row {number}", exact=True)


def terms(page: Page) -> list[tuple[str, str]]:
    """What stands in the table."""
    words = page.locator(".terms tbody input").evaluate_all("(cells) => cells.map((cell) => cell.value)")
    return [pair for pair in zip(words[::2], words[1::2], strict=True) if any(pair)]


def paste(page: Page, text: str) -> None:
    page.evaluate(
        """(text) => {
            const clipboardData = new DataTransfer();
            clipboardData.setData("text/plain", text);
            const event = new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true });
            document.activeElement.dispatchEvent(event);
        }""",
        text,
    )


def save(page: Page) -> None:
    page.keyboard.press("Control+s")
    expect(page.get_by_text("Saved", exact=True)).to_be_visible()


def kept(page: Page, url: str, pair: str = "en-de") -> str:
    """The terms that the server has, of the only glossary there is."""
    (glossary,) = page.request.get(f"{url}/v1/glossaries").json()["glossaries"]
    return page.request.get(f"{url}/v1/glossaries/{glossary['id']}/{pair}", headers=TSV).text()


def import_file(page: Page, name: str, text: str) -> None:
    payload: FilePayload = {"name": name, "mimeType": "", "buffer": text.encode()}
    page.locator(".toolbar input[type=file]").set_input_files(payload)


class TestMaking:
    def test_one_is_made_and_filled_by_the_keyboard_alone(self, visit: Visit, page_server: PageServer) -> None:
        page = visit(AT)
        expect(page.get_by_text("A glossary says how your own terms")).to_be_visible()
        page.get_by_label("New glossary").fill("kitchen")
        page.keyboard.press("Enter")
        page.locator(".adding").get_by_role("button", name="Add a pair").press("Enter")
        cell(page, "English", 1).focus()
        for words in ("mug", "Becher", "10", "zehn", "kettle", "Kessel"):
            page.keyboard.type(words)
            page.keyboard.press("Enter")

        save(page)

        assert kept(page, page_server.url, "en-de_DE") == "mug\tBecher\n10\tzehn\nkettle\tKessel\n"
        expect(page.get_by_role("list", name="Your glossaries")).to_contain_text("Terms: 3")
        page.reload()
        expect(cell(page, "English", 3)).to_have_value("kettle")
        assert terms(page) == [("mug", "Becher"), ("10", "zehn"), ("kettle", "Kessel")]

    def test_a_name_that_will_not_do_is_refused_with_the_reason(self, visit: Visit, page_server: PageServer) -> None:
        page = visit(AT)
        stored(page, page_server.url)
        page.reload()
        expect(cell(page, "English", 1)).to_have_value("mug")

        page.get_by_label("Name of the glossary").fill(" ")
        page.keyboard.press("Tab")

        expect(page.locator(".editor").get_by_role("alert")).to_contain_text("1 to 1024 printable characters")

    def test_it_is_renamed_and_deleted(self, visit: Visit, page_server: PageServer) -> None:
        page = visit(AT)
        stored(page, page_server.url)
        page.reload()
        page.get_by_label("Name of the glossary").fill("pots and pans")
        page.keyboard.press("Tab")
        expect(page.get_by_role("list", name="Your glossaries")).to_contain_text("pots and pans")

        page.get_by_role("button", name="Delete glossary").click()
        page.get_by_role("dialog").get_by_role("button", name="Delete glossary").click()

        expect(page.get_by_text("A glossary says how your own terms")).to_be_visible()
        assert page.request.get(f"{page_server.url}/v1/glossaries").json() == {"glossaries": []}


class TestTerms:
    def test_rows_of_a_spreadsheet_are_pasted_where_one_stands(self, visit: Visit, page_server: PageServer) -> None:
        page = visit(AT)
        stored(page, page_server.url)
        page.reload()
        cell(page, "English", 2).focus()

        paste(page, 'pan\tPfanne\r\n"salt ""and"" pepper"\tSalz und Pfeffer\r\n')

        expected = [("mug", "Becher"), ("pan", "Pfanne"), ('salt "and" pepper', "Salz und Pfeffer")]
        assert terms(page) == expected
        save(page)
        assert kept(page, page_server.url) == "".join(f"{source}\t{target}\n" for source, target in expected)

    def test_a_column_is_pasted_beside_what_stands_there(self, visit: Visit, page_server: PageServer) -> None:
        page = visit(AT)
        stored(page, page_server.url)
        page.reload()
        cell(page, "German", 1).focus()

        paste(page, "Humpen\nTeekessel\n")

        assert terms(page) == [("mug", "Humpen"), ("kettle", "Teekessel")]

    @pytest.mark.parametrize(
        ("row", "words", "side", "said"),
        [
            (3, ("half", ""), "German", "the target is empty."),
            (3, ("mug", "Tasse"), "English", "'mug' becomes 'Becher' already"),
        ],
    )
    def test_what_the_server_refuses_is_told_at_its_row(
        self, visit: Visit, page_server: PageServer, row: int, words: tuple[str, str], side: str, said: str
    ) -> None:
        page = visit(AT)
        stored(page, page_server.url)
        page.reload()
        cell(page, "English", row).fill(words[0])
        cell(page, "German", row).fill(words[1])

        page.keyboard.press("Control+s")

        expect(page.locator(".terms tr.faulty")).to_contain_text(said)
        expect(page.locator(".terms tr.faulty")).to_have_attribute("data-index", str(row - 1))
        expect(page.get_by_text("Not saved: one row needs a change.")).to_be_visible()
        cell(page, "English", row).fill("teapot")
        cell(page, "German", row).fill("Kanne")
        expect(page.locator(".terms .fault")).to_have_count(0)
        save(page)
        assert "teapot\tKanne\n" in kept(page, page_server.url)

    def test_a_row_is_deleted_by_its_button_or_by_the_keyboard(self, visit: Visit, page_server: PageServer) -> None:
        page = visit(AT)
        stored(page, page_server.url, a="A", b="B", c="C")
        page.reload()
        page.get_by_role("button", name="Delete row 1").click()
        expect(cell(page, "English", 1)).to_be_focused()
        page.keyboard.press("ArrowDown")

        page.keyboard.press("Control+Delete")

        assert terms(page) == [("b", "B")]
        save(page)
        assert kept(page, page_server.url) == "b\tB\n"

    def test_a_glossary_may_be_emptied(self, visit: Visit, page_server: PageServer) -> None:
        page = visit(AT)
        stored(page, page_server.url, a="A")
        page.reload()
        page.get_by_role("button", name="Delete row 1").click()

        save(page)

        assert kept(page, page_server.url) == ""

    def test_the_filter_finds_either_side_and_keeps_the_rest(self, visit: Visit, page_server: PageServer) -> None:
        page = visit(AT)
        many = {f"term {number}": f"Begriff {number}" for number in range(450)}
        stored(page, page_server.url, **many)
        page.reload()
        expect(page.locator(".terms tbody tr")).to_have_count(200)
        expect(page.get_by_role("button", name="Show more (250)")).to_be_visible()

        page.get_by_role("searchbox", name="Filter the terms").fill("BEGRIFF 44")
        assert [source for source, _ in terms(page)] == ["term 44", *(f"term {number}" for number in range(440, 450))]
        cell(page, "German", 45).fill("Wort")
        save(page)

        assert kept(page, page_server.url).count("\n") == 450
        assert "term 44\tWort\n" in kept(page, page_server.url)

    def test_unsaved_terms_wait_while_one_looks_elsewhere(self, visit: Visit, page_server: PageServer) -> None:
        page = visit(AT)
        stored(page, page_server.url)
        stored(page, page_server.url, "other", spoon="Löffel")
        page.reload()
        cell(page, "German", 1).fill("Humpen")
        page.get_by_role("list", name="Your glossaries").get_by_role("button", name="other").click()
        expect(cell(page, "English", 1)).to_have_value("spoon")

        page.get_by_role("list", name="Your glossaries").get_by_role("button", name="kitchen").click()

        expect(cell(page, "German", 1)).to_have_value("Humpen")
        expect(page.get_by_text("Not saved yet.")).to_be_visible()
        page.get_by_role("button", name="Discard changes").click()
        expect(cell(page, "German", 1)).to_have_value("Becher")

    def test_a_pair_is_added_and_deleted(self, visit: Visit, page_server: PageServer) -> None:
        page = visit(AT)
        stored(page, page_server.url)
        page.reload()
        page.get_by_role("group", name="Language pairs").get_by_role("button", name="Add a pair").click()
        page.get_by_role("combobox", name="Translate into").fill("pt-BR")
        page.keyboard.press("Enter")
        page.locator(".adding").get_by_role("button", name="Add a pair").click()
        page.locator(".terms [data-side=source]").first.fill("mug")
        page.locator(".terms [data-side=target]").first.fill("caneca")
        save(page)
        assert kept(page, page_server.url, "en-pt_BR") == "mug\tcaneca\n"

        page.get_by_role("button", name="Delete pair").click()
        page.get_by_role("dialog").get_by_role("button", name="Delete pair").click()

        expect(cell(page, "German", 1)).to_have_value("Becher")
        expect(page.get_by_role("list", name="Your glossaries")).not_to_contain_text("Portuguese")


class TestFiles:
    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("terms.csv", "pan,Pfanne\n"),
            ("terms.csv", "source;target\npan;Pfanne\n"),
            ("terms.csv", "de,fr,en\nPfanne,poêle,pan\n"),
            ("terms.tsv", "pan\tPfanne\nmug\tBecher\n"),
        ],
    )
    def test_a_file_is_added_to_what_is_there(
        self, visit: Visit, page_server: PageServer, name: str, text: str
    ) -> None:
        page = visit(AT)
        stored(page, page_server.url)
        page.reload()
        expect(cell(page, "English", 1)).to_have_value("mug")

        import_file(page, name, text)

        expect(cell(page, "English", 3)).to_have_value("pan")
        assert terms(page) == [("mug", "Becher"), ("kettle", "Kessel"), ("pan", "Pfanne")]
        expect(page.get_by_text("Not saved yet. Terms: 3")).to_be_visible()

    @pytest.mark.parametrize(("kind", "text"), [("CSV", "mug,Becher\r\n"), ("TSV", "mug\tBecher\n")])
    def test_the_terms_come_out_as_a_file(self, visit: Visit, page_server: PageServer, kind: str, text: str) -> None:
        page = visit(AT)
        stored(page, page_server.url, mug="Becher")
        page.reload()

        with page.expect_download() as download:
            page.get_by_role("button", name=f"Export {kind}").click()

        assert download.value.suggested_filename == f"kitchen.en-de.{kind.lower()}"
        assert Path(download.value.path()).read_bytes().decode() == text


class TestUse:
    def test_the_translator_offers_it_and_keeps_to_it(self, visit: Visit, page_server: PageServer) -> None:
        page = visit("/#translate?source=en&target=de")
        stored(page, page_server.url)
        page.get_by_text("Options").click()
        page.get_by_label("Glossary").select_option(label="kitchen")

        page.locator("textarea").fill("A red mug")

        expect(page.locator(".sheet")).to_contain_text("Becher")


class TestTrouble:
    def test_it_comes_by_itself_when_the_server_is_back(self, visit: Visit, page_server: PageServer) -> None:
        page = visit()
        stored(page, page_server.url)
        page.route("**/v1/glossaries", lambda route: route.abort())
        page.get_by_role("link", name="Glossaries").click()
        expect(page.get_by_role("alert").first).to_contain_text("The server does not answer.")

        page.unroute("**/v1/glossaries")

        expect(cell(page, "English", 1)).to_have_value("mug")

    def test_what_cannot_be_saved_stays_in_the_table(self, visit: Visit, page_server: PageServer) -> None:
        page = visit(AT)
        stored(page, page_server.url)
        page.reload()
        cell(page, "German", 1).fill("Humpen")
        page.route("**/v1/glossaries/*/*", lambda route: route.fulfill(status=503, body="busy"))

        page.get_by_role("button", name="Save").click()

        expect(page.locator(".editor").get_by_role("alert")).to_contain_text("The server is busy.")
        expect(cell(page, "German", 1)).to_have_value("Humpen")
        page.unroute("**/v1/glossaries/*/*")
        page.get_by_role("button", name="Try again").click()
        expect(page.get_by_text("Saved", exact=True)).to_be_visible()


class TestEverybody:
    @pytest.mark.parametrize("setting", [{}, {"locale": "ar", "color_scheme": "dark"}], ids=["light", "arabic, dark"])
    def test_axe_finds_nothing_serious(self, visit: Visit, page_server: PageServer, setting: dict[str, Any]) -> None:
        page = visit(AT, **setting)
        stored(page, page_server.url)
        page.reload()
        expect(page.locator(".terms tbody tr")).to_have_count(3)
        page.locator(".terms tbody tr").last.locator("input").first.fill("half")
        page.keyboard.press("Control+s")
        expect(page.locator(".terms .fault")).to_be_visible()

        assert serious(page) == []

    @pytest.mark.parametrize("locale", ["de", "fr", "ar"])
    def test_all_is_within_reach_on_a_narrow_phone(self, visit: Visit, page_server: PageServer, locale: str) -> None:
        page = visit(AT, locale=locale, viewport=PHONE)
        stored(page, page_server.url, "a-very-long-name-of-a-glossary-without-any-room-for-it-on-a-phone")
        page.reload()
        expect(page.locator(".terms tbody tr")).to_have_count(3)

        assert out_of_reach(page) == []

"""The translator of the page, in a real browser, against a real server."""

from __future__ import annotations

import json
import re
import statistics
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from dragoman.server.pages import PAGE
from tests.pages.conftest import PageServer, Visit
from tests.pages.scripted_stream import Break, Hold, Refusal, Sentence, told

MORNING = Sentence(source="Good morning.", text="Guten Morgen.", confidence=0.95)
TRAIN = Sentence(
    source="The train leaves at 9.",
    before=" ",
    text="Der Zug fährt um 6 ab.",
    confidence=0.7,
    findings=(("number", "The translation has 6 where the source has 9."),),
)
UNSURE = Sentence(source="Mind the gap.", before=" ", text="Gib auf die Lücke acht.", confidence=0.3)
SENTENCES = [MORNING, TRAIN, UNSURE]
TEXT = "Good morning. The train leaves at 9. Mind the gap."
GERMAN = "Guten Morgen. Der Zug fährt um 6 ab. Gib auf die Lücke acht."

EN_DE = "/#translate?source=auto&target=de-DE"


def source(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Text to translate")


def translation(page: Page) -> Locator:
    return page.get_by_role("group", name="Translation")


def sentences(page: Page) -> Locator:
    return translation(page).get_by_role("button")


def source_language(page: Page) -> Locator:
    return page.get_by_role("combobox", name="Translate from")


def target_language(page: Page) -> Locator:
    return page.get_by_role("combobox", name="Translate into")


class TestTranslating:
    def test_a_text_is_translated_by_the_real_server_as_it_is_typed(self, visit: Visit) -> None:
        page = visit(EN_DE)

        source(page).press_sequentially("The weather is lovely today. Shall we walk?")

        expect(translation(page)).to_contain_text("ⓓⓔ")
        expect(sentences(page)).to_have_count(2)
        expect(source_language(page)).to_have_value("English")
        expect(page.get_by_text("Detected", exact=True)).to_be_visible()
        assert translation(page).get_attribute("lang") == "de-DE"

    def test_words_stand_there_before_the_whole_is_done(self, visit: Visit, page_server: PageServer) -> None:
        hold = Hold()
        events = told(SENTENCES, "de-DE")
        page_server.stream.scripts = [[*events[:7], hold, *events[7:]]]
        page = visit(EN_DE)

        source(page).fill(TEXT)

        expect(translation(page)).to_have_text("Guten Morgen. Der Zug fäh")
        expect(translation(page)).to_have_attribute("aria-busy", "true")
        expect(page.get_by_text("Sentences: 1 of 3")).to_be_visible()
        hold.release()
        expect(translation(page)).to_have_text(GERMAN)
        expect(translation(page)).to_have_attribute("aria-busy", "false")
        expect(page.get_by_role("status").get_by_text("The translation is ready.")).to_be_attached()

    def test_a_repaired_sentence_takes_the_place_of_what_was_written(
        self, visit: Visit, page_server: PageServer
    ) -> None:
        events = told([MORNING], "de-DE")
        replaced = ("segment.replaced", {"item": 0, "segment": 0, "text": "Guten Morgen."})
        wrong = ("segment.delta", {"item": 0, "segment": 0, "text": " Sure! Here"})
        page_server.stream.scripts = [[*events[:4], wrong, replaced, *events[4:]]]
        page = visit(EN_DE)

        source(page).fill(MORNING.source)

        expect(translation(page)).to_have_text("Guten Morgen.")

    def test_the_whole_text_is_shown_where_its_sentences_do_not_add_up_to_it(
        self, visit: Visit, page_server: PageServer
    ) -> None:
        events = told([MORNING], "de-DE")
        events[-2] = ("item.done", events[-2][1] | {"translation": {"text": "Einen guten Morgen!", "findings": []}})
        page_server.stream.scripts = [events]
        page = visit(EN_DE)

        source(page).fill(MORNING.source)

        expect(translation(page)).to_have_text("Einen guten Morgen!")

    def test_a_new_text_ends_the_translation_of_the_old_one(self, visit: Visit, page_server: PageServer) -> None:
        page_server.stream.scripts = [[*told(SENTENCES, "de-DE")[:4], Hold()], told([MORNING], "de-DE")]
        page = visit(EN_DE)
        source(page).fill(TEXT)
        expect(translation(page)).to_have_text("Guten Morgen.")

        source(page).fill(MORNING.source)

        expect(translation(page)).to_have_attribute("aria-busy", "false")
        assert page_server.stream.left.wait(5)

    def test_a_long_text_waits_until_it_is_asked_for(self, visit: Visit, page_server: PageServer) -> None:
        page_server.stream.scripts = [told([MORNING], "de-DE")]
        page = visit(EN_DE)
        source(page).fill("Good morning. " * 400)

        expect(page.get_by_text("Characters: 5,600")).to_be_visible()
        assert page_server.stream.asked == []
        source(page).press("Control+Enter")

        expect(translation(page)).to_have_text("Guten Morgen.")

    def test_typing_in_a_hundred_thousand_characters_stays_fluid(self, visit: Visit) -> None:
        page = visit(EN_DE)
        source(page).focus()

        frames_ms = page.evaluate("""async () => {
            const area = document.activeElement;
            const painted = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
            area.value = "The quick brown fox jumps over the lazy dog.\\n".repeat(2222);
            area.dispatchEvent(new Event("input"));
            area.setSelectionRange(50000, 50000);
            await painted();
            const frames = [];
            for (let letter = 0; letter < 9; letter += 1) {
                const began = performance.now();
                document.execCommand("insertText", false, "x");
                await painted();
                frames.push(performance.now() - began);
            }
            return frames;
        }""")

        assert statistics.median(frames_ms) < 400  # a tenth of that on a quiet machine


class TestLanguages:
    @pytest.mark.parametrize(
        ("typed", "name"),
        [("japan", "Japanese"), ("日本", "Japanese"), ("turkce", "Turkish"), ("pt-PT", "European Portuguese")],
        ids=["English name", "native name", "without accents", "code"],
    )
    def test_one_is_chosen_by_search_with_the_keyboard(self, visit: Visit, typed: str, name: str) -> None:
        page = visit(EN_DE)

        target_language(page).focus()
        page.keyboard.type(typed)
        expect(page.get_by_role("listbox").get_by_role("option").first).to_contain_text(name)
        page.keyboard.press("Enter")

        expect(target_language(page)).to_have_value(name)
        expect(target_language(page)).to_have_attribute("aria-expanded", "false")

    def test_the_measured_ones_come_first_and_the_arrows_walk_through_them(self, visit: Visit) -> None:
        page = visit(EN_DE)

        target_language(page).focus()

        expect(page.get_by_role("group", name="Measured quality").get_by_role("option")).to_have_count(56)
        active = target_language(page).get_attribute("aria-activedescendant")
        expect(page.locator(f"#{active}")).to_have_text(re.compile("^German"))
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        expect(target_language(page)).to_have_value("Greek")
        assert "target=el-GR" in page.url

    def test_escape_leaves_the_choice_as_it_was(self, visit: Visit) -> None:
        page = visit(EN_DE)

        target_language(page).focus()
        page.keyboard.type("nothing of that name")
        expect(page.get_by_text("No language of that name or code.")).to_be_visible()
        page.keyboard.press("Escape")

        expect(target_language(page)).to_have_value("German")

    def test_swapping_makes_the_translation_the_text(self, visit: Visit, page_server: PageServer) -> None:
        page_server.stream.scripts = [told([MORNING], "de-DE"), told([MORNING], "en")]
        page = visit(EN_DE)
        source(page).fill(MORNING.source)
        expect(translation(page)).to_have_text("Guten Morgen.")

        page.keyboard.press("Control+Shift+S")

        expect(source(page)).to_have_value("Guten Morgen.")
        expect(source_language(page)).to_have_value("German")
        expect(target_language(page)).to_have_value("English")
        assert "source=de-DE&target=en" in page.url

    def test_the_address_names_the_languages_and_the_next_visit_has_them_again(
        self, visit: Visit, page_server: PageServer
    ) -> None:
        page = visit("/#translate?source=hu-HU&target=ja-JP")
        expect(source_language(page)).to_have_value("Hungarian")

        page.goto(page_server.url + "/docs")
        page.goto(page_server.url)

        expect(source_language(page)).to_have_value("Hungarian")
        expect(target_language(page)).to_have_value("Japanese")


class TestDirection:
    def test_an_arabic_translation_runs_from_right_to_left(self, visit: Visit) -> None:
        page = visit("/#translate?source=en&target=ar-EG")

        source(page).fill("Good morning.")

        expect(translation(page)).to_have_attribute("dir", "rtl")
        expect(source(page)).to_have_attribute("dir", "ltr")

    def test_the_page_speaks_arabic_from_right_to_left(self, visit: Visit) -> None:
        page = visit(EN_DE, locale="ar")

        expect(page.locator("html")).to_have_attribute("dir", "rtl")
        expect(page.get_by_role("button", name="ترجم", exact=True)).to_be_visible()

    def test_another_language_of_the_page_is_chosen_and_stays(self, visit: Visit) -> None:
        page = visit(EN_DE)

        page.get_by_role("combobox", name="Language of this page").select_option("de")
        expect(page.get_by_role("button", name="Übersetzen", exact=True)).to_be_visible()
        expect(target_language_in(page, "Übersetzen in")).to_have_value("Deutsch")
        page.reload()

        expect(page.get_by_role("button", name="Übersetzen", exact=True)).to_be_visible()


def target_language_in(page: Page, label: str) -> Locator:
    return page.get_by_role("combobox", name=label)


class TestSentences:
    @pytest.fixture
    def page(self, visit: Visit, page_server: PageServer) -> Page:
        page_server.stream.scripts = [told(SENTENCES, "de-DE")]
        page = visit(EN_DE)
        source(page).fill(TEXT)
        expect(translation(page)).to_have_text(GERMAN)
        expect(translation(page)).to_have_attribute("aria-busy", "false")
        return page

    def test_both_sides_of_one_light_up_together(self, page: Page) -> None:
        sentences(page).nth(1).hover()

        expect(page.locator(".mirror .lit")).to_have_text("The train leaves at 9.")
        source(page).hover(position={"x": 10, "y": 10})
        expect(translation(page).locator(".lit")).to_have_text("Guten Morgen.")

    def test_the_keyboard_walks_from_one_to_the_next(self, page: Page) -> None:
        sentences(page).first.focus()
        page.keyboard.press("ArrowRight")

        expect(sentences(page).nth(1)).to_be_focused()
        expect(page.locator(".mirror .lit")).to_have_text("The train leaves at 9.")

    def test_findings_and_doubt_are_shown_where_they_are(self, page: Page) -> None:
        expect(sentences(page).nth(1)).to_have_class(re.compile("faulty"))
        expect(sentences(page).nth(1)).to_have_attribute("aria-description", "A number differs")
        expect(sentences(page).nth(2)).to_have_class(re.compile("unsure"))

        page.get_by_role("button", name="To check: 2").click()

        about = page.get_by_role("dialog", name="About this sentence")
        expect(about).to_contain_text("The translation has 6 where the source has 9.")
        expect(about).to_contain_text("The engine was fairly sure (70 %).")
        page.keyboard.press("Escape")
        expect(about).to_be_hidden()
        expect(sentences(page).nth(1)).to_be_focused()

    def test_it_is_shown_for_as_long_as_the_pointer_rests_there(self, page: Page) -> None:
        about = page.get_by_role("dialog", name="About this sentence")
        sentences(page).nth(1).hover()
        expect(about).to_contain_text("The engine was fairly sure (70 %).")

        about.get_by_role("button", name="Show other translations").hover()
        page.wait_for_timeout(1000)
        expect(about).to_be_visible()
        source(page).hover(position={"x": 10, "y": 10})
        expect(about).to_be_hidden()

        sentences(page).nth(1).hover()
        expect(about).to_be_visible()
        page.keyboard.press("Escape")
        expect(about).to_be_hidden()

    def test_what_was_opened_stays_open_wherever_the_pointer_goes(self, page: Page) -> None:
        about = page.get_by_role("dialog", name="About this sentence")
        sentences(page).nth(1).click()
        source(page).hover(position={"x": 10, "y": 10})
        page.wait_for_timeout(1000)

        expect(about).to_be_visible()

    def test_another_translation_is_picked(self, page: Page) -> None:
        sentences(page).first.click()
        page.get_by_role("button", name="Show other translations").click()
        other = page.locator(".choice").nth(1)
        words = other.inner_text()
        other.click()

        expect(sentences(page).first).to_have_text(words)
        expect(sentences(page).first).to_be_focused()

    def test_the_whole_translation_is_copied(self, page: Page, page_server: PageServer) -> None:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=page_server.url)

        page.keyboard.press("Control+Shift+Enter")

        expect(page.get_by_role("button", name="Copied")).to_be_visible()
        assert page.evaluate("() => navigator.clipboard.readText()") == GERMAN


class TestOptions:
    def test_they_go_with_the_request_and_stay_for_the_next_visit(self, visit: Visit, page_server: PageServer) -> None:
        page_server.stream.scripts = [told([MORNING], "de-DE") for _ in range(5)]
        page = visit(EN_DE)
        page.get_by_text("Options", exact=True).click()
        page.get_by_label("Tone").select_option("More formal")
        page.get_by_label("Words to keep").fill("Dragoman, ACME")
        page.get_by_label("Leave nothing in the server’s memory").check()
        source(page).fill(MORNING.source)
        expect(translation(page)).to_have_text("Guten Morgen.")

        assert page_server.stream.asked[-1] == {
            "text": MORNING.source,
            "target": "de-DE",
            "formality": "prefer_more",
            "keep": ["Dragoman", "ACME"],
            "confidence": True,
            "no_store": True,
            "stream": True,
        }
        page.reload()
        page.get_by_text("Options", exact=True).click()
        expect(page.get_by_label("Words to keep")).to_have_value("Dragoman, ACME")

    def test_the_reader_is_told_what_the_engine_cannot_follow(self, visit: Visit) -> None:
        page = visit(EN_DE)
        page.get_by_text("Options", exact=True).click()
        page.get_by_label("Tone").select_option("Less formal")

        source(page).fill("We tell you what we cannot do.")

        expect(page.get_by_text("This engine cannot follow it.")).to_be_visible()


class TestHistory:
    def test_it_is_kept_in_the_browser_reopened_and_deleted(self, visit: Visit) -> None:
        page = visit(EN_DE)
        source(page).fill("Where is the station?")
        expect(sentences(page)).to_have_count(1)
        expect(translation(page)).to_have_attribute("aria-busy", "false")
        page.get_by_role("button", name="Clear").click()
        expect(sentences(page)).to_have_count(0)

        page.get_by_role("button", name="History").click()
        page.get_by_role("button", name=re.compile("English – German")).click()

        expect(source(page)).to_have_value("Where is the station?")
        page.get_by_role("button", name="History").click()
        page.get_by_role("button", name="Delete: Where is the station?").click()
        expect(page.get_by_text("Nothing yet. It is kept in this browser only.")).to_be_visible()
        assert page.evaluate("() => localStorage['dragoman.history']") == "[]"

    def test_a_text_that_grows_is_one_entry(self, visit: Visit, page_server: PageServer) -> None:
        page_server.stream.scripts = [told([MORNING], "de-DE"), told(SENTENCES, "de-DE")]
        page = visit(EN_DE)
        source(page).fill(MORNING.source)
        expect(translation(page)).to_have_text("Guten Morgen.")
        source(page).fill(TEXT)
        expect(translation(page)).to_have_text(GERMAN)
        expect(translation(page)).to_have_attribute("aria-busy", "false")

        assert [entry["text"] for entry in json.loads(page.evaluate("() => localStorage['dragoman.history']"))] == [
            TEXT
        ]

    def test_nothing_is_kept_for_who_does_not_want_it(self, visit: Visit) -> None:
        page = visit(EN_DE)
        page.get_by_role("button", name="History").click()
        page.get_by_label("Keep a history in this browser").uncheck()
        page.keyboard.press("Escape")

        source(page).fill("This is between us.")
        expect(sentences(page)).to_have_count(1)
        expect(translation(page)).to_have_attribute("aria-busy", "false")

        assert "between us" not in page.evaluate("() => JSON.stringify({...localStorage})")


class TestTrouble:
    def test_a_refusal_says_what_to_do_and_trying_again_helps(self, visit: Visit, page_server: PageServer) -> None:
        busy = Refusal(503, "50000 tokens wait already. Try again in 7 seconds.")
        page_server.stream.scripts = [busy, told([MORNING], "de-DE")]
        page = visit(EN_DE)
        source(page).fill(MORNING.source)
        expect(page.get_by_role("alert")).to_contain_text("The server is busy.")
        expect(page.get_by_role("alert")).to_contain_text("Try again in 7 seconds.")

        page.get_by_role("button", name="Try again").click()

        expect(translation(page)).to_have_text("Guten Morgen.")
        expect(page.get_by_role("alert")).to_be_empty()

    def test_a_failure_in_the_middle_keeps_what_was_written(self, visit: Visit, page_server: PageServer) -> None:
        failed = ("item.failed", {"item": 0, "error": {"status": 502, "message": "The engine simulated stopped."}})
        page_server.stream.scripts = [[*told(SENTENCES, "de-DE")[:5], failed]]
        page = visit(EN_DE)

        source(page).fill(TEXT)

        expect(page.get_by_role("alert")).to_contain_text("The engine could not translate this.")
        expect(page.get_by_role("alert")).to_contain_text("The engine simulated stopped.")
        expect(translation(page)).to_contain_text("Guten Morgen.")

    def test_a_key_is_asked_for_and_then_sent(self, visit: Visit, page_server: PageServer) -> None:
        page_server.stream.scripts = [Refusal(401, "This server asks for an API key."), told([MORNING], "de-DE")]
        page = visit(EN_DE)
        source(page).fill(MORNING.source)
        page.get_by_role("button", name="Give a key").click()

        with page.expect_request("**/v1/translate") as asked:
            page.get_by_label("API key", exact=True).and_(page.locator("input")).fill("drg_secret")
            page.get_by_role("button", name="Use this key").click()

        assert asked.value.headers["authorization"] == "Bearer drg_secret"
        expect(translation(page)).to_have_text("Guten Morgen.")

    def test_a_broken_connection_mends_itself(self, visit: Visit, page_server: PageServer) -> None:
        page_server.stream.scripts = [[*told(SENTENCES, "de-DE")[:5], Break()], told(SENTENCES, "de-DE")]
        page = visit(EN_DE)

        source(page).fill(TEXT)

        expect(page.get_by_role("alert")).to_contain_text("The connection broke off.")
        expect(translation(page)).to_have_text(GERMAN)

    def test_offline_the_text_stays_and_is_translated_on_return(self, visit: Visit) -> None:
        page = visit(EN_DE)
        page.context.set_offline(True)
        source(page).fill("We were in a tunnel.")
        expect(page.get_by_role("alert")).to_contain_text("You are offline.")

        page.context.set_offline(False)

        expect(sentences(page)).to_have_count(1)
        expect(page.get_by_role("alert")).to_be_empty()
        expect(source(page)).to_have_value("We were in a tunnel.")

    def test_a_silent_engine_is_told_of_after_four_seconds(self, visit: Visit, page_server: PageServer) -> None:
        hold = Hold()
        page_server.stream.scripts = [[hold, *told([MORNING], "de-DE")]]
        page = visit()
        page.clock.install()
        page.goto(page_server.url + EN_DE)
        source(page).fill(MORNING.source)
        page.clock.run_for(1000)
        expect(page.get_by_role("button", name="Stop")).to_be_visible()

        page.clock.run_for(4000)

        expect(page.get_by_role("status").get_by_text("No word from the engine yet.")).to_be_visible()
        hold.release()
        page.clock.resume()
        expect(translation(page)).to_have_text("Guten Morgen.")
        expect(page.get_by_text("No word from the engine yet.")).to_have_count(0)

    def test_stopping_ends_the_work_and_keeps_what_was_written(self, visit: Visit, page_server: PageServer) -> None:
        page_server.stream.left.clear()
        page_server.stream.scripts = [[*told(SENTENCES, "de-DE")[:5], Hold()], told(SENTENCES, "de-DE")]
        page = visit(EN_DE)
        source(page).fill(TEXT)
        expect(translation(page)).to_contain_text("Guten Morgen.")

        page.keyboard.press("Escape")

        expect(page.get_by_text("Stopped. What was written stays.")).to_be_visible()
        expect(translation(page)).to_contain_text("Guten Morgen.")
        assert page_server.stream.left.wait(5)
        page.get_by_role("button", name="Continue").click()
        expect(translation(page)).to_have_text(GERMAN)


class TestEverybody:
    @pytest.mark.parametrize("scheme", ["light", "dark"])
    @pytest.mark.parametrize("locale", ["en-GB", "ar"])
    def test_axe_finds_nothing_serious(self, visit: Visit, page_server: PageServer, scheme: str, locale: str) -> None:
        page_server.stream.scripts = [told(SENTENCES, "de-DE")]
        page = visit(EN_DE, color_scheme=scheme, locale=locale)
        assert serious(page) == []
        page.locator("textarea").fill(TEXT)
        expect(page.locator(".sheet")).to_have_text(GERMAN)
        page.locator(".sheet .sentence").nth(1).click()
        page.locator(".options summary").click()
        assert serious(page) == []
        page.keyboard.press("Control+Shift+L")
        assert serious(page) == []
        page.keyboard.press("Escape")
        page.keyboard.press("Control+/")
        assert serious(page) == []

    def test_axe_finds_nothing_serious_in_a_failure(self, visit: Visit, page_server: PageServer) -> None:
        page_server.stream.scripts = [Refusal(413, "The text has 300000 characters; at most 200000 are taken.")]
        page = visit(EN_DE)
        source(page).fill(TEXT)
        expect(page.get_by_role("alert")).to_contain_text("The text is too long.")

        assert serious(page) == []

    @pytest.mark.parametrize("locale", ["en-GB", "de", "es", "fr", "zh", "ja", "ar"])
    def test_all_is_within_reach_on_a_narrow_phone(self, visit: Visit, page_server: PageServer, locale: str) -> None:
        page_server.stream.scripts = [told(SENTENCES, "de-DE")]
        page = visit(EN_DE, locale=locale, viewport={"width": 360, "height": 640})
        page.locator("textarea").fill(TEXT)
        expect(page.locator(".sheet")).to_have_text(GERMAN)
        page.locator(".options summary").click()

        assert page.evaluate("() => document.documentElement.scrollWidth") == 360
        for control in page.locator("main button, main input, main select, header button, header select").all():
            if control.is_visible():
                control.scroll_into_view_if_needed()
                box = control.bounding_box()
                assert box is not None
                assert box["x"] >= 0
                assert box["x"] + box["width"] <= 360

    def test_colours_follow_the_switch(self, visit: Visit) -> None:
        page = visit(EN_DE, color_scheme="light")
        switch = page.get_by_role("button", name=re.compile("^Colours"))
        light = background(page)

        switch.click()
        assert background(page) == light
        switch.click()

        assert background(page) != light
        expect(page.get_by_role("button", name="Colours: dark")).to_be_visible()

    def test_the_shortcuts_are_listed(self, visit: Visit) -> None:
        page = visit(EN_DE)

        page.keyboard.press("Control+/")

        expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_contain_text("Translate now")

    def test_nothing_moves_for_who_does_not_want_it(self, visit: Visit, page_server: PageServer) -> None:
        page_server.stream.scripts = [[*told(SENTENCES, "de-DE")[:3], Hold()]]
        page = visit(EN_DE, reduced_motion="reduce")
        source(page).fill(TEXT)
        expect(translation(page)).to_contain_text("Guten")

        assert page.evaluate("() => document.getAnimations().filter((one) => one instanceof CSSAnimation).length") == 0


class TestWords:
    def test_every_language_has_the_same_phrases_with_the_same_holes(self) -> None:
        english = dictionary(PAGE / "words" / "en.json")

        for file in sorted((PAGE / "words").glob("*.json")):
            words = dictionary(file)
            assert list(words) == list(english), file.name
            for key, phrase in words.items():
                assert holes(phrase) == holes(english[key]), f"{file.name}: {key}"


def dictionary(file: Path) -> dict[str, str]:
    words: dict[str, str] = json.loads(file.read_text())
    return words


def holes(phrase: str) -> set[str]:
    return set(re.findall(r"\{\w+\}", phrase))


def background(page: Page) -> str:
    colour: str = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    return colour


def serious(page: Page) -> list[str]:
    """What axe-core finds that keeps people out, with the elements it is about."""
    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {node['html']}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]

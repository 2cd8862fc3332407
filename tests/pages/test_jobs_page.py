"""The jobs of the page, in a real browser, against a real server."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from playwright.sync_api import FilePayload, Locator, Page, Request, Route, expect

from tests.pages.conftest import Visit
from tests.pages.everybody import PHONE, out_of_reach, serious

AT = "/#jobs"
PRODUCTS = "sku;title;price\n1;A red mug;9.90\n2;A blue kettle;24.50\n3;;14.00\n"
JOB = {
    "id": "1",
    "filename": "products.csv",
    "state": "running",
    "reason": "",
    "rows": 2000,
    "done": 1000,
    "ok": 900,
    "passthrough": 60,
    "error": 40,
    "cells": 1200,
    "cells_total": 2000,
    "tokens": {"prompt": 1, "cached": 0, "output": 1},
    "remembered": 0.25,
    "rate_rows_per_s": 350.4,
    "created_at": "2026-11-22T20:31:13Z",
    "columns": ["title"],
    "targets": ["de"],
}


def table(name: str, text: str) -> FilePayload:
    return {"name": name, "mimeType": "", "buffer": text.encode()}


def hand_in(page: Page, file: FilePayload) -> None:
    page.locator("#view-jobs input[type=file]").set_input_files(file)


def row(page: Page, name: str = "products.csv") -> Locator:
    return page.get_by_role("list", name="Your jobs").get_by_role("listitem").filter(has_text=name)


def tell(page: Page, *jobs: dict[str, Any]) -> None:
    """The server says that these are all jobs, and of each one that nothing is new."""
    page.route("**/v1/jobs", lambda route: route.fulfill(json={"jobs": jobs}))
    page.route("**/v1/jobs/*/events", lambda route: follow(route, ("progress", jobs[0])))


def follow(route: Route, *events: tuple[str, dict[str, Any]]) -> None:
    body = "".join(f"event: {name}\ndata: {json.dumps(data)}\n\n" for name, data in events)
    route.fulfill(content_type="text/event-stream", body=body)


def facts(page: Page) -> dict[str, str]:
    return dict(text.split("\n") for text in row(page).locator(".fact").all_inner_texts())


class TestStarting:
    def test_a_csv_goes_through_the_chosen_columns_and_comes_back_in_every_format(self, visit: Visit) -> None:
        page = visit(AT)
        hand_in(page, table("products.csv", PRODUCTS))
        assert page.get_by_role("checkbox", name="title").is_checked()
        assert not page.get_by_role("checkbox", name="price").is_checked()
        expect(page.locator(".column").filter(has_text="title")).to_contain_text("A red mug · A blue kettle")

        page.get_by_role("button", name="Start").click()

        expect(row(page)).to_contain_text("Done")
        assert facts(page) == {"Rows": "3 of 3", "Translated": "2", "Nothing to translate": "1"}
        assert [one["title"] for one in downloaded(page, "CSV")] == ["A red mug", "A blue kettle", ""]
        for name in ("JSON Lines", "Parquet", "TMX"):
            with page.expect_download() as download:
                page.get_by_role("button", name=f"Download products.csv, {name}").click()
            assert Path(download.value.path()).stat().st_size > 0

    def test_it_goes_into_several_languages_as_far_as_the_limit(self, visit: Visit) -> None:
        page = visit(AT)
        hand_in(page, table("limited.csv", PRODUCTS))
        page.get_by_role("combobox", name="Add a language").fill("ja")
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Remove German").click()
        page.get_by_role("combobox", name="Add a language").fill("it")
        page.keyboard.press("Enter")
        page.get_by_label("First rows only").fill("1")

        page.keyboard.press("Enter")

        expect(row(page, "limited.csv")).to_contain_text("title → Japanese, Italian")
        expect(row(page, "limited.csv")).to_contain_text("1 of 1")

    def test_json_lines_are_offered_by_the_paths_of_their_texts(self, visit: Visit) -> None:
        page = visit(AT)
        lines = [
            {"title": {"long": "A red mug"}, "tags": ["x"], "n": 1},
            {"title": {"long": "B"}, "note": "Fragile, please"},
        ]

        hand_in(page, table("nested.jsonl", "\n".join(map(json.dumps, lines)) + '\n{"cut'))
        offered = page.locator(".column .name")
        expect(offered).to_have_text(["title.long", "note"])
        page.get_by_role("button", name="Discard").click()

        expect(page.get_by_role("button", name="Choose a table")).to_be_focused()

    def test_the_columns_of_a_parquet_file_are_named(self, visit: Visit, tmp_path: Path) -> None:
        pq.write_table(pa.table({"title": ["A red mug"], "sku": ["1"]}), tmp_path / "products.parquet")
        page = visit(AT)
        page.locator("#view-jobs input[type=file]").set_input_files(tmp_path / "products.parquet")
        names = page.get_by_label("Names of the columns")
        expect(page.get_by_role("button", name="Start")).to_be_disabled()
        names.fill("titel")
        page.get_by_role("button", name="Start").click()
        expect(page.get_by_role("alert").first).to_contain_text("There is no column 'titel'")

        names.fill("title")
        page.get_by_role("button", name="Start").click()

        expect(row(page, "products.parquet")).to_contain_text("Done")

    def test_the_same_table_sent_twice_over_a_bad_line_is_one_job(self, visit: Visit) -> None:
        keys: list[str | None] = []

        def broken_once(route: Route) -> None:
            if route.request.method == "POST":
                keys.append(route.request.headers.get("idempotency-key"))
                if len(keys) == 1:
                    return route.abort()
            return route.continue_()

        page = visit(AT)
        page.route("**/v1/jobs", broken_once)
        hand_in(page, table("twice.csv", PRODUCTS))
        page.get_by_role("button", name="Start").click()

        expect(row(page, "twice.csv")).to_contain_text("Done")
        assert len(keys) == 2
        assert keys[0] == keys[1]

    def test_where_tables_cannot_be_read_the_form_says_what_is_missing(self, visit: Visit) -> None:
        page = visit(AT)
        problem = {"title": "Not installed", "detail": "Jobs need the extra 'jobs': pip install 'dragoman[jobs]'"}
        page.route("**/v1/jobs", lambda route: fulfil_problem(route, 501, problem))
        hand_in(page, table("products.csv", PRODUCTS))

        page.get_by_role("button", name="Start").click()

        expect(page.get_by_role("alert").first).to_contain_text("This server cannot do that.")
        expect(page.get_by_role("alert").first).to_contain_text("dragoman[jobs]")


class TestFollowing:
    def test_rows_speed_time_and_outcome_are_told_while_it_runs(self, visit: Visit) -> None:
        page = visit()
        tell(page, JOB | {"seconds_remaining": 240})

        page.get_by_role("link", name="Tables").click()

        expect(row(page)).to_contain_text("Translating, 4 min")
        expect(row(page).get_by_role("progressbar")).to_have_attribute("aria-valuenow", "60")
        assert facts(page) == {
            "Rows": "1,000 of 2,000",
            "Translated": "900",
            "Nothing to translate": "60",
            "Failed": "40",
            "Texts": "1,200 of 2,000",
            "From memory": "25%",
            "Speed": "350 rows/s",
        }

    def test_a_paused_job_says_why_and_goes_on_when_it_is_asked_to(self, visit: Visit) -> None:
        page = visit()
        asked: list[str] = []
        reason = "The engine has not answered for 5 minutes."
        tell(page, JOB | {"state": "paused", "reason": reason})
        page.route("**/v1/jobs/1/resume", lambda route: answer(route, asked, JOB | {"state": "planned"}))
        page.get_by_role("link", name="Tables").click()
        expect(row(page)).to_contain_text("Paused")
        expect(row(page)).to_contain_text(reason)
        expect(row(page)).to_contain_text("Download what there is")

        row(page).get_by_role("button", name="Resume").click()

        expect(row(page)).to_contain_text("Waiting for its turn")
        assert asked == ["/v1/jobs/1/resume"]

    def test_rows_that_failed_can_be_tried_again(self, visit: Visit) -> None:
        page = visit()
        asked: list[str] = []
        done = JOB | {
            "state": "done",
            "done": 2000,
            "ok": 1960,
            "passthrough": 0,
            "finished_at": "2026-11-22T21:00:00Z",
        }
        tell(page, done)
        page.route("**/v1/jobs/1/retry-failed", lambda route: answer(route, asked, JOB | {"state": "planned"}))
        page.get_by_role("link", name="Tables").click()

        row(page).get_by_role("button", name="Retry failed rows").click()

        expect(row(page)).to_contain_text("Waiting for its turn")
        assert asked == ["/v1/jobs/1/retry-failed"]

    def test_a_stream_that_breaks_is_taken_up_again(self, visit: Visit) -> None:
        page = visit()
        tell(page, JOB)
        page.get_by_role("link", name="Tables").click()
        expect(page.get_by_role("alert").last).to_contain_text("The connection broke off.")

        done = JOB | {"state": "done", "finished_at": "2026-11-22T21:00:00Z"}
        page.unroute_all()
        tell(page, done)

        expect(row(page)).to_contain_text("Done, ")
        expect(page.get_by_role("alert").last).to_be_empty()

    def test_nothing_is_followed_while_another_view_is_looked_at(self, visit: Visit) -> None:
        page = visit()
        page.route("**/v1/jobs", lambda route: route.fulfill(json={"jobs": [JOB]}))
        waiting: list[Route] = []
        page.route("**/v1/jobs/*/events", lambda route: waiting.append(route))
        with page.expect_request("**/v1/jobs/1/events"):
            page.get_by_role("link", name="Tables").click()

        with page.expect_event("requestfailed", predicate=is_stream):
            page.get_by_role("link", name="Translate", exact=True).click()

    def test_a_real_job_is_cancelled_resumed_and_deleted(self, visit: Visit) -> None:
        page = visit(AT)
        lines = "".join(f"{number},The mug number {number} holds {number} ml\n" for number in range(20_000))
        hand_in(page, table("long.csv", f"sku,title\n{lines}"))
        page.get_by_role("button", name="Start").click()
        long = row(page, "long.csv")
        for act in ("Cancel job long.csv", "Resume", "Cancel job long.csv", "Delete job long.csv"):
            long.get_by_role("button", name=act).click()
            if act != "Resume":
                page.get_by_role("dialog").get_by_role("button", name=act.removesuffix(" long.csv")).click()

        expect(long).to_have_count(0)

    def test_a_reader_who_thinks_better_of_it_keeps_the_job(self, visit: Visit) -> None:
        page = visit()
        tell(page, JOB | {"state": "done"})
        page.get_by_role("link", name="Tables").click()

        row(page).get_by_role("button", name="Delete job").click()
        page.get_by_role("dialog").get_by_role("button", name="Back").click()

        expect(row(page)).to_be_visible()
        expect(row(page).get_by_role("button", name="Delete job")).to_be_focused()

    def test_a_server_without_jobs_says_so_kindly(self, visit: Visit) -> None:
        page = visit()
        page.route("**/v1/jobs", lambda route: fulfil_problem(route, 404, {"title": "Not found"}))

        page.get_by_role("link", name="Tables").click()

        expect(page.get_by_text("This server takes no tables.")).to_be_visible()
        expect(page.get_by_role("button", name="Choose a table")).to_be_hidden()


class TestEverybody:
    @pytest.mark.parametrize(("locale", "scheme"), [("en-GB", "light"), ("ar", "dark")])
    def test_axe_finds_nothing_serious(self, visit: Visit, locale: str, scheme: str) -> None:
        page = visit(locale=locale, color_scheme=scheme)
        tell(
            page, JOB | {"state": "paused", "reason": "The engine does not answer."}, JOB | {"id": "2", "state": "done"}
        )
        page.goto(f"{page.url.split('#')[0]}#jobs")
        expect(page.locator("[data-state=paused]")).to_be_visible()
        assert serious(page) == []

        hand_in(page, table("products.csv", PRODUCTS))

        expect(page.locator(".job-form")).to_be_visible()
        assert serious(page) == []

    @pytest.mark.parametrize("locale", ["de", "fr", "ar"])
    def test_all_is_within_reach_on_a_narrow_phone(self, visit: Visit, locale: str) -> None:
        page = visit(locale=locale, viewport=PHONE)
        tell(page, JOB | {"state": "paused"}, JOB | {"id": "2", "state": "done"})
        page.goto(f"{page.url.split('#')[0]}#jobs")
        hand_in(page, table("a-very-long-name-of-a-table-without-any-room-for-it-on-a-phone.csv", PRODUCTS))
        expect(page.locator(".job-form")).to_be_visible()
        expect(page.locator("[data-state=paused]")).to_be_visible()

        assert out_of_reach(page) == []


def answer(route: Route, asked: list[str], job: dict[str, Any]) -> None:
    asked.append(route.request.url.partition("/v1/")[1] + route.request.url.partition("/v1/")[2])
    route.fulfill(json=job)


def fulfil_problem(route: Route, status: int, problem: dict[str, str]) -> None:
    if status == 501 and route.request.method == "GET":
        return route.fulfill(json={"jobs": []})
    return route.fulfill(status=status, content_type="application/problem+json", body=json.dumps(problem))


def is_stream(request: Request) -> bool:
    return request.url.endswith("/events")


def downloaded(page: Page, name: str) -> Sequence[dict[str, str]]:
    with page.expect_download() as download:
        page.get_by_role("button", name=f"Download products.csv, {name}").click()
    text = Path(download.value.path()).read_text()
    rows = list(csv.DictReader(io.StringIO(text), delimiter=";" if ";" in text.split("\n")[0] else ","))
    assert all(one["title_de-DE"].startswith("ⓓⓔ") for one in rows if one["title"])
    return rows

"""Documents, tables and glossaries. What takes a while is told by a scripted server, all else by the real one."""

from __future__ import annotations

import json
import time
from typing import Any

from playwright.sync_api import Page, Route, expect

from tests.pages.pictures import Camera
from tests.pages.test_documents_page import file
from tests.pages.test_jobs_page import JOB, hand_in, table

DOCUMENTS: dict[str, dict[str, Any]] = {
    "harbour-guide.html": {"state": "translating", "seconds_remaining": 150},
    "opening-hours.json": {"state": "queued"},
    "ferry-trailer.srt": {"state": "done", "findings": {"number": 2, "untranslated": 1}},
    "house-rules.md": {"state": "done"},
}
WORKED_MS = 230_000
"""How long ago the document that is being translated was begun."""

CATALOGUE = (
    "sku,title,description\n"
    "10-231,Enamel mug,A red mug that survives a fall from the table.\n"
    "10-232,Whistling kettle,Holds two litres and whistles when the water boils.\n"
    '10-240,Cast-iron pan,"Heavy, and better with every year."\n'
)
JOBS = [
    JOB
    | {
        "filename": "catalogue-autumn.csv",
        "rows": 48_000,
        "done": 21_460,
        "ok": 20_118,
        "passthrough": 1_320,
        "error": 22,
        "cells": 26_900,
        "cells_total": 52_300,
        "rate_rows_per_s": 96.2,
        "seconds_remaining": 276,
        "columns": ["title", "description"],
        "targets": ["de", "fr"],
    },
    JOB
    | {
        "id": "2",
        "filename": "reviews.parquet",
        "state": "paused",
        "reason": "The engine has not answered for 5 minutes. Start it again, then resume the job.",
        "rows": 120_000,
        "done": 64_200,
        "ok": 63_950,
        "passthrough": 250,
        "error": 0,
        "cells": 64_200,
        "cells_total": 118_000,
        "remembered": 0.31,
        "rate_rows_per_s": 0,
        "columns": ["review"],
        "targets": ["en"],
    },
    JOB
    | {
        "id": "3",
        "filename": "support-macros.jsonl",
        "state": "done",
        "rows": 1_240,
        "done": 1_240,
        "ok": 1_236,
        "passthrough": 4,
        "error": 0,
        "finished_at": "2026-11-22T09:41:00Z",
        "columns": ["reply.text"],
        "targets": ["es", "ja", "ar"],
    },
]

TERMS = {
    "baking tray": "Backblech",
    "cast-iron pan": "Gusseisenpfanne",
    "colander": "Seiher",
    "cutting board": "Schneidebrett",
    "dishwasher-safe": "spülmaschinenfest",
    "enamel mug": "Emaillebecher",
    "kettle": "Wasserkessel",
    "ladle": "Schöpfkelle",
    "non-stick": "antihaftbeschichtet",
    "saucepan": "Stieltopf",
    "simmer": "sieden lassen",
    "whisk": "Schneebesen",
}
GLOSSARIES: list[dict[str, Any]] = [
    {
        "name": "Kitchen",
        "dictionaries": [
            {"source": "en", "target": "de", "entries": TERMS},
            {"source": "en", "target": "fr", "entries": {"kettle": "bouilloire", "whisk": "fouet"}},
        ],
    },
    {"name": "Harbour", "dictionaries": [{"source": "en", "target": "de", "entries": {"berth": "Liegeplatz"}}]},
]


def take_all(camera: Camera) -> None:
    _take_documents(camera)
    _take_jobs(camera)
    _take_glossaries(camera)


def _take_documents(camera: Camera) -> None:
    with camera.window() as page:
        page.goto("/#documents")
        expect(page.get_by_text("Kinds:")).to_be_visible()
        camera.take(page, "documents-empty")
    with camera.window() as page:
        since = int(time.time() * 1000) - WORKED_MS
        kept = [{"id": name, "filename": name, "source": "en", "target": "de", "since": since} for name in DOCUMENTS]
        page.add_init_script(f"localStorage.setItem('dragoman.documents', {json.dumps(json.dumps(kept))})")
        page.route("**/v1/documents/*", _tell_document)
        page.goto("/#documents")
        expect(page.locator("[data-state=done]")).to_have_count(2)
        page.locator("#view-documents input[type=file]").set_input_files([file("photo.png", "x")])
        expect(page.locator("[data-state=refused]")).to_be_visible()
        camera.take(page, "documents")


def _tell_document(route: Route) -> None:
    name = route.request.url.rpartition("/")[2]
    route.fulfill(json={"id": name, "filename": name, "passages": 46, "failed": 0, "findings": {}} | DOCUMENTS[name])


def _take_jobs(camera: Camera) -> None:
    following: list[Route] = []
    with camera.window() as page:
        page.route("**/v1/jobs", lambda route: route.fulfill(json={"jobs": JOBS}))
        # Nothing is new, and the connection stays.
        page.route("**/v1/jobs/*/events", lambda route: following.append(route))
        page.goto("/#jobs")
        expect(page.locator("[data-state=paused]")).to_be_visible()
        camera.take(page, "jobs")
        for route in following:
            route.abort()
    with camera.window() as page:
        page.goto("/#jobs")
        hand_in(page, table("catalogue-autumn.csv", CATALOGUE))
        _add_target(page, "fr")
        camera.take(page, "jobs-new")


def _add_target(page: Page, code: str) -> None:
    page.get_by_role("combobox", name="Add a language").fill(code)
    page.keyboard.press("Enter")
    page.get_by_role("checkbox", name="title").focus()


def _take_glossaries(camera: Camera) -> None:
    with camera.window() as page:
        for glossary in GLOSSARIES:
            page.request.post("/v1/glossaries", data=glossary)
        page.goto("/#glossaries")
        page.get_by_role("list", name="Your glossaries").get_by_role("button", name="Kitchen").click()
        expect(page.get_by_role("textbox", name=f"English, row {len(TERMS)}", exact=True)).to_have_value("whisk")
        camera.take(page, "glossaries")

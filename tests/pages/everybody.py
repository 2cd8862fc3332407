"""What holds for everybody who looks at a view: axe-core finds nothing serious, and a narrow phone shows all of it."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

PHONE = {"width": 360, "height": 640}


def serious(page: Page) -> list[str]:
    """What axe-core finds that keeps people out, with the elements it is about."""
    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {node['html']}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


def out_of_reach(page: Page) -> list[str]:
    """The controls that stand beyond the edges of a phone, and the page itself where it scrolls sideways."""
    wide = page.evaluate("() => document.documentElement.scrollWidth") > PHONE["width"]
    controls = page.locator("main :is(button, input, select)").filter(visible=True)
    beyond: list[str] = controls.evaluate_all(
        """(controls, width) => controls.filter((control) => {
            const box = control.getBoundingClientRect();
            return box.left < 0 || box.right > width;
        }).map((control) => control.outerHTML)""",
        PHONE["width"],
    )
    return beyond + ["the page scrolls sideways"] * wide

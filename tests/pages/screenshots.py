"""Writes the pictures of the page that the documents show: `python -m tests.pages.screenshots docs/images`.

A real server over a real engine does the work, unless a state needs an answer that stands still or takes an hour.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, expect, sync_playwright

from tests.clients.serving import running_server
from tests.pages import pictures_status, pictures_talk, pictures_tasks, pictures_translate
from tests.pages.conftest import CHROMIUM, FLAGS
from tests.pages.pictures import PATIENCE_MS, Camera
from tests.pages.scripted_stream import ScriptedStream


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--engine", default="llamacpp://bundled")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as data:
        asyncio.run(pictures_talk.remember_phrases(Path(data)))
        with _camera(Path(data), arguments.engine, arguments.folder) as camera:
            pictures_translate.take_all(camera)
            pictures_tasks.take_all(camera)
            pictures_talk.take_all(camera)
            pictures_status.take_all(camera)


@contextmanager
def _camera(data: Path, engine: str, folder: Path) -> Iterator[Camera]:
    streams: list[ScriptedStream] = []

    def scripted(app: Any) -> ScriptedStream:  # noqa: ANN401 - an ASGI app
        streams.append(ScriptedStream(app))
        return streams[0]

    expect.set_options(timeout=PATIENCE_MS)
    with _browser() as browser, running_server(data, engine, wrapped=scripted) as url:
        yield Camera(browser, url, streams[0], folder)


@contextmanager
def _browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


if __name__ == "__main__":
    main()

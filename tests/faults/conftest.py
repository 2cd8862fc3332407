from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import uvloop

from dragoman.languages import all_languages
from dragoman.text.detect import detect
from tests.faults.service import Opener, opener


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> Mapping[str, Callable[[], uvloop.Loop]]:
    """The loop that serves in production."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="session", autouse=True)
def language_data() -> None:
    """As `dragoman serve` does before it listens: no request waits for it."""
    detect("Which language is this?")
    all_languages()


@pytest.fixture
def open_service(tmp_path: Path) -> Opener:
    return opener(tmp_path)

from __future__ import annotations

import pytest
from starlette.applications import Starlette

from tests.server.scripted import ScriptedTranslator, app_over


@pytest.fixture
async def translator() -> ScriptedTranslator:
    return ScriptedTranslator()


@pytest.fixture
async def app(translator: ScriptedTranslator) -> Starlette:
    return app_over(translator)

"""What every dialect is tested over."""

from __future__ import annotations

import pytest

from tests.server.dialects.dialect_app import Doorkeeper, Speaker


@pytest.fixture
def translator() -> Speaker:
    return Speaker()


@pytest.fixture
def gate() -> Doorkeeper:
    return Doorkeeper()

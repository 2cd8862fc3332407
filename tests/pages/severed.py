"""A wire to a server that can be cut, so that what hangs on it breaks off as it does with a real network."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

CHUNK_BYTES = 65_536


class Wire:
    """Relays TCP to a server. A context manager. Mutable state: whether it is cut, and the sockets that are open."""

    def __init__(self, server_url: str) -> None:
        server = urlsplit(server_url)
        self._server = (server.hostname or "", server.port or 80)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._is_cut = False
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _shut(self._listener)
        self.cut()

    def cut(self) -> None:
        """Break all connections, and every new one until it is mended."""
        with self._lock:
            self._is_cut = True
            for one in self._open:
                _shut(one)

    def mend(self) -> None:
        self._is_cut = False

    def _accept(self) -> None:
        with self._listener, suppress(OSError):  # it is shut down at the end
            while True:
                near, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=[near], daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        with near, socket.create_connection(self._server) as far:
            with self._lock:
                if self._is_cut:
                    return
                self._open |= {near, far}
            back = threading.Thread(target=_pump, args=[far, near], daemon=True)
            back.start()
            _pump(near, far)
            back.join()
            with self._lock:
                self._open -= {near, far}


def _pump(source: socket.socket, target: socket.socket) -> None:
    """Pass on what comes until either end is shut."""
    with suppress(OSError):
        while data := source.recv(CHUNK_BYTES):
            target.sendall(data)
    _shut(source)
    _shut(target)


def _shut(one: socket.socket) -> None:
    with suppress(OSError):  # it was shut already
        one.shutdown(socket.SHUT_RDWR)

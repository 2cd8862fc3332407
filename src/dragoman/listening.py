"""The socket a server listens on."""

from __future__ import annotations

import errno
import socket

from dragoman.errors import ConfigurationError

BACKLOG = 4096

_REASONS = {
    errno.EADDRINUSE: "another program listens there; stop it or choose another with --port",
    errno.EACCES: "ports below 1024 need rights this user does not have; choose another with --port",
    errno.EADDRNOTAVAIL: "this machine has no such address; see --host",
}


def listen(host: str, port: int) -> socket.socket:
    """Listen on an address; port 0 takes a free one. Raises ConfigurationError that says what is in the way."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        reason = _REASONS.get(error.errno or 0, error.strerror or str(error))
        raise ConfigurationError(f"Cannot listen on {host} port {port}: {reason}.") from error
    # Accepted sockets inherit it. asyncio would set it only on sockets that name their protocol, which these do not;
    # without it a short answer waits 40 ms for the client's delayed acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def address_of(listener: socket.socket) -> str:
    """The base URL of a listening socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

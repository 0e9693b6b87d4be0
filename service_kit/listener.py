"""A listening socket that closes without resetting connections.

Closing a listener resets connections that are not accepted yet. Such a client may have sent its request, and
cannot know whether it was started. Accepting all of them first is not enough: another client may connect before
the listener is closed.
"""

from __future__ import annotations

import contextlib
import socket
import sys

BACKLOG = 2048

_SO_BINDTOIFINDEX = 62  # linux/asm-generic/socket.h; Python has the name from 3.14 on
_NO_INTERFACE = 2**31 - 1


def listen(host: str, port: int) -> socket.socket:
    """A bound socket for asyncio to listen on.

    Raises:
        SystemExit: the address or the port is not available.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        sys.exit(f"Can't listen on {host}:{port}: {error.strerror}.")
    return listener


def refuse_new(listener: socket.socket) -> None:
    """Refuse new connections. Connections in handshake complete and can be accepted one round trip later.

    The listener is bound to an interface that does not exist, so the kernel refuses every SYN as on a closed port.
    Later packets belong to connections that were made before, on any interface.
    """
    try:
        listener.setsockopt(socket.SOL_SOCKET, _SO_BINDTOIFINDEX, _NO_INTERFACE)
    except OSError:  # before Linux 5.7, or not Linux: a backlog of 0 drops all but one
        listener.listen(0)


def accept_all(listener: socket.socket) -> list[socket.socket]:
    """Accept all pending connections."""
    waiting: list[socket.socket] = []
    with contextlib.suppress(BlockingIOError):
        while True:
            waiting.append(listener.accept()[0])
    return waiting

"""A listening socket that closes without resetting anybody.

Closing one resets who has connected and is not accepted yet: such a client has sent its request, and can't know
whether it was begun. Emptying the queue first is not enough, as the next connection may come in between.
"""

from __future__ import annotations

import contextlib
import ctypes
import socket
import struct
import sys

BACKLOG = 2048

_SO_ATTACH_FILTER = 26  # linux/asm-generic/socket.h; Python does not name it
_FLAGS_OFFSET, _SYN = 13, 0x02  # of a TCP header
_DROP, _KEEP = 0, 0xFFFF
_DROP_SYN = (  # linux/filter.h: code, jump if true, jump if false, operand
    (0x30, 0, 0, _FLAGS_OFFSET),  # load that byte
    (0x45, 0, 1, _SYN),  # is this bit set?
    (0x06, 0, 0, _DROP),
    (0x06, 0, 0, _KEEP),
)


def listen(host: str, port: int) -> socket.socket:
    """A socket that is bound, for asyncio to listen on.

    Raises:
        SystemExit: the port can't be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        sys.exit(f"Can't listen on {host}:{port}: {error.strerror}.")
    return listener


def turn_away(listener: socket.socket) -> None:
    """Begin no more connections; those that are begun still come in, and can be accepted a round trip later.

    The kernel drops the first packet of a new one. Its client sends that again after a second, and is answered by
    the next process, or refused: either way it knows that nothing was begun.
    """
    if sys.platform == "linux":
        program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in _DROP_SYN))
        with contextlib.suppress(OSError):  # a kernel that only resembles Linux
            listener.setsockopt(
                socket.SOL_SOCKET,
                _SO_ATTACH_FILTER,
                struct.pack("HP", len(_DROP_SYN), ctypes.addressof(program)),
            )
            return
    listener.listen(0)  # the next best: all but one of them are dropped


def accept_all(listener: socket.socket) -> list[socket.socket]:
    """Those that wait to be accepted."""
    waiting: list[socket.socket] = []
    with contextlib.suppress(BlockingIOError):
        while True:
            waiting.append(listener.accept()[0])
    return waiting

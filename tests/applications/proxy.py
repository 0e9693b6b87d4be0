"""A TCP proxy that treats its clients badly, as networks and busy services do."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus

HOST = "127.0.0.1"
_SECONDS = 30.0
_PIECE = 4096
_SLOW_PIECE, _PAUSE_SECONDS = 256, 0.02  # 12 KiB a second; the gateway's least is 8

Treat = Callable[["Proxy", socket.socket], None]


@dataclass
class Proxy:
    """`first` holds what is done to the first connections, one each; the others pass."""

    target: int
    is_slow: bool = False
    first: list[Treat] = field(default_factory=list)
    connections: int = 0
    over: threading.Event = field(default_factory=threading.Event)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def serve(self, wire: socket.socket) -> None:
        wire.settimeout(_SECONDS)
        treat = self.first[self.connections] if self.connections < len(self.first) else Proxy.forward
        self.connections += 1
        threading.Thread(target=treat, args=(self, wire), daemon=True).start()

    def forward(self, wire: socket.socket) -> None:
        with wire, socket.create_connection((HOST, self.target), timeout=_SECONDS) as behind:
            other = {wire: behind, behind: wire}
            with contextlib.suppress(OSError):  # either side has gone
                while not self.over.is_set():
                    for ready in select.select([wire, behind], [], [], 0.1)[0]:
                        data = ready.recv(_SLOW_PIECE if self.is_slow else _PIECE)
                        if not data:
                            return
                        if self.is_slow:
                            self.over.wait(_PAUSE_SECONDS)
                        other[ready].sendall(data)


def drop(_proxy: Proxy, wire: socket.socket) -> None:
    """Take the whole request, and reset the connection."""
    with wire:
        _take_request(wire)
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def answering(status: int) -> Treat:
    """Take the whole request, and answer with this status and Retry-After."""
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", "Retry-After: 1", "Content-Length: 0"]
    head = "\r\n".join([*lines, "Connection: close", "", ""])

    def treat(_proxy: Proxy, wire: socket.socket) -> None:
        with wire:
            _take_request(wire)
            wire.sendall(head.encode())

    return treat


busy = answering(429)


def _take_request(wire: socket.socket) -> None:
    with wire.makefile("rb") as request:
        head = iter(lambda: request.readline().lower().strip(), b"")
        fields = dict(line.partition(b":")[::2] for line in head)
        request.read(int(fields[b"content-length"]))  # no client here sends chunks


@contextlib.contextmanager
def proxied(target: int, *first: Treat, slow: bool = False) -> Iterator[Proxy]:
    """In front of the service at this port."""
    proxy = Proxy(target, slow, list(first))
    with socket.create_server((HOST, 0)) as listener:
        proxy.port = listener.getsockname()[1]
        listener.settimeout(0.1)

        def accept() -> None:
            while not proxy.over.is_set():
                with contextlib.suppress(TimeoutError):
                    proxy.serve(listener.accept()[0])

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            proxy.over.set()
            thread.join(_SECONDS)

"""Closing a listening socket: existing connections are served; later ones are refused, with nothing begun."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import pytest

from service_kit.listener import accept_all, listen, refuse_new


@pytest.fixture(params=["127.0.0.1", "::1"])
def listener(request: pytest.FixtureRequest) -> Iterator[socket.socket]:
    with listen(request.param, 0) as found:
        found.listen(16)
        found.setblocking(False)
        yield found


def connected(listener: socket.socket) -> socket.socket:
    return socket.create_connection(listener.getsockname()[:2], timeout=5)


def test_nobody_is_reset(listener: socket.socket) -> None:
    address = listener.getsockname()[:2]
    with contextlib.ExitStack() as stack:
        early = [stack.enter_context(connected(listener)) for _ in range(3)]
        refuse_new(listener)
        served = [stack.enter_context(one) for one in accept_all(listener)]
        assert len(served) == 3
        with pytest.raises(ConnectionRefusedError):  # no client connects between the last check and the closing
            socket.create_connection(address, timeout=5)
        assert accept_all(listener) == []
        listener.close()
        for client, server in zip(early, served, strict=True):
            client.settimeout(5)
            server.settimeout(5)
            client.sendall(b"question")
            assert server.recv(100) == b"question"
            server.sendall(b"answer")
            assert client.recv(100) == b"answer"

"""Closing a listening socket: who has connected is served, who comes later knows that nothing was begun."""

from __future__ import annotations

import contextlib
import errno
import select
import socket
from collections.abc import Iterator

import pytest

from service_kit.listener import accept_all, listen, turn_away


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
        turn_away(listener)
        served = [stack.enter_context(one) for one in accept_all(listener)]
        assert len(served) == 3
        with pytest.raises(TimeoutError):  # nobody slips in between the last look and the closing
            socket.create_connection(address, timeout=0.3)
        late = stack.enter_context(socket.socket(listener.family))
        late.setblocking(False)
        with pytest.raises(BlockingIOError):
            late.connect(address)
        assert accept_all(listener) == []
        listener.close()
        assert select.select([], [late], [], 5)[1] == [late], "it knocks again"
        assert late.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNREFUSED
        for client, server in zip(early, served, strict=True):
            client.settimeout(5)
            server.settimeout(5)
            client.sendall(b"question")
            assert server.recv(100) == b"question"
            server.sendall(b"answer")
            assert client.recv(100) == b"answer"

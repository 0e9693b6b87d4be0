"""The load generator: what it sends, when, and from when it counts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from bench import load
from bench.child import ChildFailed
from bench.http1 import Answer, Connection
from tests.bench.server import post, slow_server


def test_arrivals_are_the_same_for_the_same_seed_and_come_at_the_rate() -> None:
    moments = load.poisson(50, 100, seed=3)
    assert moments == load.poisson(50, 100, seed=3)
    assert moments != load.poisson(50, 100, seed=4)
    assert moments == sorted(moments)
    assert 0 < moments[0] < moments[-1] < 100
    assert len(moments) == pytest.approx(5000, rel=0.05)


@pytest.mark.parametrize("fresh", [False, True])
def test_a_closed_loop_sends_each_pick_once_and_gets_its_own_answer(fresh: bool) -> None:
    bodies = [b"a" * 10, b"b" * 300_000, b""]
    picks = [0, 1, 2, 1] * 5
    with slow_server() as server:
        target = load.Target(server.server_port, [post(body) for body in bodies])
        result = load.run(load.Plan(target, picks, clients=3, fresh_connections=fresh))
    assert sorted(sample.pick for sample in result.samples) == sorted(picks)
    assert all(sample.status == 200 and sample.body == bodies[sample.pick] for sample in result.samples)
    assert result.cpu_seconds > 0


def test_a_closed_loop_has_no_more_requests_out_than_clients() -> None:
    with slow_server(0.02) as server:
        result = load.run(load.Plan(load.Target(server.server_port, [post(b"x")]), [0] * 12, clients=2))
    for sample in result.samples:
        others = [one for one in result.samples if one.sent < sample.ended and one.ended > sample.sent]
        assert len(others) <= 4  # itself, the one beside it, and those that these two overlap at their ends


def test_an_open_loop_counts_from_the_moment_each_was_due() -> None:
    """Ten requests due at once, 0.05 s each, one at a time: the last has waited for all of them."""
    with slow_server(0.05) as server:
        plan = load.Plan(load.Target(server.server_port, [post(b"x")]), [0] * 10, due=[0.0] * 10)
        result = load.run(plan)
    seconds = sorted(sample.seconds for sample in result.samples)
    assert seconds[0] >= 0.05
    assert seconds[-1] >= 0.5
    assert all(sample.due == result.began for sample in result.samples)


def test_an_open_loop_does_not_wait_for_answers() -> None:
    with slow_server(0.3) as server:
        due = [0.0, 0.1, 0.2]
        result = load.run(load.Plan(load.Target(server.server_port, [post(b"x")]), [0] * 3, due=due))
    sent = sorted(sample.sent - result.began for sample in result.samples)
    assert sent[2] < 0.3
    assert result.late_seconds < 0.1


def test_patience_ends_and_a_dead_server_is_no_answer() -> None:
    with slow_server(0.5) as server:
        port = server.server_port
        plan = load.Plan(load.Target(port, [post(b"x")]), [0], due=[0.0], patience=0.1)
        assert [sample.status for sample in load.run(plan).samples] == [load.NO_ANSWER]
    plan = load.Plan(load.Target(port, [post(b"x")]), [0, 0])
    assert [sample.status for sample in load.run(plan).samples] == [load.NO_ANSWER] * 2


def test_results_come_whole_where_python_does_not_buffer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", "1")
    with slow_server() as server:
        target = load.Target(server.server_port, [post(b"x" * 100_000)])
        result = load.run(load.Plan(target, [0] * 30))
    assert [len(sample.body) for sample in result.samples] == [100_000] * 30


def test_a_generator_that_ends_early_is_an_error() -> None:
    with pytest.raises(ChildFailed):
        load.run(load.Plan(load.Target(1, []), [0]))  # there is no such request


async def exchange(pieces: list[bytes], *, then_close: bool = False) -> Answer:
    """One answer, which arrives in these pieces."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.01)
        if then_close:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    connection = await Connection.open("127.0.0.1", server.sockets[0].getsockname()[1])
    try:
        async with asyncio.timeout(5):
            return await connection.ask(b"GET / HTTP/1.1\r\n\r\n")
    finally:
        connection.close()
        server.close()


def test_an_answer_in_pieces_is_put_together() -> None:
    pieces = [b"HTTP/1.1 20", b"1 Created\r\nContent-", b"Length: 5\r\n\r", b"\nab", b"cde"]
    assert asyncio.run(exchange(pieces)) == Answer(201, b"abcde")


@pytest.mark.parametrize(
    "broken",
    [
        lambda: exchange([b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab"], then_close=True),
        lambda: exchange([], then_close=True),
        lambda: exchange([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"]),
    ],
)
def test_half_an_answer_is_a_connection_error(broken: Callable[[], asyncio.Future[Answer]]) -> None:
    async def ask() -> Answer:
        return await broken()

    with pytest.raises(ConnectionError):
        asyncio.run(ask())

"""How much the gateway holds at once, and what it refuses without asking."""

from __future__ import annotations

import contextlib

import pytest

from api_gateway.errors import Overloaded, Relayed
from api_gateway.room import Room
from service_kit.deadline import Deadline

MIB = 1 << 20


def test_most_uploads() -> None:
    room = Room(max_uploads=2, max_bytes=100 * MIB, max_documents=1)
    with (
        room.enter(0, Deadline(30)),
        room.enter(0, Deadline(30)),
        pytest.raises(Overloaded),
        room.enter(0, Deadline(30)),
    ):
        pass
    with room.enter(0, Deadline(30)), room.enter(0, Deadline(30)):
        pass


def test_declared_bytes_are_set_aside_before_they_come() -> None:
    room = Room(max_uploads=10, max_bytes=10 * MIB, max_documents=1)
    with room.enter(2 * MIB, Deadline(30)), pytest.raises(Overloaded), room.enter(3 * MIB, Deadline(30)):
        pass
    with room.enter(4 * MIB, Deadline(30)):
        pass


def test_undeclared_bytes_are_counted_as_they_come() -> None:
    room = Room(max_uploads=10, max_bytes=10 * MIB, max_documents=1)
    with room.enter(0, Deadline(30)) as hold:
        for _ in range(4):
            hold.keep(MIB)
        with pytest.raises(Overloaded):
            hold.keep(MIB)
    with room.enter(MIB, Deadline(30)) as hold:
        hold.keep(MIB)  # was set aside
        hold.keep(3 * MIB)


@pytest.mark.parametrize(
    ("size", "budget", "refused"), [(100, 30, True), (200, 10, True), (99, 30, False), (100, 31, False)]
)
def test_what_was_refused_a_moment_ago_is_not_asked_again(size: int, budget: float, refused: bool) -> None:
    room = Room(max_uploads=10, max_bytes=10 * MIB, max_documents=1)
    with contextlib.suppress(Relayed), room.enter(100, Deadline(30)):
        raise Relayed(429, "overloaded", "full", 7.0)
    with pytest.raises(Overloaded) if refused else contextlib.nullcontext() as caught:
        room.knock(size, budget)
    if caught:
        assert caught.value.retry_after == 7


def test_the_refusal_of_a_slow_upload_says_nothing_of_those_with_more_time() -> None:
    room = Room(max_uploads=10, max_bytes=10 * MIB, max_documents=1)
    slow = Deadline(30)
    slow.at -= 25
    with contextlib.suppress(Relayed), room.enter(100, slow):
        raise Relayed(429, "overloaded", "full", 7.0)
    room.knock(100, 30)
    with pytest.raises(Overloaded):
        room.knock(100, 4)


def test_another_verdict_is_about_that_picture_alone() -> None:
    room = Room(max_uploads=10, max_bytes=10 * MIB, max_documents=1)
    with contextlib.suppress(Relayed), room.enter(100, Deadline(30)):
        raise Relayed(422, "damaged_image", "damaged", None)
    room.knock(100, 30)

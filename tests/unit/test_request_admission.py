"""How much the gateway accepts at once, and what it refuses without calling the model server."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace
from typing import Any

import pytest

from api_gateway.admission import RequestAdmission
from api_gateway.errors import Relayed
from api_gateway.settings import UPLOAD_COPIES
from service_kit.budget import Full
from service_kit.deadline import Deadline
from service_kit.errors import Overloaded

MIB = 1 << 20


def admission(requests: int = 10, held_mib: int = 10) -> RequestAdmission:
    settings: Any = SimpleNamespace(
        max_in_flight=requests,
        max_held_mib=held_mib,
        max_documents=1,
        max_pages_held_mib=1,
        max_disk_mib=1,
        children_mib=1,
    )
    return RequestAdmission(settings)


def test_most_uploads() -> None:
    admitted = admission(requests=2, held_mib=100)
    with (
        admitted.request(0, Deadline(30)),
        admitted.request(0, Deadline(30)),
        pytest.raises(Overloaded),
        admitted.request(0, Deadline(30)),
    ):
        pass
    with admitted.request(0, Deadline(30)), admitted.request(0, Deadline(30)):
        pass


def test_declared_bytes_are_set_aside_before_they_come() -> None:
    admitted = admission()
    with (
        admitted.request(2 * MIB, Deadline(30)),
        pytest.raises(Overloaded),
        admitted.request(3 * MIB, Deadline(30)),
    ):
        pass
    with admitted.request(4 * MIB, Deadline(30)):
        pass


def test_undeclared_bytes_are_counted_as_they_come() -> None:
    admitted = admission()
    with admitted.request(0, Deadline(30)) as memory:
        memory.resize(UPLOAD_COPIES * 4 * MIB)
        with pytest.raises(Full):
            memory.resize(UPLOAD_COPIES * 5 * MIB)
    with pytest.raises(Overloaded), admitted.request(0, Deadline(30)):
        raise Full
    with admitted.request(MIB, Deadline(30)) as memory:
        memory.resize(UPLOAD_COPIES * 4 * MIB)


@pytest.mark.parametrize(
    ("size", "budget", "refused"), [(100, 30, True), (200, 10, True), (99, 30, False), (100, 31, False)]
)
def test_what_was_refused_a_moment_ago_is_not_asked_again(size: int, budget: float, refused: bool) -> None:
    admitted = admission()
    with contextlib.suppress(Relayed), admitted.request(100, Deadline(30)):
        raise Relayed(429, "overloaded", "full", 7.0)
    with pytest.raises(Overloaded) if refused else contextlib.nullcontext() as caught:
        admitted.check(size, budget)
    if caught:
        assert caught.value.retry_after == 7


def test_the_refusal_of_a_slow_upload_says_nothing_of_those_with_more_time() -> None:
    admitted = admission()
    slow = Deadline(30)
    slow.at -= 25
    with contextlib.suppress(Relayed), admitted.request(100, slow):
        raise Relayed(429, "overloaded", "full", 7.0)
    admitted.check(100, 30)
    with pytest.raises(Overloaded):
        admitted.check(100, 4)


def test_another_verdict_is_about_that_picture_alone() -> None:
    admitted = admission()
    with contextlib.suppress(Relayed), admitted.request(100, Deadline(30)):
        raise Relayed(422, "damaged_image", "damaged", None)
    admitted.check(100, 30)

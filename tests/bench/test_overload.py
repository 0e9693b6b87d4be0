"""What is made of the measured points."""

from __future__ import annotations

from typing import Any

import pytest

from bench.figures import overload


def point(goodput: float, in_time: float = 1.0) -> dict[str, Any]:
    return {"goodput_per_second": goodput, "offered_per_second": 1.0, "accepted_in_time": in_time}


def test_the_ratio_is_the_last_load_over_the_best_of_its_round() -> None:
    found = overload._figures({1: [point(8), point(10)], 2: [point(10), point(9)], 10: [point(9), point(5)]})
    assert found["goodput_ratio"]["rounds"] == [0.9, 0.5]
    assert found["most"] == 10


def test_what_was_accepted_and_late_is_told_of_the_worst_point() -> None:
    found = overload._figures({1: [point(8)], 10: [point(8, 0.97)]})
    assert found["accepted_in_time"] == 0.97


def test_nothing_good_at_all_is_a_ratio_of_nought() -> None:
    assert overload._figures({1: [point(0)], 10: [point(0)]})["goodput_ratio"]["median"] == pytest.approx(0)

"""The expected time of a page, estimated from earlier pages."""

from __future__ import annotations

import pytest

from model_server.pace import Pace


def learnt(pixels: int, seconds: float) -> Pace:
    pace = Pace()
    for _ in range(50):
        pace.learn(pixels, seconds)
    return pace


def test_larger_pages_are_expected_to_take_longer_where_nothing_is_known_of_their_size() -> None:
    pace = learnt(1_000_000, 2.0)
    assert pace.expected(1_000_000) == pytest.approx(2, rel=0.05)
    assert pace.expected(4_000_000) == pytest.approx(4, rel=0.05)  # proportional to the square root of the size


def test_an_unseen_size_follows_the_nearest_that_was_seen() -> None:
    pace = learnt(20_000, 0.03)
    for _ in range(50):
        pace.learn(12_000_000, 2.0)
    assert pace.expected(48_000_000) == pytest.approx(4, rel=0.05)
    assert pace.expected(80_000) == pytest.approx(0.05, rel=0.05)
    assert not pace.knows(48_000_000)
    assert pace.knows(12_000_001)


def test_sizes_learn_for_themselves() -> None:
    pace = learnt(12_000_000, 2.0)
    for _ in range(50):
        pace.learn(20_000, 0.03)
    assert pace.expected(12_000_000) == pytest.approx(2, rel=0.05)
    assert pace.expected(20_000) == pytest.approx(0.03, rel=0.05)


def test_a_page_that_was_broken_off_teaches_that_it_takes_longer() -> None:
    pace = learnt(1_000_000, 1.0)
    pace.learn_at_least(1_000_000, 0.5)
    assert pace.expected(1_000_000) == pytest.approx(1, rel=0.05)
    pace.learn_at_least(1_000_000, 3.0)
    assert 1.1 < pace.expected(1_000_000) < 1.5


def test_one_page_that_hangs_does_not_close_the_door() -> None:
    pace = learnt(1_000_000, 1.0)
    pace.learn_at_least(1_000_000, 3600)
    assert pace.expected(1_000_000) < 1.5


def test_tiny_pictures_say_little_about_pages() -> None:
    """One pixel that took 0.05 s on a busy machine does not make a page take half a minute."""
    assert learnt(1, 0.05).expected(300_000) < 0.5

from __future__ import annotations

import pytest

from bench import stats


@pytest.mark.parametrize(("percent", "value"), [(1, 1), (50, 50), (90, 90), (99, 99), (100, 100)])
def test_a_percentile_is_a_measured_value(percent: int, value: int) -> None:
    assert stats.percentile(list(range(100, 0, -1)), percent) == value


def test_percentiles_of_one_value() -> None:
    assert stats.percentiles([7.0]) == {"p50": 7.0, "p90": 7.0, "p95": 7.0, "p99": 7.0}


def test_ratios_are_taken_round_by_round() -> None:
    assert stats.ratios([1.0, 8.0], [2.0, 8.0]) == [0.5, 1.0]
    with pytest.raises(ValueError, match=r"shorter|longer"):
        stats.ratios([1.0], [1.0, 2.0])


def test_a_summary_keeps_its_rounds() -> None:
    assert stats.summary([3.0, 1.0, 2.0]) == {"median": 2.0, "min": 1.0, "max": 3.0, "rounds": [3.0, 1.0, 2.0]}

"""Medians, spreads and percentiles: a figure is the median over rounds, with its spread."""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


def summary(rounds: Sequence[float]) -> dict[str, Any]:
    """Median, smallest and largest of the rounds, and the rounds themselves."""
    return {
        "median": statistics.median(rounds),
        "min": min(rounds),
        "max": max(rounds),
        "rounds": list(rounds),
    }


def percentile(values: Sequence[float], percent: float) -> float:
    """Nearest-rank percentile, which is always a measured value."""
    ranked = sorted(values)
    return ranked[max(0, math.ceil(percent / 100 * len(ranked)) - 1)]


def percentiles(values: Sequence[float]) -> dict[str, float]:
    return {f"p{percent}": percentile(values, percent) for percent in (50, 90, 95, 99)}


def ratios(above: Sequence[float], below: Sequence[float]) -> list[float]:
    """One ratio per round, because a disturbance of a round affects both sides."""
    return [a / b for a, b in zip(above, below, strict=True)]

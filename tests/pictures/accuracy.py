"""How far a reading is from what the picture says: edits per character and per word, 0 is perfect."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rapidfuzz.distance import Levenshtein

if TYPE_CHECKING:
    from collections.abc import Sequence


def character_error_rate(expected: str, actual: str) -> float:
    """Insertions, deletions and substitutions per expected character; any run of white space counts as a space."""
    return _rate(" ".join(expected.split()), " ".join(actual.split()))


def word_error_rate(expected: str, actual: str) -> float:
    """The same, of words; it may exceed 1 when too much was read."""
    return _rate(expected.split(), actual.split())


def _rate(expected: Sequence[str], actual: Sequence[str]) -> float:
    if not expected:
        return float(bool(actual))
    return Levenshtein.distance(expected, actual) / len(expected)

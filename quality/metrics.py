"""How well a text was read."""

from __future__ import annotations

import re
from collections import Counter

from tests.pictures.accuracy import character_error_rate

__all__ = ["bag_of_words", "bag_of_words_f1", "character_error_rate"]

_AROUND = re.compile(r"^[\W_]+|[\W_]+$")


def bag_of_words(text: str) -> Counter[str]:
    """The words between white space without the punctuation around them; upper and lower case differ."""
    words = (_AROUND.sub("", token) for token in text.split())
    return Counter(word for word in words if word)


def bag_of_words_f1(expected: str, actual: str) -> float:
    """Twice the number of common words, divided by the number of words of both texts; 1 if neither has any."""
    there, read = bag_of_words(expected), bag_of_words(actual)
    number = there.total() + read.total()
    return 2 * (there & read).total() / number if number else 1.0

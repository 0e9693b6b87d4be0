"""The size of a line's type, by the height of its words."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# Parts of the size of usual typefaces.
_SMALL, _TALL, _BELOW = 0.53, 0.73, 0.22  # height of a small letter, of capitals and digits; depth of descenders
_FLAT = frozenset("acemnorsuvwxz")
_LOW = frozenset("gjpqy,;()[]{}|/@$Q_")
_NO_LETTERS = frozenset(".-\u2013\u2014=~*'\"^`\u00b4:+<>\u2022\u00b7")


def type_size(words: Iterable[tuple[str, float]]) -> float | None:
    """The size, from the texts of a line's words and the heights of their ink; None without letters."""
    sizes = [height / share for text, height in words if (share := _height(text))]
    return median(sizes) if sizes else None


def _height(text: str) -> float:
    """The height of a word as a part of the size; 0 if it has no letters. Other scripts fill their lines."""
    letters = set(text) - _NO_LETTERS
    if not letters:
        return 0.0
    is_other = any(ord(letter) > 0x2E7F for letter in letters)
    high = _TALL if is_other or letters - _FLAT - set("gpqy") else _SMALL
    return high + (_BELOW if is_other or letters & _LOW else 0.0)

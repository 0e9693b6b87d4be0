"""The direction of writing: what is placed from left to right, in the order in which it is read."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

_RTL = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]")
_LTR = frozenset({"L", "EN", "AN"})
_WITHIN = frozenset({"ES", "CS", "ET"})  # these stay with the digits on both sides


def is_rtl(text: str) -> bool:
    """Whether the text has a letter of a script that is written from right to left."""
    return _RTL.search(text) is not None


def logical(placed: Sequence[str]) -> str:
    """The letters of a word, which come from left to right as they stand, in their order of reading.

    Numbers and letters of other scripts in the word keep their order.
    """
    found: list[str] = []
    run: list[str] = []  # a number or a foreign part
    for at in range(len(placed) - 1, -1, -1):
        kind = unicodedata.bidirectional(placed[at][0])
        if kind in _LTR or (
            run and kind in _WITHIN and at and unicodedata.bidirectional(placed[at - 1][0]) in _LTR
        ):
            run.insert(0, placed[at])
            continue
        found += [*run, placed[at]]
        run = []
    return "".join(found + run)


def read_order(words: Sequence[str]) -> Sequence[int]:
    """The indices of a line's words, which come from left to right, in their order of reading.

    The line is read in the direction of most of its words; those of the other direction keep their own.
    """
    kinds = [-1 if is_rtl(word) else any(map(str.isalpha, word)) for word in words]
    if -1 not in kinds:
        return range(len(words))
    base = -1 if 2 * kinds.count(-1) >= len(kinds) - kinds.count(0) else 1
    order = [*range(len(words))][::base]
    found: list[int] = []
    run: list[int] = []  # words of the other direction, with the numbers and signs between them
    pending: list[int] = []
    for at in order:
        if kinds[at] == -base:
            run += [*pending, at]
            pending = []
        elif run and not kinds[at]:
            pending.append(at)
        else:
            found += [*run[::-1], *pending, at]
            run, pending = [], []
    return found + run[::-1] + pending

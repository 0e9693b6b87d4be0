"""Chinese, Japanese and Korean letters that are written from top to bottom; PDFium makes each one a line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from api_gateway.children.pdf_letters import Letter

_FIRST = "\u2e80"
_ASIDE = 0.1  # sizes between the letters of a column
_STEP = (0.8, 1.15)  # sizes from a letter down to the next one; lines are farther apart
_DOWN = 270.0


def turned(letters: Sequence[Letter]) -> Sequence[Letter]:
    """The letters, with the direction down for those that are written down."""
    if not any(letter[0] >= _FIRST for letter in letters):
        return letters
    found: list[Letter] = []
    for run in _runs(letters):
        if len(run) == 1:
            found += run
        else:
            found += [letter._replace(angle=_DOWN, advance=letter.size) for letter in run]
    return found


def _runs(letters: Sequence[Letter]) -> Iterator[list[Letter]]:
    run = [letters[0]]
    for one, other in pairwise(letters):
        if not _is_below(one, other):
            yield run
            run = []
        run.append(other)
    yield run


def _is_below(one: Letter, other: Letter) -> bool:
    if one.angle or other.angle or max(one.text, other.text) < _FIRST:
        return False
    least, most = _STEP
    step = other.origin[1] - one.origin[1]
    return abs(other.origin[0] - one.origin[0]) < _ASIDE * one.size and least * one.size < step < most * one.size

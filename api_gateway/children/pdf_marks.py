"""Letters that belong to other letters: combining marks, and copies that make a letter bold."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence

from api_gateway.children.pdf_letters import Letter

_FIRST_MARK = "\u0300"
COPY = 0.12  # sizes between a letter and its copy; the narrowest letters are wider
_CELL = 0.3  # sizes; at least twice the above


def attached(letters: Sequence[Letter]) -> Sequence[Letter]:
    """Each combining mark with the letter that it is drawn over: the one before, else the one after it."""
    if not any(letter[0] >= _FIRST_MARK and unicodedata.combining(letter[0][0]) for letter in letters):
        return letters
    found: list[Letter] = []
    waiting: list[Letter] = []  # marks before their letter
    for letter in letters:
        if letter.text and unicodedata.combining(letter.text[0]):
            if found and (_over(letter, found[-1]) or letter.box == found[-1].box):
                found[-1] = _with(found[-1], letter)
            else:
                waiting.append(letter)
            continue
        whole = letter
        for mark in waiting:
            if _over(mark, letter):
                whole = _with(whole, mark)
            else:
                found.append(mark)
        waiting = []
        found.append(whole)
    return found + waiting


def without_copies(letters: Sequence[Letter], suspects: Iterable[tuple[int, int]]) -> list[Letter]:
    """The letters without those that repeat a letter at nearly the same place; `suspects` are ranges of indices.

    The letters of one glyph have the same box, and stay.
    """
    cells: dict[tuple[str, float, int, int], list[tuple[float, float]]] = {}
    copies = set()
    for index in sorted({index for first, last in suspects for index in range(first, last)}):
        letter = letters[index]
        if index and letter.box == letters[index - 1].box and index - 1 not in copies:
            continue
        size = letter.size or 1.0
        (x, y), reach = letter.origin, COPY * size
        cell = _CELL * size
        columns = {int((x - reach) // cell), int((x + reach) // cell)}
        rows = {int((y - reach) // cell), int((y + reach) // cell)}
        near = (
            place
            for column in columns
            for row in rows
            for place in cells.get((letter.text, letter.angle, column, row), ())
        )
        if any(abs(x - other) <= reach and abs(y - level) <= reach for other, level in near):
            copies.add(index)
        else:
            cells.setdefault((letter.text, letter.angle, int(x // cell), int(y // cell)), []).append((x, y))
    return [letter for index, letter in enumerate(letters) if index not in copies]


def _over(mark: Letter, letter: Letter) -> bool:
    """Whether the mark's middle is over or under the letter."""
    reach = letter.size / 10
    middle = ((mark.box[0] + mark.box[2]) / 2, (mark.box[1] + mark.box[3]) / 2)
    x0, y0, x1, y1 = letter.box
    if letter.angle % 180 == 90:
        return y0 - reach <= middle[1] <= y1 + reach
    return x0 - reach <= middle[0] <= x1 + reach


def _with(letter: Letter, mark: Letter) -> Letter:
    (a0, b0, a1, b1), (c0, d0, c1, d1) = letter.box, mark.box
    text = unicodedata.normalize("NFC", letter.text + mark.text)
    return letter._replace(text=text, box=(min(a0, c0), min(b0, d0), max(a1, c1), max(b1, d1)))

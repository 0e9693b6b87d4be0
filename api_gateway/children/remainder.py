"""Whether a small picture of a page, drawn without its embedded text, may show text all the same.

Edges are found by contrast, so dark text on light and light text on dark are alike. Long straight edges belong to
rules and boxes, and are removed. The rest is divided into shapes: groups of connected edge pixels. Some shapes are
no letters: dots, dashes, rectangles, bullets, the corners of removed boxes. Any other shape may be a letter. A
wrong yes costs the time to recognise the page; a wrong no would lose text.

The picture should have about 100 dpi. All lengths are in its pixels.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from PIL import Image, ImageChops

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    Run = tuple[int, int, int]  # row, start, end

_CONTRAST = 12  # of neighbouring pixels, of 255; gradients have less
_LONG = 40  # a straight edge of this length is no stroke of a letter
_MOST_RUNS = 4000  # of edge pixels in rows; more are not only rules, boxes and bullets
_THIN = 4  # maximum thickness of the edges of a line; they begin a pixel before it, and its own edges are blurred
_CORNER = 14  # maximum side of what joins long edges: corners, also round ones, and crossings
_SMALLEST_BOX = 11  # the edges of a smaller rectangle may be those of a letter
_BULLET = 16  # maximum side of a bullet's edges
_FULL = 0.7  # share of its box that a bullet fills; a disc fills 0.79
_ROUND = 1.6  # maximum ratio of a bullet's sides
_STRAIGHT = 0.9  # share of a rectangle's side that has ink
_PALE, _DARK = 0.3, 0.5  # share of the greatest contrast, of a thin line and of a filled shape
_PIECE = 8  # rules that cross interrupt each other's edges; a long edge has pieces of at least this length
_LONG_RUN = re.compile(rb"\xff{%d,}(?:\x00{1,%d}\xff{%d,})*" % (_PIECE, _THIN, _PIECE))
_RUN = re.compile(rb"\xff+")
_IS_EDGE = [255 * (difference >= _CONTRAST) for difference in range(256)]


class _Shape(NamedTuple):
    """The box of a shape; x1 and y1 are exclusive."""

    x0: int
    y0: int
    x1: int
    y1: int

    @property
    def sides(self) -> tuple[int, int]:
        return self.x1 - self.x0, self.y1 - self.y0


def may_hold_text(picture: Image.Image) -> bool:
    """`picture` is grey."""
    edges = _edges(picture)
    box = edges.getbbox()
    if box is None:
        return False
    apart = _THIN + 1  # empty columns, so that no edge goes on in the next row
    box = (box[0], box[1], box[2] + apart, box[3] + apart)
    picture, edges = picture.crop(box), edges.crop(box)
    long = ImageChops.lighter(_long(edges), _transposed(_long(_transposed(edges))))
    rest = ImageChops.subtract(edges, long)
    runs = _runs(rest)
    if len(runs) > _MOST_RUNS:
        return True
    return any(_may_be_letter(shape, picture, rest, long) for shape in _shapes(runs))


def _edges(picture: Image.Image) -> Image.Image:
    """255 where a pixel differs from its right or lower neighbour."""
    width, height = picture.size
    right = ImageChops.difference(picture, ImageChops.offset(picture, -1, 0))
    lower = ImageChops.difference(picture, ImageChops.offset(picture, 0, -1))
    right.paste(0, (width - 1, 0, width, height))
    lower.paste(0, (0, height - 1, width, height))
    return ImageChops.lighter(right, lower).point(_IS_EDGE)


def _transposed(picture: Image.Image) -> Image.Image:
    return picture.transpose(Image.Transpose.TRANSPOSE)


def _long(edges: Image.Image) -> Image.Image:
    """The horizontal edges of at least `_LONG` pixels."""
    found = Image.new("L", edges.size)
    for run in _LONG_RUN.finditer(edges.tobytes()):
        y, x = divmod(run.start(), edges.width)
        if len(run[0]) >= _LONG:
            found.paste(255, (x, y, x + len(run[0]), y + 1))
    return found


def _runs(rest: Image.Image) -> list[Run]:
    """At most one more than `_MOST_RUNS`."""
    box = rest.getbbox()
    if box is None:
        return []
    left, top, right, bottom = box
    part = rest.crop((left, top, right + 1, bottom))
    found = []
    for run in _RUN.finditer(part.tobytes()):
        y, x = divmod(run.start(), part.width)
        found.append((top + y, left + x, left + x + len(run[0])))
        if len(found) > _MOST_RUNS:
            break
    return found


def _shapes(runs: Iterable[Run]) -> Iterator[_Shape]:
    """The boxes of runs that touch, also at their corners; runs come row by row."""
    owner: list[int] = []
    boxes: list[list[int]] = []
    before: list[tuple[int, int, int]] = []  # start, end and number of the runs in the row above
    current: list[tuple[int, int, int]] = []
    row = -1
    for y, start, end in runs:
        if y != row:
            before, current = (current, []) if y == row + 1 else ([], [])
            row = y
        number = len(owner)
        owner.append(number)
        boxes.append([start, y, end, y + 1])
        for left, right, other in before:
            if left <= end and start <= right:
                _join(owner, boxes, other, number)
        current.append((start, end, number))
    for number, box in enumerate(boxes):
        if owner[number] == number:
            yield _Shape(*box)


def _join(owner: list[int], boxes: list[list[int]], one: int, other: int) -> None:
    first, second = _root(owner, one), _root(owner, other)
    if first == second:
        return
    owner[second] = first
    a, b = boxes[first], boxes[second]
    a[:] = min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])


def _root(owner: list[int], number: int) -> int:
    while owner[number] != number:
        owner[number] = owner[owner[number]]
        number = owner[number]
    return number


def _may_be_letter(shape: _Shape, picture: Image.Image, rest: Image.Image, long: Image.Image) -> bool:
    if min(shape.sides) <= _THIN:
        return False
    if max(shape.sides) <= _CORNER and _touches(shape, long):
        return False
    return not (_is_rectangle(shape, picture, rest) or _is_bullet(shape, picture))


def _touches(shape: _Shape, long: Image.Image) -> bool:
    return long.crop((shape.x0 - 1, shape.y0 - 1, shape.x1 + 1, shape.y1 + 1)).getbbox() is not None


def _is_rectangle(shape: _Shape, picture: Image.Image, rest: Image.Image) -> bool:
    """Whether it has four straight sides and nothing inside."""
    width, height = shape.sides
    if min(width, height) < _SMALLEST_BOX:
        return False
    x0, y0, x1, y1 = shape
    if rest.crop((x0 + _THIN, y0 + _THIN, x1 - _THIN, y1 - _THIN)).getbbox() is not None:
        return False
    ink = _ink(shape, picture, _PALE)
    upright = _transposed(ink)
    return all(
        side.crop((0, y, side.width, y + 1)).histogram()[255] >= _STRAIGHT * side.width
        for side in (ink, upright)
        for y in (0, side.height - 1)
    )


def _is_bullet(shape: _Shape, picture: Image.Image) -> bool:
    """Whether it is small, about as wide as high, and filled."""
    width, height = shape.sides
    if max(width, height) > _BULLET or max(width, height) > _ROUND * min(width, height):
        return False
    ink = _ink(shape, picture, _DARK)
    return ink.histogram()[255] >= _FULL * ink.width * ink.height


def _ink(shape: _Shape, picture: Image.Image, least: float) -> Image.Image:
    """255 where the shape has at least this share of its contrast to the ground; just around these pixels."""
    ground = picture.getpixel((shape.x0, shape.y0))  # edges begin a pixel before what they surround
    contrast = picture.crop(shape).point([abs(value - ground) for value in range(256)])  # type: ignore[operator]
    most = contrast.getextrema()[1]
    ink = contrast.point([255 * (value >= least * most) for value in range(256)])  # type: ignore[operator]
    return ink.crop(ink.getbbox())

"""How the lines of a page run, by a small picture of it: their slope, and whether they may run up or down.

The approximate discrete Radon transform adds up the picture along the lines of every slope at once. Where these
follow the text, rows of ink alternate with rows of paper, and the sums change most from one to the next.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST = 10.5  # degrees
# Strips into which the picture is cut, from left to right, by its pixels: on a larger one there may be more lines.
_STRIPS = ((1_000_000, 64), (math.inf, 128))
_WIDE = 5  # pixels of a strip
_HIGH = 6.25  # pixels per strip, of the longer side
_CONTRAST = 48  # levels: an edge of a photograph counts no more than one of a letter
_SHARP = 3.5  # times as sharp as at most slopes
_SHARPER = 1.3  # than without a slope
_PART = 32  # pixels of the small picture: some letters
_SIDEWAYS = 1.4  # times as much contrast between columns as between rows


class Lines(NamedTuple):
    """`skew`: by how many degrees they fall to the right, up to `MOST`; 0 if in doubt.

    `sideways`: they seem to run up or down.
    """

    skew: float
    sideways: bool


def look(picture: Image.Image) -> Lines:
    """The lines of an 8-bit grey picture."""
    pixels = picture.width * picture.height
    strips = next(strips for most, strips in _STRIPS if pixels <= most)
    small = _reduced(picture, strips)
    levels = np.asarray(small, np.float32)
    if small.height <= _PART:
        return Lines(0.0, sideways=False)
    edges = _edges(levels)
    sideways = _contrast(_edges(levels.T)) > _SIDEWAYS * _contrast(edges)
    return Lines(_skew(edges, strips), sideways)


def _skew(edges: NDArray[np.float32], strips: int) -> float:
    width = edges.shape[1]
    most = min(strips - 2, int(math.tan(math.radians(MOST)) * width))
    sharpness = _sharpness(_strips(edges, strips), most + 1)  # one more on each side
    best = 1 + int(sharpness[1:-1].argmax())
    if sharpness[best] < max(_SHARP * np.median(sharpness), _SHARPER * sharpness[most + 1], *sharpness[[0, -1]]):
        return 0.0
    fall = best - most - 1 + _offset(*sharpness[best - 1 : best + 2])
    return math.degrees(math.atan(fall * strips / (strips - 1) / width))


def _reduced(picture: Image.Image, strips: int) -> Image.Image:
    """The picture with a width that the strips share."""
    scale = min(1.0, _HIGH * strips / max(picture.size))
    wide = max(1, min(_WIDE, round(picture.width * scale / strips)))
    size = wide * strips, max(1, round(picture.height * wide * strips / picture.width))
    if size[0] > picture.width:
        return picture.resize(size, Image.Resampling.BILINEAR)
    return picture.resize(size, Image.Resampling.BOX, reducing_gap=1.0)


def _edges(levels: NDArray[np.float32]) -> NDArray[np.float32]:
    """How much each pixel differs from the one below."""
    edges: NDArray[np.float32] = np.diff(levels, axis=0)
    return np.minimum(np.abs(edges, out=edges), _CONTRAST, out=edges)


def _added(rows: NDArray[np.float32], wide: int) -> NDArray[np.float32]:
    """The sums of each `wide` neighbours in a row: a product, which takes a tenth of the time of `sum`."""
    sums: NDArray[np.float32] = rows.reshape(len(rows), -1, wide) @ np.ones(wide, np.float32)
    return sums


def _strips(edges: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """The sums of the rows of each strip, less the mean: strips x rows."""
    rows = _added(edges, edges.shape[1] // count)
    return np.ascontiguousarray((rows - rows.mean()).T)


def _contrast(edges: NDArray[np.float32]) -> float:
    """How much the rows of the parts of the picture differ from each other; a skew matters little in a part."""
    rows = _added(edges[:, : edges.shape[1] // _PART * _PART], _PART)
    return float(np.square(np.diff(rows, axis=0)).mean())


def _sharpness(strips: NDArray[np.float32], most: int) -> NDArray[np.float32]:
    """For each slope, from one that rises by `most` pixels in all to one that falls by as many."""
    rising, falling = _sums(np.stack([strips[::-1], strips]), most)
    sums = np.concatenate([rising[:0:-1], falling])
    changes: NDArray[np.float32] = np.square(np.diff(sums, axis=1)).sum(1)
    return changes


def _sums(pictures: NDArray[np.float32], most: int) -> NDArray[np.float32]:
    """Pictures x slopes x rows: the sums along lines that fall by 0, 1, ... `most` pixels to the last strip.

    Neighbours are joined in pairs, pairs of pairs, and so on: a line through both halves falls by half of its
    fall in each.
    """
    number, count, rows = pictures.shape
    sums = np.zeros((number, count, 1, rows + count), np.float32)
    sums[:, :, 0, count // 2 : count // 2 + rows] = pictures
    while count > 1:
        left, right = sums[:, ::2], sums[:, 1::2]
        falls = min(2 * left.shape[2], 2 * most // count + 2)
        count //= 2
        sums = np.empty((number, count, falls, left.shape[3]), np.float32)
        for fall in range(falls):
            half, step = fall // 2, (fall + 1) // 2
            end = sums.shape[3] - step
            np.add(left[:, :, half, :end], right[:, :, half, step:], out=sums[:, :, fall, :end])
            sums[:, :, fall, end:] = left[:, :, half, end:]
    first: NDArray[np.float32] = sums[:, 0, : most + 1]
    return first


def _offset(before: float, at: float, after: float) -> float:
    """Where the top of the parabola through three neighbours is, in steps from the middle one."""
    curve = 2 * at - before - after
    return 0.5 * float(after - before) / float(curve) if curve > 0 else 0.0

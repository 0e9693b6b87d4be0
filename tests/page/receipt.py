"""A receipt of which the test knows where each word's ink is."""

from __future__ import annotations

import io
from typing import NamedTuple

from PIL import Image, ImageChops

from tests.pictures.layout import MONO, MONO_BOLD, Line, draw, font

Box = tuple[float, float, float, float]
SIZE = (576, 720)
_ROWS = (
    ("Corner Market", MONO_BOLD),
    ("Bread        $3.20", MONO),
    ("Butter       $4.75", MONO),
    ("Oranges      $6.10", MONO),
    ("Coffee      $12.90", MONO),
    ("Shampoo      $5.45", MONO),
    ("TOTAL       $32.40", MONO_BOLD),
    ("Thank you, come again", MONO),
)


class Receipt(NamedTuple):
    png: bytes
    boxes: dict[str, Box]


def receipt() -> Receipt:
    """The picture, and the box around the ink of each of its words, in pixels."""
    lines = [Line(text, 56, 64 + 72 * number, face, 38) for number, (text, face) in enumerate(_ROWS)]
    stream = io.BytesIO()
    draw(lines, SIZE).save(stream, "PNG", dpi=(203, 203))
    return Receipt(stream.getvalue(), {word: box for line in lines for word, box in _words(line)})


def large_photograph(side: int) -> bytes:
    """The receipt on a sheet that has `3 * side * side` bytes, as a photograph without compression."""
    image = Image.open(io.BytesIO(receipt().png)).convert("RGB")
    canvas = Image.new("RGB", (side, side), "white")
    canvas.paste(image.resize((1500, 1875)), (500, 300))
    stream = io.BytesIO()
    canvas.save(stream, "PNG", compress_level=0)
    return stream.getvalue()


def _words(line: Line) -> list[tuple[str, Box]]:
    pen = font(line.face, line.size)
    found: list[tuple[str, Box]] = []
    for word in line.text.split():
        left = line.x + pen.getlength(line.text[: line.text.index(word)])
        ink = ImageChops.invert(draw([line._replace(text=word, x=left)], SIZE)).getbbox()
        assert ink is not None
        found.append((word, ink))
    return found

"""Lines of text on white paper: fonts, line breaks and drawing."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
import reportlab
from PIL import Image, ImageDraw, ImageFont

SANS, SANS_BOLD, SERIF, SERIF_BOLD, MONO, MONO_BOLD = (
    "DejaVuSans",
    "DejaVuSans-Bold",
    "DejaVuSerif",
    "DejaVuSerif-Bold",
    "DejaVuSansMono",
    "DejaVuSansMono-Bold",
)
_MEASURE = 200.0


class Line(NamedTuple):
    """A line's text, its place and its font's size: all lengths in units that `draw` scales to pixels."""

    text: str
    x: float
    y: float
    face: str
    size: float


def wrap(text: str, face: str, size: float, width: float) -> list[str]:
    """Break at spaces so that no line is wider than `width`, in the units of `size`.

    Measured in one large size, so that the breaks are the same at every resolution.
    """
    room = width * _MEASURE / size
    measured = font(face, _MEASURE)
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and measured.getlength(longer) <= room:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def draw(lines: list[Line], size: tuple[int, int], scale: float = 1.0) -> Image.Image:
    """Black on white, 8-bit grey; `size` is width and height in pixels, `scale` is pixels per unit of length."""
    image = Image.new("L", size, 255)
    pen = ImageDraw.Draw(image)
    for line in lines:
        at = (round(line.x * scale), round(line.y * scale))
        pen.text(at, line.text, fill=0, font=font(line.face, line.size * scale))
    return image


@cache
def font(face: str, pixels: float) -> ImageFont.FreeTypeFont:
    """A face of matplotlib (TrueType) or of reportlab (Type 1), by the name of its file."""
    # The basic layout is a part of Pillow itself; the other one differs with the libraries of the machine.
    path = Path(mpl.get_data_path()) / "fonts" / "ttf" / f"{face}.ttf"
    if not path.exists():
        path = Path(reportlab.__file__).parent / "fonts" / f"{face}.pfb"
    return ImageFont.truetype(path, pixels, layout_engine=ImageFont.Layout.BASIC)

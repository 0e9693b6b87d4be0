"""A sheet of paper to write on: lengths in points (1/72 inch), and a record of what was written, in order."""

from __future__ import annotations

import math
from typing import Literal

from PIL import Image, ImageDraw

from tests.pictures.layout import font, wrap
from tests.pictures.render import Picture

POINTS = 72
A4 = (595.0, 842.0)
LETTER = (612.0, 792.0)
Anchor = Literal["l", "m", "r"]


class Sheet:
    """8-bit grey. What is written in order is the text of the picture in reading order."""

    def __init__(self, size: tuple[float, float], dpi: int, paper: int = 255) -> None:
        self.width, self.height = size
        self.dpi = dpi
        self._scale = dpi / POINTS
        self.image = Image.new("L", (round(size[0] * self._scale), round(size[1] * self._scale)), paper)
        self._pen = ImageDraw.Draw(self.image)
        self._said: list[str] = []

    def write(
        self,
        at: tuple[float, float],
        text: str,
        face: str,
        size: float,
        *,
        ink: int = 0,
        anchor: Anchor = "l",
        stretch: float = 1.0,
        turned: bool = False,
    ) -> None:
        """One line at the left, middle or right end of its baseline.

        `stretch` multiplies the width of the letters. A `turned` line runs upwards, and `at` is its lower end.
        """
        self._said.append(text)
        drawn = font(face, size * self._scale)
        x, y = at[0] * self._scale, at[1] * self._scale
        if stretch == 1 and not turned:
            self._pen.text((x, y), text, fill=ink, font=drawn, anchor=f"{anchor}s")
            return
        width = math.ceil(drawn.getlength(text)) + 4
        above, below = math.ceil(1.1 * drawn.size), math.ceil(0.4 * drawn.size)
        mask = Image.new("L", (width, above + below))
        ImageDraw.Draw(mask).text((2, above), text, fill=255, font=drawn, anchor="ls")
        mask = mask.resize((max(1, round(width * stretch)), mask.height), Image.Resampling.LANCZOS)
        if turned:
            mask = mask.transpose(Image.Transpose.ROTATE_90)
            corner = (round(x) - above, round(y) - mask.height)
        else:
            corner = (round(x - {"l": 0, "m": 0.5, "r": 1}[anchor] * mask.width), round(y) - above)
        self.image.paste(ink, corner, mask)

    def paragraph(
        self,
        at: tuple[float, float],
        text: str,
        face: str,
        size: float,
        *,
        width: float,
        leading: float = 1.35,
        ink: int = 0,
        bottom: float = math.inf,
    ) -> float:
        """Lines that are at most `width` wide, from the baseline `at`; returns the next free baseline.

        The rest of the paragraph that would be below `bottom` is left out.
        """
        x, y = at
        for row in wrap(text, face, size, width):
            if y > bottom:
                break
            self.write((x, y), row, face, size, ink=ink)
            y += leading * size
        return y

    def rule(self, start: tuple[float, float], end: tuple[float, float], width: float = 0.6, ink: int = 0) -> None:
        self._pen.line([self._pixel(start), self._pixel(end)], fill=ink, width=self._thick(width))

    def box(
        self,
        corner: tuple[float, float],
        opposite: tuple[float, float],
        *,
        fill: int | None = None,
        width: float = 0.6,
        ink: int = 0,
    ) -> None:
        """A rectangle from its upper left corner; a width of 0 draws no border."""
        border = self._thick(width) if width else 0
        self._pen.rectangle([self._pixel(corner), self._pixel(opposite)], fill=fill, outline=ink, width=border)

    def show(self, image: Image.Image, at: tuple[float, float], size: tuple[float, float]) -> None:
        """A picture without text."""
        scaled = image.resize((round(size[0] * self._scale), round(size[1] * self._scale)))
        self.image.paste(scaled, self._pixel(at))

    def picture(self) -> Picture:
        return Picture(self.image, "\n".join(self._said), self.dpi)

    def _pixel(self, at: tuple[float, float]) -> tuple[int, int]:
        return round(at[0] * self._scale), round(at[1] * self._scale)

    def _thick(self, width: float) -> int:
        return max(1, round(width * self._scale))


def width_of(text: str, face: str, size: float) -> float:
    """In points."""
    return font(face, 100.0).getlength(text) * size / 100

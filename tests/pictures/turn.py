"""Pictures that lie on their side, upside down or askew, and where their points go."""

from __future__ import annotations

import math

from PIL import Image

_TURNS = {
    90: Image.Transpose.ROTATE_90,
    180: Image.Transpose.ROTATE_180,
    270: Image.Transpose.ROTATE_270,
}


def turned(image: Image.Image, rotation: int = 0, skew: float = 0.0, fill: int = 255) -> Image.Image:
    """The picture that is upright after it is turned by `rotation` clockwise; its lines then fall by `skew`."""
    if skew:
        image = image.rotate(-skew, Image.Resampling.BICUBIC, expand=True, fillcolor=fill)
    return image.transpose(_TURNS[rotation]) if rotation else image


def place(
    point: tuple[float, float], upright: tuple[int, int], turned: tuple[int, int], rotation: int, skew: float
) -> tuple[float, float]:
    """Where a point of the upright picture is on the turned one; `upright` and `turned` are their sizes."""
    angle = math.radians(skew - rotation)
    x, y = point[0] - upright[0] / 2, point[1] - upright[1] / 2
    return (
        turned[0] / 2 + x * math.cos(angle) - y * math.sin(angle),
        turned[1] / 2 + x * math.sin(angle) + y * math.cos(angle),
    )

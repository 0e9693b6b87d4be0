"""What a camera does to a page: each a pure function of an image (8-bit grey or RGB) and a seed.

The size and the mode stay the same. What the seed does not decide is how bad it gets: that is an argument.
"""

from __future__ import annotations

import io
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageFilter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

Point = tuple[float, float]


def perspective(image: Image.Image, seed: int, strength: float = 0.03, fill: int = 255) -> Image.Image:
    """Move each corner inwards by up to `strength` of the width and the height; `fill` is the grey outside."""
    rng = Random(f"perspective {seed}")
    width, height = image.size
    corners = [(0, 0), (width, 0), (width, height), (0, height)]
    moved = [
        (
            x + (1 if x == 0 else -1) * rng.uniform(0, strength) * width,
            y + (1 if y == 0 else -1) * rng.uniform(0, strength) * height,
        )
        for x, y in corners
    ]
    outside = fill if image.mode == "L" else (fill, fill, fill)
    return image.transform(
        image.size,
        Image.Transform.PERSPECTIVE,
        coefficients(moved, corners),
        Image.Resampling.BICUBIC,
        fillcolor=outside,
    )


def blur(image: Image.Image, seed: int, radius: float = 1.4) -> Image.Image:
    """Out of focus by `radius` pixels, give or take a fifth."""
    rng = Random(f"blur {seed}")
    return image.filter(ImageFilter.GaussianBlur(radius * rng.uniform(0.8, 1.2)))


def noise(image: Image.Image, seed: int, deviation: float = 25.0) -> Image.Image:
    """Grain: a normal distribution with that standard deviation, in levels of 0 to 255."""
    levels = _levels(image)
    levels += np.random.default_rng(seed).standard_normal((*levels.shape[:2], 1), dtype=np.float32) * deviation
    return _image(levels)


def uneven_light(image: Image.Image, seed: int, loss: float = 0.5) -> Image.Image:
    """Light that falls from one side: the far corner loses `loss` of its brightness."""
    rng = Random(f"light {seed}")
    across = np.linspace(0, 1, image.width, dtype=np.float32)[np.newaxis, :, np.newaxis]
    down = np.linspace(0, 1, image.height, dtype=np.float32)[:, np.newaxis, np.newaxis]
    if rng.random() < 0.5:
        across = 1 - across
    if rng.random() < 0.5:
        down = 1 - down
    share = rng.uniform(0.3, 0.7)
    levels = _levels(image)
    levels *= 1 - loss * (share * across + (1 - share) * down)
    return _image(levels)


def jpeg(image: Image.Image, quality: int) -> Image.Image:
    """What is left after JPEG at `quality` (1 to 95)."""
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)
    with Image.open(stream) as decoded:
        decoded.load()
        return decoded.copy()


DEGRADATIONS: dict[str, Callable[[Image.Image, int], Image.Image]] = {
    "perspective": perspective,
    "blur": blur,
    "noise": noise,
    "uneven light": uneven_light,
    "jpeg": lambda image, seed: jpeg(image, 15 + seed % 10),
}


def _levels(image: Image.Image) -> NDArray[np.float32]:
    """Height x width x bands."""
    return np.asarray(image, dtype=np.float32).reshape(image.height, image.width, len(image.getbands())).copy()


def _image(levels: NDArray[np.float32]) -> Image.Image:
    rounded = np.rint(levels).clip(0, 255).astype(np.uint8)
    return Image.fromarray(rounded[:, :, 0] if rounded.shape[2] == 1 else rounded)


def coefficients(here: Sequence[Point], there: Sequence[Point]) -> list[float]:
    """The eight numbers by which Pillow finds, for a point `here`, the point `there` to copy from."""
    rows: list[list[float]] = []
    for (x, y), (u, v) in zip(here, there, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
    solution: NDArray[Any] = np.linalg.solve(np.array(rows), np.array(there).reshape(8))
    return [float(number) for number in solution]

"""What a scanner, a printer or a copier does to a page. Each step keeps the size and 8-bit grey."""

from __future__ import annotations

from random import Random

import numpy as np
from PIL import Image, ImageFilter, ImageOps

from tests.pictures import degrade
from tests.pictures.render import Picture


def scanned(picture: Picture, rng: Random, *, skew: float = 0.4, blur: float = 0.5, noise: float = 5.0) -> Picture:
    """A usual scan: a little skewed (up to `skew` degrees), soft (`blur` pixels), with grain (`noise`)."""
    image = turned_by(picture.image, rng.uniform(-skew, skew))
    image = degrade.blur(image, rng.randrange(2**31), radius=blur)
    return with_image(picture, degrade.noise(image, rng.randrange(2**31), deviation=noise))


def turned_by(image: Image.Image, degrees: float) -> Image.Image:
    """Turned counter-clockwise around the middle; the corners are cut off or white."""
    return image.rotate(degrees, Image.Resampling.BICUBIC, fillcolor=255)


def faded(image: Image.Image, ink: int, paper: int) -> Image.Image:
    """Black becomes `ink` and white becomes `paper`."""
    return image.point([round(ink + (paper - ink) * level / 255) for level in range(256)])


def with_other_side(image: Image.Image, other: Image.Image, strength: float) -> Image.Image:
    """The other side of thin paper shows through, mirrored: `strength` 1 would be as dark as its ink."""
    behind = ImageOps.mirror(other.resize(image.size)).filter(ImageFilter.GaussianBlur(1.5))
    levels = np.asarray(image, dtype=np.float32) - strength * (255 - np.asarray(behind, dtype=np.float32))
    return Image.fromarray(levels.clip(0, 255).astype(np.uint8))


def speckled(image: Image.Image, rng: Random, share: float) -> Image.Image:
    """Dust and gaps: this share of the pixels is black, and the same share white."""
    levels = np.asarray(image).copy()
    chance = np.random.default_rng(rng.randrange(2**31)).random(levels.shape)
    levels[chance < share] = 0
    levels[chance > 1 - share] = 255
    return Image.fromarray(levels)


def dithered(image: Image.Image) -> Image.Image:
    """Black and white dots, as fax machines send it."""
    return image.convert("1").convert("L")


def worn(image: Image.Image, rng: Random, share: float) -> Image.Image:
    """Streaks of a printer short of toner: in vertical bands, up to this share of the ink is missing."""
    generator = np.random.default_rng(rng.randrange(2**31))
    bands = generator.random(max(2, image.width // 60)).astype(np.float32)
    loss = Image.fromarray(bands[np.newaxis, :]).resize((image.width, 1), Image.Resampling.BICUBIC)
    kept = 1 - share * np.asarray(loss).clip(0, 1)
    levels = 255 - (255 - np.asarray(image, dtype=np.float32)) * kept
    return Image.fromarray(levels.clip(0, 255).astype(np.uint8))


def with_image(picture: Picture, image: Image.Image) -> Picture:
    return Picture(image, picture.text, picture.dpi)

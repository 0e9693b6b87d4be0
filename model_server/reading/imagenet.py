"""Pixels as models want them that were trained on ImageNet: three channels, with its means and deviations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

_CHANNELS = ((0.485, 0.229), (0.456, 0.224), (0.406, 0.225))  # mean and deviation of red, green, blue


def planes(picture: Image.Image) -> NDArray[np.float32]:
    """1 x 3 x height x width, of an 8-bit grey picture."""
    grey = np.asarray(picture, dtype=np.float32)
    found = np.empty((1, len(_CHANNELS), *grey.shape), dtype=np.float32)
    for channel, (mean, deviation) in enumerate(_CHANNELS):
        np.multiply(grey, 1 / (255 * deviation), out=found[0, channel])
        found[0, channel] -= mean / deviation
    return found

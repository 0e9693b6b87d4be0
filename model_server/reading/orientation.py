"""Which way is up: PP-LCNet's document orientation on OpenVINO's CPU plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image

from model_server.reading.imagenet import planes
from model_server.reading.model_files import ORIENTATION, WeightsUnavailable, checked

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

_SHORT, _CROP = 256, 224  # pixels, as the model was trained
_MOST_CROPS = 3
_LONG = 1.5  # sides; a picture that is no longer is shown to the model by its middle alone
_QUARTERS = 4


class Upwards(NamedTuple):
    """By how many degrees clockwise a picture must be turned to be upright, with the model's probability."""

    rotation: int
    probability: float


class OrientationModel:
    """The model, compiled for one crop: about 60 MiB with OpenVINO. For one thread at a time.

    Raises:
        WeightsUnavailable: the file or OpenVINO is missing or damaged.
    """

    sha256 = ORIENTATION.sha256

    def __init__(self) -> None:
        path = checked(ORIENTATION)
        try:
            from model_server.reading import openvino_cpu  # noqa: PLC0415 - the small image has no OpenVINO

            self._model: Callable[[NDArray[np.float32]], NDArray[np.float32]] = openvino_cpu.Compiled(
                openvino_cpu.load(path), (1, 3, _CROP, _CROP)
            )
        except (ImportError, RuntimeError) as error:
            raise WeightsUnavailable(f"OpenVINO is missing or cannot load {path.name}: {error}") from error

    def look(self, picture: Image.Image) -> Upwards:
        """At crops along the longer side of an 8-bit grey picture."""
        probabilities = np.mean([self._model(planes(crop))[0].copy() for crop in _crops(picture)], axis=0)
        best = int(probabilities.argmax())
        return Upwards(90 * (_QUARTERS - best) % 360, float(probabilities[best]))


def _crops(picture: Image.Image) -> list[Image.Image]:
    scale = _SHORT / min(picture.size)
    width, height = (max(_CROP, round(side * scale)) for side in picture.size)
    longest = max(width, height)
    most = _MOST_CROPS if longest > _LONG * _SHORT or min(picture.size) > 2 * _SHORT else 1
    places = [(longest - _CROP) * (2 * at + 1) // (2 * most) for at in range(most)]
    across = (min(width, height) - _CROP) // 2
    small = picture.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0)
    corners = [(place, across) if width > height else (across, place) for place in places]
    return [small.crop((x, y, x + _CROP, y + _CROP)) for x, y in corners]

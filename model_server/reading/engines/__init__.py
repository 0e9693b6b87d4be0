"""Engines behind one interface: grey pixels in, words out. They run in worker processes only."""

from __future__ import annotations

import hashlib
import importlib
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from service_kit.page import LANGUAGE_NAME, Parameters, Word

if TYPE_CHECKING:
    from model_server.reading.image import PageImage

# All engines: module and class. That of Tesseract is called with `tessdata: Path | None`, the neural with nothing.
_CLASSES = {
    "neural": "model_server.reading.engines.neural.engine:NeuralEngine",
    "tesserocr": "model_server.reading.engines.tesserocr_engine:TesserocrEngine",
    "pytesseract": "model_server.reading.engines.pytesseract_engine:PytesseractEngine",
}


class EngineUnavailable(Exception):
    """The engine can't start; `str(error)` says what is missing."""


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """Describes an engine. `languages` maps each language it can read to the SHA-256 of its data."""

    name: str
    version: str
    languages: dict[str, str]
    has_psm: bool = True

    as_dict = asdict


class Engine(Protocol):
    """One initialised engine. `read` is called for one page at a time; it may be slow, crash or hang."""

    info: EngineInfo

    def read(self, image: PageImage, parameters: Parameters) -> list[Word]: ...


def make(name: str, tessdata: Path | None) -> Engine:
    """Tesseract by the library or the program of that name, or `module:Class`.

    Raises:
        EngineUnavailable: a requirement of the engine is missing.
    """
    engine: Engine = class_of(name)(tessdata)
    if not engine.info.languages:
        raise EngineUnavailable(f"No *.traineddata in {tessdata}.")
    return engine


def class_of(name: str) -> Any:
    """The class of that name, or `module:Class`. This imports the engine's library."""
    module, _, attribute = _CLASSES.get(name, name).partition(":")
    return getattr(importlib.import_module(module), attribute)


_NOT_LANGUAGES = frozenset({"osd", "equ"})


def traineddata(folder: Path) -> dict[str, str]:
    """The languages in a folder, each with the SHA-256 of its data."""
    return {
        file.stem: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.glob("*.traineddata"))
        if re.fullmatch(LANGUAGE_NAME, file.stem) and file.stem not in _NOT_LANGUAGES
    }

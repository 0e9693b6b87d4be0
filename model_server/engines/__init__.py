"""Engines behind one interface: grey pixels in, words out. They live in worker processes only."""

from __future__ import annotations

import hashlib
import importlib
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from model_server.page import GreyImage, Parameters, Word

# The one table of engines. Each module has a class `Engine(tessdata: Path | None)`.
_MODULES = {
    "tesserocr": "model_server.engines.tesserocr_engine",
    "pytesseract": "model_server.engines.pytesseract_engine",
}


class EngineUnavailable(Exception):
    """The engine can't start; `str(error)` says what is missing."""


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What an engine is. `languages` maps each language it can read to the SHA-256 of its data."""

    name: str
    version: str
    languages: dict[str, str]
    has_psm: bool = True

    as_dict = asdict


class Engine(Protocol):
    """One warm engine. `read` is called for one page at a time and may take, crash or hang as it likes."""

    info: EngineInfo

    def read(self, image: GreyImage, parameters: Parameters) -> list[Word]: ...


def make(name: str, tessdata: Path | None) -> Engine:
    """The engine of that name, or `module:Class`.

    Raises:
        EngineUnavailable: something that it needs is not there.
    """
    module, _, attribute = name.partition(":")
    found: Any = importlib.import_module(_MODULES.get(module, module))
    engine: Engine = getattr(found, attribute or "Engine")(tessdata)
    if not engine.info.languages:
        raise EngineUnavailable(f"No *.traineddata in {tessdata}.")
    return engine


_LANGUAGE = re.compile(r"[A-Za-z0-9_]{2,32}")
_NOT_LANGUAGES = frozenset({"osd", "equ"})


def traineddata(folder: Path) -> dict[str, str]:
    """The languages in a folder with the SHA-256 of each."""
    return {
        file.stem: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.glob("*.traineddata"))
        if _LANGUAGE.fullmatch(file.stem) and file.stem not in _NOT_LANGUAGES
    }

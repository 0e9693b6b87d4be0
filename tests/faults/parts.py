"""Tesseract whose reader of a part of `SHEET` stops where the test wants, and a picture that is read in parts.

For `MODEL_SERVER_ENVIRONMENT=test MODEL_SERVER_TEST_ENGINE=tests.faults.parts:StopsAtParts` only.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from random import Random

from model_server.reading.engines.tesserocr_engine import TesserocrEngine
from model_server.reading.image import PageImage
from service_kit.page import Parameters, Word
from tests.pictures import render, text
from tests.pictures.formats import FORMATS
from tests.pictures.layout import SERIF, Line, draw, wrap

STOP = "STOP_AT_PARTS"  # a file: while it exists, the next reader of a part renames it, and waits
_SIZE = (1237, 1749)  # its width tells it from other pictures
_PARAGRAPHS = (20, 17)  # lines: the part of the page's own worker is the higher one
_MARGIN, _STEP, _PRINT = 80, 42, 26


def _drawn() -> bytes:
    rng, lines, y = Random(1), [], _MARGIN
    for length in _PARAGRAPHS:
        rows = wrap(text.paragraph(rng, 3 * length), SERIF, _PRINT, _SIZE[0] - 2 * _MARGIN)[:length]
        lines += [Line(row, _MARGIN, y + _STEP * at, SERIF, _PRINT) for at, row in enumerate(rows)]
        y += _STEP * length + _STEP
    said = "\n".join(line.text for line in lines)
    return FORMATS["png grey"].encode(render.Picture(draw(lines, _SIZE), said, 150))


SHEET = _drawn()


class Stop:
    """The test's side: where the reader of a part stops, and goes on."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "stop"
        self.environment = {STOP: str(self._file)}

    def next_part(self) -> None:
        self._file.touch()

    def worker(self) -> int | None:
        """The process that has stopped; None if none has yet."""
        for file in self._file.parent.glob("stop.*"):
            return int(file.suffix[1:])
        return None

    def go_on(self) -> None:
        for file in self._file.parent.glob("stop.*"):
            file.unlink()


class StopsAtParts:
    def __init__(self, tessdata: Path | None) -> None:
        self._engine = TesserocrEngine(tessdata)
        self.info = self._engine.info

    def read(self, image: PageImage, parameters: Parameters) -> list[Word]:
        file = Path(os.environ[STOP])
        if image.width == _SIZE[0] and 2 * image.height < _SIZE[1] and file.exists():
            stopped = file.rename(file.with_suffix(f".{os.getpid()}"))
            while stopped.exists():
                time.sleep(0.01)
        return self._engine.read(image, parameters)

"""Documents whose pages say their document and their number, and an engine that reads these at once.

For `MODEL_SERVER_ENVIRONMENT=test MODEL_SERVER_TEST_ENGINE=tests.faults.numbered:Numbered` only. It reads other
pictures with Tesseract. A scanned page is a grid of black and white fields: 16 bits for the document, 12 for the
page, 8 for the time that it takes. With `dpi=72` a page of a PDF has as many pixels as points.
"""

from __future__ import annotations

import contextlib
import io
import os
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Literal

from PIL import Image

from model_server.reading.engines.tesserocr_engine import TesserocrEngine
from model_server.reading.image import PageImage
from service_kit.page import Parameters, Word

BEGUN = "NUMBERED_BEGUN"  # a file with a line for each page that is begun: what it says, and when
HOLD = "NUMBERED_HOLD"  # a folder: while it has a file with the page's text as its name, the page is not finished

_ACROSS, _DOWN, _FIELD = 9, 4, 4
_SIZE = ((_ACROSS + 2) * _FIELD, (_DOWN + 2) * _FIELD + 1)  # too small to be turned; the last row tells it apart
_BITS = (16, 12, 8)
_STEP = 0.02  # seconds

Kind = Literal["picture", "tiff", "pdf", "digital", "mixed"]
NAMES: dict[Kind, str] = {
    "picture": "page.png",
    "tiff": "scan.tiff",
    "pdf": "scan.pdf",
    "digital": "letters.pdf",
    "mixed": "both.pdf",
}


def said(document: int, page: int) -> str:
    """What the page says."""
    return f"document{document}page{page}"


def is_digital(kind: Kind, page: int) -> bool:
    """Whether the page's letters are embedded, so that no model server reads it."""
    return kind == "digital" or (kind == "mixed" and page % 3 == 0)


def make(kind: Kind, document: int, pages: int, seconds: float = 0.0) -> bytes:
    """A document of that many pages, each of which takes `seconds` to read."""
    from tests.documents import make as pdfs  # noqa: PLC0415 - workers do not need it
    from tests.pictures.render import Picture  # noqa: PLC0415

    numbers = range(1, pages + 1)
    if kind in ("picture", "tiff"):
        first, *rest = (_sheet(document, page, seconds) for page in numbers)
        stream = io.BytesIO()
        more = {"save_all": True, "append_images": rest, "compression": "group4"} if kind == "tiff" else {}
        first.save(stream, "TIFF" if kind == "tiff" else "PNG", **more)
        return stream.getvalue()
    parts = []
    for run in _runs([is_digital(kind, page) for page in numbers]):
        if is_digital(kind, run[0]):
            parts.append(pdfs.digital(*(said(document, page) for page in run)))
        else:
            parts.append(pdfs.scanned(*(Picture(_sheet(document, page, seconds), "", 72) for page in run)))
    return parts[0] if len(parts) == 1 else pdfs.joined(*parts)


def _runs(values: Sequence[bool]) -> list[list[int]]:
    """Page numbers, in runs of the same value."""
    runs: list[list[int]] = []
    for number, value in enumerate(values, 1):
        if runs and values[runs[-1][-1] - 1] == value:
            runs[-1].append(number)
        else:
            runs.append([number])
    return runs


def _sheet(document: int, page: int, seconds: float) -> Image.Image:
    code = document << _BITS[1] | page
    code = code << _BITS[2] | min(255, round(seconds / _STEP))
    sheet = Image.new("1", _SIZE, 1)
    for place in range(sum(_BITS)):
        if code >> place & 1:
            x, y = _FIELD * (1 + place % _ACROSS), _FIELD * (1 + place // _ACROSS)
            sheet.paste(0, (x, y, x + _FIELD, y + _FIELD))
    return sheet


def _decoded(image: PageImage) -> tuple[int, int, float]:
    code = 0
    for place in range(sum(_BITS)):
        x, y = _FIELD * (1 + place % _ACROSS), _FIELD * (1 + place // _ACROSS)
        code |= (image.pixels[(y + _FIELD // 2) * image.width + x + _FIELD // 2] < 128) << place
    rest, time_code = code >> _BITS[2], code & 255
    return rest >> _BITS[1], rest & (1 << _BITS[1]) - 1, time_code * _STEP


class Numbered:
    def __init__(self, tessdata: Path | None) -> None:
        self._engine = TesserocrEngine(tessdata)
        self.info = self._engine.info
        self._begun = os.environ.get(BEGUN)
        self._hold = os.environ.get(HOLD)

    def read(self, image: PageImage, parameters: Parameters) -> list[Word]:
        if (image.width, image.height) != _SIZE:
            return self._engine.read(image, parameters)
        document, page, seconds = _decoded(image)
        text = said(document, page)
        if self._begun:
            with Path(self._begun).open("a") as begun:
                begun.write(f"{text} {time.time():.3f}\n")
        time.sleep(seconds)
        while self._hold and (Path(self._hold) / text).exists():
            time.sleep(0.01)
        return [_word(text, image)]


def _word(text: str, image: PageImage) -> Word:
    box = (0, 0, image.width, image.height)
    return {"text": text, "confidence": 99.0, "bbox": box, "block": 1, "paragraph": 1, "line": 1}


class Pages:
    """The test's side: which pages are begun, and holding them."""

    def __init__(self, folder: Path) -> None:
        self._begun, self._held = folder / "begun", folder / "held"
        self._held.mkdir()
        self.environment = {BEGUN: str(self._begun), HOLD: str(self._held)}

    def begun(self) -> list[str]:
        """What the pages say, in the order in which they were begun."""
        return [text for text, _ in self.begun_at()]

    def begun_at(self) -> list[tuple[str, float]]:
        """The same with the times, in seconds since 1970."""
        with contextlib.suppress(FileNotFoundError):
            lines = self._begun.read_text().split("\n")[:-1]
            return [(text, float(when)) for text, _, when in (line.partition(" ") for line in lines)]
        return []

    def hold(self, document: int, *pages: int) -> None:
        """These pages are not finished until `let_go`."""
        for page in pages:
            (self._held / said(document, page)).touch()

    def let_go(self) -> None:
        for file in self._held.iterdir():
            file.unlink()


def sizes(rng: Random, most: int) -> tuple[Kind, int]:
    """A kind and a number of pages from 1 to `most`; most documents are short."""
    kind = rng.choices(list(NAMES), weights=(4, 2, 2, 1, 2))[0]
    if kind == "picture":
        return kind, 1
    low, high = rng.choices(((1, 1), (2, 10), (11, 60), (61, 300)), weights=(8, 8, 3, 1))[0]
    return kind, min(most, rng.randint(low, high))

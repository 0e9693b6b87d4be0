"""Tesseract's part of a shared page: what nobody else has read, the page's own worker reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import pytest

from model_server.reading import bands, parts
from model_server.reading.helpers import Helpers, Question
from model_server.reading.image import PageImage
from service_kit.page import Parameters, Word
from tests.pictures import text
from tests.pictures.layout import SANS, Line, draw

SIZE = (33_500, 330)
PARAMETERS = Parameters()


def strip() -> PageImage:
    """Two paragraphs of lines that are longer than what Tesseract reads."""
    row = text.paragraph(Random(1), 340)
    lines = [Line(row, 20, top, SANS, 28) for top in (20, 58, 96, 200, 238, 276)]
    image = draw(lines, SIZE)
    return PageImage(image.tobytes(), *SIZE, 0)


class Others(Helpers):
    """One idle worker, which reads its part with `engine`, or not at all."""

    def __init__(self, engine: Any = None) -> None:
        super().__init__()
        self.count = 1
        self._engine = engine

    def share(self, questions: Sequence[Question], own: Callable[[], Any]) -> tuple[Any, list[Any]]:
        return own(), [parts.answer(self._engine, *asked) if self._engine else None for asked in questions]


class Measuring:
    """An engine that reads no longer pictures than Tesseract, and finds one word in each."""

    def read(self, image: PageImage, _parameters: Parameters) -> list[Word]:
        assert max(image.width, image.height) <= bands.LONGEST_SIDE
        box = (image.width // 2, 10, image.width // 2 + 10, 20)
        return [{"text": "word", "confidence": 90.0, "bbox": box, "block": 1, "paragraph": 1, "line": 1}]


@pytest.mark.parametrize("helpers", [Others(), Others(Measuring())], ids=["nobody helps", "one helps"])
def test_parts_that_are_longer_than_tesseract_reads(helpers: Others) -> None:
    found = parts.read(Measuring(), strip(), PARAMETERS, helpers)  # type: ignore[arg-type]
    tops = sorted({word["bbox"][1] for word in found})
    assert len(tops) == 2, "it was read in parts"
    assert 138 < tops[1] - 10 < 206
    assert [word["block"] for word in found] == [1, 2, 3, 4]

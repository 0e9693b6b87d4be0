"""The size of type, by the height of words."""

from __future__ import annotations

import pytest
from PIL import ImageFont

from model_server.image_header import read_header
from model_server.reading.choice import read_neural
from model_server.reading.decoding import decode
from model_server.reading.engines.neural.engine import NeuralEngine
from model_server.reading.type_size import type_size
from quality.metrics import character_error_rate
from quality.sets import SETS
from service_kit.page import text_of
from tests.pictures.layout import MONO, SANS, SERIF


@pytest.mark.parametrize("face", [SERIF, SANS, MONO])
@pytest.mark.parametrize("text", ["West dream fresh began", "see us soon", "TOTAL 336.95", "a 7 y", "gypsum, 1kg"])
def test_lines_of_usual_typefaces(face: str, text: str) -> None:
    font = ImageFont.truetype(face, 40)
    boxes = [(word, font.getbbox(word)) for word in text.split()]
    found = type_size((word, box[3] - box[1]) for word, box in boxes)
    assert found == pytest.approx(40, rel=0.15)


def test_marks_alone_tell_nothing() -> None:
    assert type_size([("--", 3.0), ("...", 4.0)]) is None
    assert type_size([("--", 3.0), ("Tea", 29.2)]) == pytest.approx(40)


@pytest.mark.parametrize("seed", [3, 9])
def test_rows_of_a_small_table_stay_apart(seed: int) -> None:
    """The cut of a cell has ink of the rows above and below, which does not belong to its type."""
    page = SETS["tables"].draw("tuning", seed)
    image = decode(page.file, read_header(page.file)).image
    read = text_of(read_neural(NeuralEngine(), image, ("eng",)).words)
    assert character_error_rate(page.text, read) < 0.05

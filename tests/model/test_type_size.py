"""The size of type, by the height of words."""

from __future__ import annotations

import pytest
from PIL import ImageFont

from model_server.reading.type_size import type_size
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

"""The neural engine reads a table row by row."""

from __future__ import annotations

import pytest

from model_server.image_header import read_header
from model_server.reading.choice import read_neural
from model_server.reading.decoding import decode
from model_server.reading.engines.neural.engine import NeuralEngine
from quality.metrics import character_error_rate
from quality.sets import SETS
from service_kit.page import text_of


@pytest.fixture(scope="module")
def neural() -> NeuralEngine:
    return NeuralEngine()


@pytest.mark.parametrize(
    "seed",
    [
        # The cut of a cell has ink of the rows above and below, which does not belong to its type.
        pytest.param(3, id="small"),
        pytest.param(9, id="small, too"),
        # The page falls or rises by .3 degrees, which no cell is long enough to show.
        pytest.param(17, id="rising"),
        pytest.param(31, id="falling"),
        pytest.param(72, id="rising, 300 dpi"),
    ],
)
def test_its_rows_stay_together(neural: NeuralEngine, seed: int) -> None:
    page = SETS["tables"].draw("tuning", seed)
    image = decode(page.file, read_header(page.file)).image
    read = text_of(read_neural(neural, image, ("eng",)).words)
    assert character_error_rate(page.text, read) < 0.05

"""The ranges of the 8-bit recogniser, from a line of text; a whole run takes minutes."""

from __future__ import annotations

import pytest
from PIL import Image, ImageDraw, ImageFont

from model_server.reading.engines.neural import eight_bits
from model_server.reading.engines.neural.crops import HEIGHT
from model_server.reading.engines.neural.recogniser import padded
from quality import ranges


def test_a_range_is_that_of_the_values_of_the_node() -> None:
    crop = Image.new("L", (150, HEIGHT), 255)
    ImageDraw.Draw(crop).text((4, 4), "Total 12", font=ImageFont.load_default(32), fill=0)
    found = ranges.ranges([padded(crop)], [padded(crop)], ["Conv.0", "Conv.1"])
    assert found["Conv.0"] == (-1, 1)  # black and white pixels
    assert found["Conv.1"][0] == 0
    assert 1 < found["Conv.1"][1] < 20


def test_the_difference_is_a_share_of_the_range_that_is_there() -> None:
    assert ranges.difference((-1.0, 2.5), (-1.0, 1.0)) == pytest.approx(0.75)


def test_the_file_is_as_the_command_writes_it() -> None:
    assert ranges.as_json(eight_bits.ranges()) == eight_bits.RANGES.read_text()

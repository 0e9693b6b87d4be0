"""Pictures with a side over 32,767 pixels: all text, once, at its place."""

from __future__ import annotations

import base64
import io
from typing import Any

import httpx
import pytest
from PIL import Image

from model_server.reading import bands
from model_server.reading.image import PageImage
from service_kit.page import Parameters, Word
from tests.pictures.layout import SANS, Line, draw

HIGH, WIDE = (420, 33_500), (33_500, 90)
LINE_HEIGHT = 48


def read(model: httpx.Client, image: Image.Image, **parameters: Any) -> dict[str, Any]:
    stream = io.BytesIO()
    image.save(stream, "PNG", compress_level=1)
    encoded = base64.b64encode(stream.getvalue()).decode()
    call = {"instances": [{"image": {"b64": encoded}, "parameters": parameters}]}
    answer = model.post("/v1/models/ocr-model:predict", json=call)
    assert answer.status_code == 200, answer.text
    (found,) = answer.json()["predictions"]
    return dict(found)


def shared(length: int) -> tuple[int, int]:
    """What the first two bands share."""
    (_, end), (start, _) = bands._places(length)
    return start, end


def test_a_long_screenshot(model: httpx.Client) -> None:
    """Text at the beginning, at the end, and over all of what the bands share."""
    start, end = shared(HIGH[1])
    tops = [20, *range(start - 100, end + 100, LINE_HEIGHT), HIGH[1] - 60]
    lines = [Line(f"Entry number {1000 + at}", 20, top, SANS, 28) for at, top in enumerate(tops)]
    found = read(model, draw(lines, HIGH), psm=6)
    assert (found["width"], found["height"]) == HIGH
    assert [line for line in found["text"].split("\n") if line] == [line.text for line in lines]
    for word in found["words"]:
        if word["text"].isdigit():
            top = tops[int(word["text"]) - 1000]
            assert top <= word["bbox"][1] < word["bbox"][3] <= top + LINE_HEIGHT
    numbers = [word["block"] for word in found["words"]]
    assert sorted(set(numbers)) == list(range(1, max(numbers) + 1))
    assert numbers == sorted(numbers)


def test_a_wide_picture(model: httpx.Client) -> None:
    start, end = shared(WIDE[0])
    lefts = [20, *range(start - 300, end + 300, 130), WIDE[0] - 120]
    lines = [Line(str(1000 + at), left, 30, SANS, 28) for at, left in enumerate(lefts)]
    found = read(model, draw(lines, WIDE), psm=6)
    assert sorted(word["text"] for word in found["words"]) == [line.text for line in lines]


class Bystander:
    """An engine that finds these boxes, as far as they are in the band."""

    def __init__(self, boxes: list[tuple[int, int]], drift: int) -> None:
        self.boxes = boxes
        self.drift = drift
        self.calls = 0

    def read(self, _image: PageImage, _parameters: Parameters) -> list[Word]:
        (start, end), drift = bands._places(HIGH[1])[self.calls], self.drift * self.calls
        self.calls += 1
        inside = [(top, bottom) for top, bottom in self.boxes if start <= top and bottom <= end]
        return [
            {
                "text": str(top),
                "confidence": 90.0,
                "bbox": (0, top - start + drift, 50, bottom - start + drift),
                "block": 1,
                "paragraph": number,
                "line": 1,
            }
            for number, (top, bottom) in enumerate(inside, 1)
        ]


@pytest.mark.parametrize("drift", [-2, 0, 2])
@pytest.mark.parametrize("height", [20, 90, 100])
def test_words_at_the_cut_occur_once_though_each_band_places_them_differently(height: int, drift: int) -> None:
    start, end = shared(HIGH[1])
    boxes = [(top, top + height) for top in range(start - 1000, end + 1000, 100)]  # without a gap, if 100 high
    image = PageImage(bytes(HIGH[0] * HIGH[1]), *HIGH, 0)
    found = bands.read(Bystander(boxes, drift), image, Parameters())  # type: ignore[arg-type]
    assert [word["text"] for word in found] == [str(top) for top, _ in boxes]
    assert {word["block"] for word in found} == {1, 2}
    for block in (1, 2):
        numbers = [word["paragraph"] for word in found if word["block"] == block]
        assert numbers == list(range(1, len(numbers) + 1))

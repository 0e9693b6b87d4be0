"""Every format and mode of the same picture gives the same text."""

from __future__ import annotations

import base64
import io
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.pictures import degrade, formats, render
from tests.pictures.accuracy import character_error_rate


def read(model: httpx.Client, data: bytes) -> dict[str, Any]:
    body = {"instances": [{"image": {"b64": base64.b64encode(data).decode()}}]}
    response = model.post("/v1/models/ocr-model:predict", json=body)
    assert response.status_code == 200, response.text
    (prediction,) = response.json()["predictions"]
    return dict(prediction)


@pytest.mark.parametrize("name", formats.FORMATS)
def test_every_format_and_mode(model: httpx.Client, label: render.Picture, name: str) -> None:
    kind = formats.FORMATS[name]
    found = read(model, kind.encode(label))
    assert found["text"].split() == label.text.split()
    assert (found["width"], found["height"]) == label.image.size
    assert found["page_count"] == kind.frames
    assert found["format"] == {"PPM": "pnm", "HEIF": "heic"}.get(kind.pillow, kind.pillow.lower())


@pytest.mark.parametrize("mode", ["I", "F"])
def test_32_bit_grey(model: httpx.Client, label: render.Picture, mode: str) -> None:
    image = label.image.convert("L").convert("I").point(lambda value: value * 257).convert(mode)
    file = io.BytesIO()
    image.save(file, "TIFF")
    assert read(model, file.getvalue())["text"].split() == label.text.split()


def test_a_jpeg_with_more_pictures_behind_it(model: httpx.Client, label: render.Picture) -> None:
    file = io.BytesIO()
    other = Image.new("RGB", (50, 50))
    label.image.convert("RGB").save(file, "MPO", save_all=True, append_images=[other], quality=95)
    found = read(model, file.getvalue())
    assert found["text"].split() == label.text.split()
    assert found["page_count"] == 2


DEGRADED = {
    "perspective": lambda image: degrade.perspective(image, 1, 0.01),
    "blur": lambda image: degrade.blur(image, 1),
    "noise": lambda image: degrade.noise(image, 1),
    "uneven light": lambda image: degrade.uneven_light(image, 1),
    "jpeg": lambda image: degrade.jpeg(image, 30),
}


@pytest.mark.parametrize("how", DEGRADED)
def test_a_page_as_a_camera_sees_it(model: httpx.Client, how: str) -> None:
    """At most 5 % of the characters are wrong."""
    page = render.a4(2, 200)
    image = DEGRADED[how](page.image)
    found = read(model, formats.jpeg(render.Picture(image, page.text, page.dpi), 90))
    assert character_error_rate(page.text, found["text"]) < 0.05


def test_a_photograph(model: httpx.Client) -> None:
    """A photograph of a page on a table, 12 megapixels: at most 5 % of the characters are wrong."""
    photo = render.photo(1)
    assert character_error_rate(photo.text, read(model, formats.jpeg(photo, 85))["text"]) < 0.05


@pytest.mark.parametrize(("width", "height"), [(1, 1), (2, 2), (3, 3), (1, 500), (500, 1), (3, 2000), (20, 20)])
def test_tiny_pictures_have_no_text(model: httpx.Client, width: int, height: int) -> None:
    file = io.BytesIO()
    Image.new("L", (width, height), 255).save(file, "PNG")
    found = read(model, file.getvalue())
    assert (found["text"], found["words"], found["width"], found["height"]) == ("", [], width, height)

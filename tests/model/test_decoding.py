"""Decoding a file to grey pixels: the same result as Pillow in one step, with less memory."""

from __future__ import annotations

import base64
import io
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image, ImageOps

from model_server.errors import DamagedImage
from model_server.image_header import read_header
from model_server.reading import decoding
from tests.conftest import Launch
from tests.pictures import render

SIZE = (1500, 1600)  # several bands, the last of them narrower


@pytest.fixture(autouse=True, scope="module")
def prepared() -> None:
    decoding.prepare(50_000_000)


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def read(file: bytes) -> Image.Image:
    page = decoding.decode(file, read_header(file)).image
    return Image.frombytes("L", (page.width, page.height), page.pixels)


def noise(mode: str) -> Image.Image:
    """Random values in each band of each pixel."""
    values = np.random.default_rng(1).integers(0, 256, (SIZE[1], SIZE[0], 4), np.uint8)
    if mode == "I;16":
        return Image.fromarray(values.view(np.uint16)[:, :, 0])
    if mode in ("I", "F"):
        return Image.fromarray(values.view(np.uint16)[:, :, 0].astype(np.int32 if mode == "I" else np.float32))
    if mode == "P":
        return Image.fromarray(values[:, :, :3]).quantize(16)
    bands = range(len(Image.new(mode, (1, 1)).getbands()))
    return Image.merge(mode, [Image.fromarray(values[:, :, band]) for band in bands])


def in_one_step(image: Image.Image) -> Image.Image:
    if image.has_transparency_data:
        layered = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layered.size, "white"), layered).convert("L")
    if image.mode == "I;16":
        return image.convert("I").point(lambda value: value / 257).convert("L")
    if image.mode in ("I", "F"):
        return image.point(lambda value: value * (255 / 65535) + 0).convert("L")
    return image.convert("RGB").convert("L") if image.mode == "CMYK" else image.convert("L")


@pytest.mark.parametrize(
    ("mode", "kind", "options"),
    [
        ("RGBA", "PNG", {"compress_level": 0}),
        ("LA", "PNG", {"compress_level": 0}),
        ("P", "PNG", {"transparency": 3}),
        ("RGB", "PNG", {"transparency": (1, 2, 3), "compress_level": 0}),
        ("RGB", "PNG", {"compress_level": 0}),
        ("I;16", "PNG", {"compress_level": 0}),
        ("I", "TIFF", {}),
        ("F", "TIFF", {}),
        ("CMYK", "TIFF", {}),
    ],
)
def test_grey_by_bands_is_that_of_one_step(mode: str, kind: str, options: dict[str, Any]) -> None:
    image = noise(mode)
    file = encoded(image, kind, **options)
    with Image.open(io.BytesIO(file)) as opened:
        opened.load()
        expected = in_one_step(opened)
    difference = np.asarray(read(file)).astype(int) - np.asarray(expected)
    assert np.abs(difference).max() <= 1


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "TIFF", "PNG"])
def test_upright(kind: str, orientation: int) -> None:
    image = Image.linear_gradient("L").resize((40, 24))
    image.paste(0, (0, 0, 9, 5))
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = encoded(image.convert("RGBA" if kind == "PNG" else "L"), kind, exif=exif)
    with Image.open(io.BytesIO(file)) as opened:
        expected = ImageOps.exif_transpose(opened).convert("L")
    found = read(file)
    assert (found.size, found.tobytes()) == (expected.size, expected.tobytes())


def frames(count: int) -> list[Image.Image]:
    random = np.random.default_rng(count)
    return [Image.fromarray(random.integers(0, 256, (40, 60), np.uint8)) for _ in range(count)]


def gif(count: int) -> bytes:
    first, *others = frames(count)
    return encoded(first, "GIF", save_all=True, append_images=others)


def pages_of(file: bytes) -> int:
    return decoding.decode(file, read_header(file)).page_count


@pytest.mark.parametrize("count", [1, 2, 7])
def test_frames_of_a_gif(count: int) -> None:
    assert pages_of(gif(count)) == count
    assert pages_of(gif(count)[:-1]) == count, "without its end"
    assert pages_of(encoded(frames(1)[0], "GIF", comment=b"," * 700)) == 1


def test_a_gif_whose_later_frames_are_damaged_is_read() -> None:
    whole = gif(4)
    first = read(whole).tobytes()
    sound = len(whole) // 3
    for cut in range(sound + 20, len(whole), 97):
        found = decoding.decode(whole[:cut], read_header(whole))
        assert 1 <= found.page_count <= 4
        assert found.image.pixels == first
    with pytest.raises(DamagedImage):
        read(whole[: sound // 2])


def test_49_megapixels_of_rgba_in_640_mib(launch: Launch, label: render.Picture) -> None:
    image = Image.new("RGBA", (7000, 7000), (255, 255, 255, 0))
    image.paste(label.image.convert("RGBA"), (100, 100))
    call = {"instances": [{"image": {"b64": base64.b64encode(encoded(image, "PNG", compress_level=1)).decode()}}]}
    with launch({"WORKERS": "1", "WORKER_KILL_MIB": "640"}) as pair:
        answer = httpx.post(
            f"{pair.model.url}/v1/models/ocr-model:predict", json=call, timeout=60, trust_env=False
        )
    assert answer.status_code == 200, answer.text
    assert answer.json()["predictions"][0]["text"].split() == label.text.split()

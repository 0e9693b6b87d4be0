"""JPEGs whose last bytes are missing: read with a warning while nearly all pixels are there, else refused."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from model_server.errors import DamagedImage
from model_server.image_header import read_header
from model_server.reading import decoding
from tests.pictures import formats, render

PAGE = render.page(1)
KINDS: dict[str, dict[str, Any]] = {
    "baseline": {"quality": 90},
    "progressive": {"quality": 90, "progressive": True},
    "restart markers": {"quality": 75, "optimize": True, "restart_marker_rows": 4},
    "no subsampling": {"quality": 85, "subsampling": 0},
}
VISIBLE = 80  # levels of grey: paper and ink differ by more


@pytest.fixture(autouse=True, scope="module")
def prepared() -> None:
    decoding.prepare(50_000_000)


def jpeg(mode: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    PAGE.image.convert(mode).save(stream, "JPEG", **options)
    return stream.getvalue()


def decoded(file: bytes) -> decoding.Decoded:
    return decoding.decode(file, read_header(file))


def pixels(found: decoding.Decoded) -> Any:
    page = found.image
    return np.frombuffer(page.pixels, np.uint8).reshape(page.height, page.width).astype(int)


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("kind", KINDS)
def test_without_its_end(kind: str, mode: str) -> None:
    whole = jpeg(mode, **KINDS[kind])
    for missing in (1, 2):
        found = decoded(whole[:-missing])
        assert found.warnings == ("truncated",)
        assert np.abs(pixels(found) - pixels(decoded(whole))).max() <= 1
    assert not decoded(whole).warnings
    assert not decoded(whole + bytes(100)).warnings


@pytest.mark.parametrize("kind", KINDS)
def test_cut_anywhere_no_text_is_missing_without_a_word(kind: str) -> None:
    whole = jpeg("RGB", **KINDS[kind])
    sound = pixels(decoded(whole))
    outcomes = set()
    for missing in (4, 10, 30, 100, 300, 1000, 3000, 10_000, len(whole) // 2, len(whole) - 700):
        try:
            found = decoded(whole[:-missing])
        except DamagedImage:
            outcomes.add("refused")
            continue
        outcomes.add("read")
        assert found.warnings == ("truncated",)
        lost = np.abs(pixels(found) - sound) > VISIBLE
        assert lost.mean() <= 0.02
    assert outcomes == {"read", "refused"}


@pytest.mark.parametrize("kind", KINDS)
def test_cut_in_the_middle(kind: str) -> None:
    whole = jpeg("RGB", **KINDS[kind])
    for part in (0.1, 0.3, 0.5):
        with pytest.raises(DamagedImage):
            decoded(whole[: int(part * len(whole))])


@pytest.mark.parametrize("options", [{"quality": 90}, {"quality": 30, "optimize": True}])
def test_zeros_in_place_of_what_was_not_downloaded(options: dict[str, Any]) -> None:
    whole = jpeg("L", **options)
    for missing in (len(whole) // 2, len(whole) // 20):
        with pytest.raises(DamagedImage):
            decoded(whole[:-missing] + bytes(1_000_000))
    assert decoded(whole[:-2] + bytes(1000)).warnings == ("truncated",)
    assert not decoded(whole + bytes(1000)).warnings


def test_turned_and_cut() -> None:
    found = decoded(formats.jpeg_turned(PAGE, 6)[:-2])
    assert (found.image.width, found.image.height) == PAGE.image.size
    assert found.warnings == ("truncated",)


def test_a_png_without_its_end_is_whole() -> None:
    whole = formats.FORMATS["png grey"].encode(PAGE)
    for missing in (4, 12, 16):
        found = decoded(whole[:-missing])
        assert not found.warnings
        assert Image.frombytes("L", PAGE.image.size, found.image.pixels).tobytes() == PAGE.image.tobytes()
    with pytest.raises(DamagedImage):
        decoded(whole[: len(whole) // 2])


@pytest.mark.parametrize("kind", ["baseline", "restart markers", "no subsampling"])
def test_an_end_in_the_middle_is_not_taken_for_the_end(kind: str) -> None:
    """The decoder fills what is missing with one level, and says nothing."""
    whole = jpeg("RGB", **KINDS[kind])
    for part in (0.3, 0.7):
        with pytest.raises(DamagedImage):
            decoded(whole[: int(part * len(whole))] + b"\xff\xd9")
    assert decoded(whole[:-10] + b"\xff\xd9").warnings == ("truncated",)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(33, 17), (640, 480), (7, 5)])
def test_a_blank_picture_is_whole(kind: str, size: tuple[int, int]) -> None:
    stream = io.BytesIO()
    Image.new("RGB", size, "white").save(stream, "JPEG", **KINDS[kind])
    for behind in (b"", b"more bytes", bytes(40), stream.getvalue()):
        found = decoded(stream.getvalue() + behind)
        assert not found.warnings
        assert set(found.image.pixels) == {255}


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("kind", ["baseline", "restart markers", "no subsampling"])
def test_a_complete_file_is_decoded_once(monkeypatch: pytest.MonkeyPatch, kind: str, mode: str) -> None:
    whole = jpeg(mode, **KINDS[kind])
    opened = []
    open_image = Image.open

    def counted(*given: Any, **options: Any) -> Image.Image:
        opened.append(given)
        return open_image(*given, **options)

    monkeypatch.setattr(Image, "open", counted)
    assert not decoded(whole).warnings
    assert len(opened) == 1
    assert decoded(whole[:-20] + b"\xff\xd9").warnings == ("truncated",)

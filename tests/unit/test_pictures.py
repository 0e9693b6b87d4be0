from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageChops, ImageOps, ImageStat

from tests.pictures import degrade, formats, render
from tests.pictures.accuracy import character_error_rate, word_error_rate

if TYPE_CHECKING:
    from collections.abc import Callable

SIZES: dict[Callable[[int], render.Picture], tuple[int, int] | None] = {
    render.label: (300, 100),
    render.page: (640, 480),
    render.a4: (1654, 2339),
    render.receipt: None,
    render.photo: (3000, 4000),
}
WITH_RESOLUTION = ("PNG", "JPEG", "TIFF", "BMP")


@pytest.fixture(autouse=True, scope="module")
def _heif_opener() -> None:
    pillow_heif.register_heif_opener()


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def over_white(image: Image.Image) -> Image.Image:
    """The first frame as a reader sees it: upright, in grey."""
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) // 257).astype(np.uint8))
    layer = image.convert("RGBA" if image.has_transparency_data else "RGB").convert("RGBA")
    paper = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(paper, layer).convert("L")


@pytest.mark.parametrize("draw", SIZES, ids=lambda draw: draw.__name__)
def test_a_seed_decides_a_picture(draw: Callable[[int], render.Picture]) -> None:
    first, again, other = draw(3), draw(3), draw(4)

    assert first.text == again.text
    assert first.image.tobytes() == again.image.tobytes()
    assert first.text != other.text
    assert SIZES[draw] in (None, first.image.size)


def test_text_of_a_sheet_is_the_same_at_every_resolution() -> None:
    coarse, fine = render.a4(1), render.a4(1, dpi=300)

    assert coarse.text == fine.text
    assert fine.image.size == (2480, 3508)


@pytest.mark.parametrize("name", degrade.DEGRADATIONS)
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_seed_decides_a_degradation(name: str, mode: str) -> None:
    clean = render.label(0).image.convert(mode)
    before = clean.tobytes()
    spoil = degrade.DEGRADATIONS[name]

    spoiled = spoil(clean, 5)

    assert spoiled.tobytes() == spoil(clean, 5).tobytes()
    assert spoiled.tobytes() != spoil(clean, 6).tobytes()
    assert (spoiled.mode, spoiled.size) == (mode, clean.size)
    assert clean.tobytes() == before


@pytest.mark.parametrize("name", formats.FORMATS)
def test_a_format_keeps_what_it_says(name: str) -> None:
    picture = render.label(1)
    kind = formats.FORMATS[name]

    data = kind.encode(picture)
    with opened(data) as image:
        assert image.format == kind.pillow
        assert getattr(image, "n_frames", 1) == kind.frames
        if kind.pillow in WITH_RESOLUTION:
            assert [round(float(dots)) for dots in image.info["dpi"]] == [picture.dpi] * 2
        seen = over_white(image)

    assert data == kind.encode(picture)
    assert seen.size == picture.image.size
    wanted = formats.bilevel(picture).convert("L") if kind.keeps == "bilevel" else picture.image
    difference = ImageStat.Stat(ImageChops.difference(seen, wanted))
    if kind.keeps == "nearly":
        assert difference.mean[0] < 2
    else:
        assert difference.extrema == [(0, 0)]


@pytest.mark.parametrize("orientation", formats.ORIENTATIONS)
def test_orientation_is_stored_and_not_applied(orientation: int) -> None:
    with opened(formats.jpeg_turned(render.label(1), orientation)) as image:
        assert image.getexif()[0x0112] == orientation
        assert image.size == ((300, 100) if orientation < 5 else (100, 300))


def test_pages_of_a_tiff_keep_their_sizes_and_resolutions() -> None:
    pictures = [render.label(1), render.page(2), replace(render.label(3), dpi=99)]

    with opened(formats.tiff_pages(pictures)) as image:
        for number, picture in enumerate(pictures):
            image.seek(number)
            assert image.size == picture.image.size
            assert image.info["dpi"] == (picture.dpi, picture.dpi)
            assert image.convert("L").tobytes() == picture.image.tobytes()


@pytest.mark.parametrize(
    ("expected", "actual", "characters", "words"),
    [
        ("one two", "one\n\n two ", 0, 0),
        ("abcd", "abed", 1 / 4, 1),
        ("one two", "", 1, 1),
        ("one", "one more", 5 / 3, 1),
        ("", "", 0, 0),
        ("", "noise", 1, 1),
    ],
)
def test_error_rates(expected: str, actual: str, characters: float, words: float) -> None:
    assert character_error_rate(expected, actual) == pytest.approx(characters)
    assert word_error_rate(expected, actual) == pytest.approx(words)

"""The text layer of a searchable PDF, as other programs read it: Poppler's pdftotext, qpdf and PDFium."""

from __future__ import annotations

import asyncio
import io
import os
import struct
import time
from collections.abc import Callable
from operator import itemgetter
from pathlib import Path
from typing import Any

import pikepdf
import pypdfium2
import pytest
from PIL import Image

from api_gateway import errors
from api_gateway.documents import composer
from service_kit import slant
from service_kit.errors import DeadlineExceeded
from tests.documents import make
from tests.documents.composing import MIB, NEAR, Bench, check_places, compose, in_pdfium, page, poppler, word
from tests.pictures import render

WORDS = (("Searchable", (300, 400, 700, 450)), ("naïve", (720, 400, 900, 450)), ("文𝒳", (300, 1600, 400, 1660)))


def pixels(pdf: bytes) -> list[bytes]:
    with pypdfium2.PdfDocument(pdf) as document:
        return [one.render(scale=1, grayscale=True).to_pil().tobytes() for one in document]


LINES = [word(text, box, line) for (text, box), line in zip(WORDS, (1, 1, 2), strict=True)]


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_words_stand_where_one_sees_them_however_the_page_is_turned(degrees: int, tmp_path: Path) -> None:
    document = make.turned(make.digital("Drawn"), degrees)
    width, height = (1240, 1754) if degrees % 180 == 0 else (1754, 1240)
    words = [word("Above", (100, 100, 300, 140)), word("left", (310, 100, 400, 140))]
    made = compose(tmp_path, document, page(words, width, height))
    (found,) = poppler(made, tmp_path)
    ours = [one for one in found if one[0] != "Drawn"]
    check_places(ours, words, 595.28 / 1240)


def test_all_of_unicode_and_phrases_that_can_be_searched(tmp_path: Path) -> None:
    made = compose(tmp_path, make.sized(595.28, 841.89), page(LINES))
    check_places(poppler(made, tmp_path)[0], LINES, 595.28 / 1240)
    with pypdfium2.PdfDocument(made) as document:
        text = document[0].get_textpage()
        assert text.search("Searchable naïve").get_next() is not None


def cropped(pdf: pikepdf.Pdf) -> None:
    pdf.pages[0].cropbox = pikepdf.Array([100, 50, 500, 700])


def inherited(pdf: pikepdf.Pdf) -> None:
    """The page inherits its required entries from the page tree."""
    only = pdf.pages[0].obj
    for key in ("/Resources", "/MediaBox"):
        pdf.Root.Pages[key] = only[key]
        del only[key]


def unbalanced(pdf: pikepdf.Pdf) -> None:
    """Its content leaves the coordinate system upside down."""
    pdf.pages[0].contents_add(b"q 0.1 0 0 -0.1 300 300 cm", prepend=False)


def shared(pdf: pikepdf.Pdf) -> None:
    """Two pages that share their content and their resources."""
    pdf.pages.append(pdf.pages[0])


@pytest.mark.parametrize("change", [cropped, inherited, unbalanced, shared])
def test_odd_pages_look_as_before_and_have_their_words(
    change: Callable[[pikepdf.Pdf], None], tmp_path: Path
) -> None:
    pdf = pikepdf.open(io.BytesIO(make.digital("Drawn")))
    change(pdf)
    document = make.saved(pdf)
    left, bottom, right, top = (float(value) for value in pdf.pages[0].cropbox)
    scale = 0.5
    size = round((right - left) / scale), round((top - bottom) / scale)
    words = [word("Layer", (200, 300, 320, 330))]
    pages = [page(words, *size, number=number) for number in range(1, len(pdf.pages) + 1)]
    made = compose(tmp_path, document, *pages)
    for found in poppler(made, tmp_path):
        # pdftotext counts from the corner of the media box
        shift_x, shift_y = left, float(pdf.pages[0].mediabox[3]) - top
        (box,) = (box for text, box in found if text == "Layer")
        expected = (200 * scale + shift_x, 300 * scale + shift_y, 320 * scale + shift_x, 330 * scale + shift_y)
        assert box == pytest.approx(expected, abs=NEAR)
    assert pixels(made) == pixels(document)


def test_the_words_of_a_slanting_line_stay_whole_and_on_it(tmp_path: Path) -> None:
    slope, height = 0.05, 30
    words = []
    for number in range(8):
        x = 100 + 130 * number
        y = round(800 - slope * x)
        words.append(word(f"word{number}", (x, y - height - round(slope * 110), x + 110, y)))
    made = compose(tmp_path, make.sized(595.28, 841.89), page(words))
    check_places(sorted(poppler(made, tmp_path)[0]), words, 595.28 / 1240)


@pytest.mark.parametrize("rotation", [90, 180, 270])
@pytest.mark.parametrize("sheet", [0, 90, 180, 270])
def test_the_words_of_a_page_that_lies_on_its_side_run_with_its_lines(
    rotation: int, sheet: int, tmp_path: Path
) -> None:
    """`sheet` is the rotation of the PDF's page, `rotation` that of the scan on it as it is shown."""
    upright = [
        ("Searchable", (100, 100, 300, 140)),
        ("text", (310, 100, 400, 140)),
        ("below", (100, 160, 230, 200)),
    ]
    shown = (1240, 1754) if sheet % 180 == 0 else (1754, 1240)
    size = shown[::-1] if rotation % 180 else shown
    words = [
        word(text, slant.upright(box, size, 360 - rotation), line)
        for (text, box), line in zip(upright, (1, 1, 2), strict=True)
    ]
    document = make.turned(make.sized(595.28, 841.89), sheet)
    made = compose(tmp_path, document, page(words, *shown, rotation=rotation))
    (found,) = poppler(made, tmp_path)
    check_places(sorted(found), sorted(words, key=itemgetter("text")), 595.28 / 1240)
    places = in_pdfium(made, words, shown)
    for one in words:
        (place,) = places[one["text"]]
        assert place == pytest.approx(one["bbox"], abs=6), one["text"]
    if rotation != 180:  # PDFium takes the words of a line that is upside down from left to right
        with pypdfium2.PdfDocument(made) as pdf:
            assert pdf[0].get_textpage().search("Searchable text").get_next() is not None


def test_the_words_of_a_page_with_a_skew_are_as_high_as_their_letters(tmp_path: Path) -> None:
    width, height = slant.box_of(400, 40, 6)
    words = [word("Slanting", (300, 500, 300 + round(width), 500 + round(height)))]
    made = compose(tmp_path, make.sized(595.28, 841.89), page(words, skew=6))
    ((_, (x0, y0, x1, y1)),) = poppler(made, tmp_path)[0]
    scale = 595.28 / 1240
    assert y1 - y0 == pytest.approx(40 * scale, abs=1)
    assert (y0 + y1) / 2 == pytest.approx((500 + height / 2) * scale, abs=1)
    assert (x0, x1) == pytest.approx((300 * scale, (300 + width) * scale), abs=1)


@pytest.mark.parametrize("down", [True, False])
def test_lines_that_run_up_or_down(down: bool, tmp_path: Path) -> None:
    ends = [(200 + 200 * at, 350 + 200 * at) for at in range(3)]
    boxes = [(600, top, 640, bottom) for top, bottom in (ends if down else ends[::-1])]
    words = [word(f"word{at}", box) for at, box in enumerate(boxes)]
    made = compose(tmp_path, make.sized(595.28, 841.89), page(words))
    found = poppler(made, tmp_path)[0]
    check_places(sorted(found), words, 595.28 / 1240)


def test_a_selection_of_pages_in_its_order(tmp_path: Path) -> None:
    document = make.digital("one", "two", "three")
    picked = [page([word(name, (100, 100, 200, 140))], number=number) for name, number in (("C", 3), ("A", 1))]
    made = compose(tmp_path, document, *picked, count=3)
    texts = [{text for text, _ in found} for found in poppler(made, tmp_path)]
    assert texts == [{"three", "C"}, {"one", "A"}]


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("kind", "options", "dpi"),
    [
        ("PNG", {"dpi": (150, 150)}, 150),
        ("PNG", {}, 300),
        ("JPEG", {"dpi": (150, 150)}, 150),
        ("TIFF", {"dpi": (150, 150)}, 150),
    ],
)
def test_a_picture_becomes_a_page_of_its_true_size(
    kind: str, options: dict[str, Any], dpi: int, tmp_path: Path, label: render.Picture
) -> None:
    image = label.image.convert("RGB")
    words = [word("HELLO", (20, 20, 120, 50))]
    made = compose(tmp_path, encoded(image, kind, **options), page(words, *image.size), kind="picture")
    (found,) = poppler(made, tmp_path)
    check_places(found, words, 72 / dpi)
    with pypdfium2.PdfDocument(made) as document:
        assert document[0].get_size() == pytest.approx([72 * side / dpi for side in image.size], abs=0.1)
        shown = document[0].render(scale=dpi / 72).to_pil().convert("L")
    assert shown.size == pytest.approx(image.size, abs=1)


@pytest.mark.parametrize("orientation", [1, 3, 6, 8, 5])
def test_a_turned_photograph_is_shown_upright_under_its_words(orientation: int, tmp_path: Path) -> None:
    image = Image.new("RGB", (400, 200), "white")
    image.paste("black", (0, 0, 200, 100))
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(image, "JPEG", exif=exif, quality=95)
    upright_size = (400, 200) if orientation in (1, 3) else (200, 400)
    words = [word("HELLO", (20, 20, 120, 50))]
    made = compose(tmp_path, data, page(words, *upright_size), kind="picture")
    check_places(poppler(made, tmp_path)[0], words, 72 / 300)
    with pypdfium2.PdfDocument(made) as document:
        shown = document[0].render(scale=300 / 72).to_pil().convert("L")
    assert shown.size == upright_size
    corners = {(x, y) for x in (0.25, 0.75) for y in (0.25, 0.75)}
    dark = {(x, y) for x, y in corners if shown.getpixel((int(x * shown.width), int(y * shown.height))) < 128}
    assert (
        dark
        == {1: {(0.25, 0.25)}, 3: {(0.75, 0.75)}, 6: {(0.75, 0.25)}, 8: {(0.25, 0.75)}, 5: {(0.25, 0.25)}}[
            orientation
        ]
    )


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_phones_mpo_goes_in_as_its_first_jpeg(orientation: int, tmp_path: Path) -> None:
    image, other = noise(200).crop((0, 0, 200, 100)), noise(150)
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(image, "MPO", save_all=True, append_images=[other], exif=exif, quality=95)
    made = compose(tmp_path, data, page([], *image.size), kind="picture")
    with pikepdf.open(io.BytesIO(made)) as pdf:
        embedded = pdf.pages[0].resources.XObject.Picture
        assert embedded.Filter == "/DCTDecode"
        first = embedded.read_raw_bytes()
    assert data.startswith(first)
    assert first.endswith(b"\xff\xd9")
    assert len(first) < 0.6 * len(data)
    with pypdfium2.PdfDocument(made) as document:
        shown = document[0].render(scale=300 / 72).to_pil()
    assert shown.size == (image.size if orientation == 1 else image.size[::-1])


def test_thumbnails_of_a_tiff_are_no_pages_of_the_pdf(tmp_path: Path) -> None:
    first, thumbnail, second = (Image.new("L", size, "white") for size in ((400, 300), (40, 30), (300, 400)))
    thumbnail.encoderinfo = {"tiffinfo": {254: 1}}
    data = encoded(first, "TIFF", save_all=True, append_images=[thumbnail, second], dpi=(300, 300))
    made = compose(tmp_path, data, page([], *first.size), page([], *second.size, number=2), kind="tiff")
    with pypdfium2.PdfDocument(made) as document:
        shown = [sheet.render(scale=300 / 72).to_pil().size for sheet in document]
    assert shown == [first.size, second.size]


@pytest.mark.parametrize(
    ("mode", "kind", "value"),
    [
        ("I;16", "PNG", 0x8000),
        ("I;16B", "TIFF", 0x8000),
        ("I", "TIFF", 0x8000),
        ("I", "PPM", 0x8000),
        ("I", "TIFF", 128),
    ],
)
def test_deep_grey_stays_grey(mode: str, kind: str, value: int, tmp_path: Path) -> None:
    values = struct.pack(
        ">30000H" if mode == "I;16B" else "=30000I" if mode == "I" else "<30000H", *[value] * 30000
    )
    data = encoded(Image.frombytes(mode, (200, 150), values), kind)
    made = compose(tmp_path, data, page([], 200, 150), kind="picture")
    with pypdfium2.PdfDocument(made) as document:
        shown = document[0].render(scale=1).to_pil().convert("L")
    assert shown.getextrema() == pytest.approx((128, 128), abs=1)


def test_what_can_not_be_parsed_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(errors.DamagedDocument):
        compose(tmp_path, b"%PDF-1.7 nonsense", page(LINES))


ODD = {
    "no height": (300, 400, 700, 400),
    "no width": (300, 400, 300, 450),
    "a point": (300, 400, 300, 400),
    "ends before it begins": (700, 450, 300, 400),
    "left of the page": (-500, 400, -100, 450),
    "across the edge": (-100, -20, 200, 40),
    "beyond the page": (5000, 5000, 5100, 5050),
}


@pytest.mark.parametrize("name", ODD)
def test_a_word_whose_box_makes_no_sense_is_in_the_text_and_on_the_page(name: str, tmp_path: Path) -> None:
    words = [word("Before", (300, 100, 400, 140)), word("Strange", ODD[name], 2)]
    made = compose(tmp_path, make.sized(595.28, 841.89), page(words))
    (found,) = poppler(made, tmp_path)
    assert sorted(text for text, _ in found) == ["Before", "Strange"]
    for _, (left, top, right, bottom) in found:
        assert -NEAR < left < right < 595.28 + NEAR
        assert -NEAR < top < bottom < 841.89 + NEAR


def test_what_is_transparent_becomes_white(tmp_path: Path) -> None:
    image = Image.new("RGBA", (800, 3000), (0, 0, 0, 0))
    image.paste((0, 0, 0, 255), (0, 0, 800, 1000))
    image.paste((0, 0, 0, 128), (0, 1000, 800, 2000))
    made = compose(tmp_path, encoded(image, "PNG"), page([], *image.size), kind="picture")
    with pypdfium2.PdfDocument(made) as document:
        shown = document[0].render(scale=1).to_pil().convert("L")
    third = shown.height // 3
    values = [shown.getpixel((shown.width // 2, third * at + third // 2)) for at in range(3)]
    assert values == pytest.approx([0, 127, 255], abs=1)


# Limits of a PDF, and composers that fail.


def test_a_large_picture_with_transparency_takes_half_of_what_its_layers_would(tmp_path: Path) -> None:
    """36 megapixels: 137 MiB uncompressed."""
    image = Image.new("RGBA", (6000, 6000), (10, 20, 30, 128))
    data = encoded(image, "PNG", compress_level=1)
    bench = Bench(tmp_path, kill=137 * 2)
    made = asyncio.run(bench.compose(data, page([], *image.size), kind="picture"))
    assert made.startswith(b"%PDF")


def noise(side: int) -> Image.Image:
    """Pixels that do not compress."""
    return Image.frombytes("RGB", (side, side), os.urandom(3 * side * side))


def test_many_pictures_are_never_all_in_memory(tmp_path: Path) -> None:
    """80 MiB of pixels, in a process that uses 65 MiB for a single pixel."""
    numbers = range(1, 21)
    first, *others = [noise(1180)] * len(numbers)
    pages = [page([word(f"w{number}", (10, 10, 200, 50))], 1180, 1180, number) for number in numbers]
    data = encoded(first, "TIFF", save_all=True, append_images=others)
    made = asyncio.run(Bench(tmp_path, kill=100).compose(data, *pages, kind="tiff"))
    assert len(made) > 75 * MIB
    with pypdfium2.PdfDocument(made) as document:
        found = [one.get_textpage().get_text_range().split() for one in document]
    assert found == [[f"w{number}"] for number in numbers]


def test_a_pdf_that_outgrows_the_disk_budget_is_told_of_and_gives_it_back(tmp_path: Path) -> None:
    image = noise(1200)
    data = encoded(image, "WEBP", quality=1)  # its pixels need more bytes when stored without loss
    bench = Bench(tmp_path, disk=3)
    with pytest.raises(errors.NoSpace):
        asyncio.run(bench.compose(data, page([], *image.size), kind="picture"))
    left = [path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()]
    assert max(left) <= 1.5 * MIB + len(data)
    assert not bench.disk.used
    made = asyncio.run(Bench(tmp_path, disk=20).compose(data, page([], *image.size), kind="picture"))
    assert len(made) > max(left)


def test_a_composer_over_its_memory_is_killed_and_is_not_the_documents_fault(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = encoded(Image.new("RGB", (8000, 8000)), "PNG")
    for kill, common in ((100, 1000), (1000, 100)):
        bench = Bench(tmp_path, kill=kill, common=common)
        with pytest.raises(errors.ComposerFailed):
            asyncio.run(bench.compose(data, page([], 8000, 8000), kind="picture"))
        assert "memory" in caplog.records[-1].__dict__["cause"]
        assert not bench.disk.used
        assert not bench.common.children


@pytest.fixture
def _faulty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(composer, "_MODULE", "tests.documents.faulty_composer")


@pytest.mark.usefixtures("_faulty")
def test_the_death_of_a_composer_is_not_the_documents_fault(tmp_path: Path) -> None:
    with pytest.raises(errors.ComposerFailed) as caught:
        asyncio.run(Bench(tmp_path, fault="crashes").compose(make.digital("sound"), page(LINES)))
    assert (caught.value.status, caught.value.code) == (503, "composer_failed")


def test_a_composer_that_can_not_be_started_is_not_the_documents_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(composer, "_MODULE", "tests.documents.no_such_composer")
    with pytest.raises(errors.ComposerFailed):
        compose(tmp_path, make.digital("sound"), page(LINES))


@pytest.mark.usefixtures("_faulty")
def test_a_picture_does_not_wait_behind_documents(tmp_path: Path, label: render.Picture) -> None:
    bench = Bench(tmp_path, fault="hangs")
    data = encoded(label.image, "PNG")

    async def run() -> bytes:
        documents = [
            asyncio.create_task(bench.compose(make.digital("sound"), page(LINES), seconds=30)) for _ in range(4)
        ]
        while len(bench.common.children) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        made = await bench.compose(data, page([], *label.image.size), kind="picture", seconds=30)
        assert not any(one.done() for one in documents)
        for one in documents:
            one.cancel()
        await asyncio.gather(*documents, return_exceptions=True)
        return made

    assert asyncio.run(run()).startswith(b"%PDF")
    assert not bench.disk.used
    assert not bench.common.children


@pytest.mark.usefixtures("_faulty")
def test_the_deadline_ends_the_composing(tmp_path: Path) -> None:
    bench = Bench(tmp_path, fault="hangs")
    began = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        asyncio.run(bench.compose(make.digital("sound"), page(LINES), seconds=1))
    assert time.monotonic() - began < 3
    assert not bench.disk.used
    assert not bench.common.children

"""Pictures that are not dark on white in 8 bits: read, and shown in the PDF as they are read."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pypdfium2
import pytest
from PIL import Image

from tests.pictures import formats, render
from tests.pictures.files import chunk, grey_tags, jpeg_with, png_with, tiff

LABEL = render.label(1)
GREY = np.asarray(LABEL.image.convert("L"))
WIDTH, HEIGHT = LABEL.image.size
TRANSPARENT = (0, 0, 0, 0)


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def inked(colour: tuple[int, int, int]) -> Image.Image:
    """The label's text in this colour on a transparent ground."""
    ink = Image.new("RGBA", LABEL.image.size, colour)
    ink.putalpha(Image.fromarray(255 - GREY))
    return ink


def light_palette() -> bytes:
    """White ink, and the transparent colour 0."""
    image = Image.fromarray((GREY < 128).astype(np.uint8))
    image.putpalette([0, 0, 0, 255, 255, 255])
    return saved(image, "PNG", transparency=0)


def bitmap(alpha: int) -> bytes:
    """A 32-bit BMP with a mask for alpha."""
    pixels = np.dstack([GREY, GREY, GREY, np.full_like(GREY, alpha)])[::-1].tobytes()
    head = struct.pack("<IiiHHIIiiII", 108, WIDTH, HEIGHT, 1, 32, 3, len(pixels), 2835, 2835, 0, 0)
    masks = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    head += masks + bytes(108 - len(head) - len(masks))
    return struct.pack("<2sIHHI", b"BM", 14 + len(head) + len(pixels), 0, 0, 14 + len(head)) + head + pixels


def deep(bits: int) -> np.ndarray[Any, Any]:
    """16-bit values of which only so many bits are used."""
    return (GREY.astype(np.uint32) * ((1 << bits) - 1) // 255).astype(np.uint16)


def deep_png(bits: int, colour_type: int) -> bytes:
    """16-bit colours of which only so many bits are used; alpha is opaque."""
    opaque = np.full_like(GREY, 65535, dtype=np.uint16)
    bands = {2: [deep(bits)] * 3, 4: [deep(bits), opaque], 6: [deep(bits)] * 3 + [opaque]}[colour_type]
    rows = np.dstack(bands).astype(">u2").reshape(HEIGHT, -1)
    head = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 16, colour_type, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def deep_colours(order: str, bits: int) -> bytes:
    values = np.dstack([deep(bits)] * 3).astype(order + "u2").tobytes()
    return tiff([(values, grey_tags(WIDTH, HEIGHT, t258=[16] * 3, t262=[2], t277=[3]))], order)


def deep_tiff(order: str, bits: int, photometric: int) -> bytes:
    values = deep(bits) if photometric else (1 << bits) - 1 - deep(bits)
    pixels = values.astype(order + "u2").tobytes()
    return tiff([(pixels, grey_tags(WIDTH, HEIGHT, t258=[16], t262=[photometric]))], order)


def premultiplied() -> bytes:
    """Black ink: each value is 0, and alpha is the ink."""
    pixels = np.dstack([np.zeros_like(GREY), 255 - GREY]).tobytes()
    return tiff([(pixels, grey_tags(WIDTH, HEIGHT, t258=[8, 8], t277=[2], t338=[1]))])


def lab() -> bytes:
    pixels = np.dstack([GREY, np.zeros_like(GREY), np.zeros_like(GREY)]).tobytes()
    return tiff([(pixels, grey_tags(WIDTH, HEIGHT, t258=[8, 8, 8], t262=[8], t277=[3]))])


FILES: dict[str, Callable[[], bytes]] = {
    "white ink": lambda: saved(inked((255, 255, 255)), "PNG"),
    "white ink, grey": lambda: saved(inked((255, 255, 255)).convert("LA"), "PNG"),
    "white ink, palette": light_palette,
    "white ink, WebP": lambda: saved(inked((255, 255, 255)), "WEBP", lossless=True),
    "white ink, TIFF": lambda: saved(inked((255, 255, 255)), "TIFF"),
    "yellow ink": lambda: saved(inked((255, 240, 120)), "PNG"),
    "blue ink": lambda: saved(inked((0, 0, 160)), "PNG"),
    "bitmap without alpha": lambda: bitmap(0),
    "bitmap with alpha": lambda: bitmap(255),
    "16 bits holding 8, PNG": lambda: saved(Image.fromarray(deep(8)), "PNG"),
    "16 bits holding 10, PNG": lambda: saved(Image.fromarray(deep(10)), "PNG"),
    "16 bits holding 12, PNG": lambda: saved(Image.fromarray(deep(12)), "PNG"),
    "16 bits holding 8, TIFF": lambda: deep_tiff("<", 8, 1),
    "16 bits holding 8, PNM": lambda: b"P5\n%d %d\n65535\n" % (WIDTH, HEIGHT) + deep(8).astype(">u2").tobytes(),
    "white is zero": lambda: deep_tiff("<", 16, 0),
    "white is zero, big-endian": lambda: deep_tiff(">", 16, 0),
    "white is zero, 12 bits": lambda: deep_tiff("<", 12, 0),
    "colours of 16 bits holding 8": lambda: deep_png(8, 2),
    "colours of 16 bits holding 12": lambda: deep_png(12, 2),
    "colours of 16 bits": lambda: deep_png(16, 2),
    "grey and alpha of 16 bits holding 8": lambda: deep_png(8, 4),
    "colours and alpha of 16 bits holding 10": lambda: deep_png(10, 6),
    "colours of 16 bits holding 8, TIFF": lambda: deep_colours("<", 8),
    "colours of 16 bits holding 12, TIFF, big-endian": lambda: deep_colours(">", 12),
    "premultiplied alpha": premultiplied,
    "LAB": lab,
}
LIGHT_ON_DARK = {name for name in FILES if name.startswith(("white ink", "yellow ink"))}


def ask(gateway: httpx.Client, file: bytes, **query: str) -> httpx.Response:
    return gateway.post("/gateway/ocr", params=query, files={"image_file": ("x", file)})


def drawn(pdf: bytes) -> np.ndarray[Any, Any]:
    """The first page in grey, as a viewer shows it."""
    with pypdfium2.PdfDocument(pdf) as document:
        return np.asarray(document[0].render(scale=2).to_pil().convert("L")).astype(int)


@pytest.mark.parametrize("name", FILES)
def test_it_is_read_and_shown(gateway: httpx.Client, name: str) -> None:
    file = FILES[name]()
    assert ask(gateway, file, format="text").text.split() == LABEL.text.split()
    shown = drawn(ask(gateway, file, format="pdf").content)
    assert shown[2, 2] == (0 if name in LIGHT_ON_DARK else 255)
    assert shown.max() - shown.min() > 100


def test_a_sheet_with_transparent_surroundings_stays_on_white(gateway: httpx.Client) -> None:
    image = Image.new("RGBA", (500, 300), TRANSPARENT)
    image.paste(LABEL.image.convert("RGBA"), (100, 100))
    file = saved(image, "PNG")
    assert ask(gateway, file, format="text").text.split() == LABEL.text.split()
    assert drawn(ask(gateway, file, format="pdf").content)[2, 2] == 255


@pytest.mark.parametrize("dpi", [10, 1200, 2400])
def test_an_incredible_resolution_changes_nothing(gateway: httpx.Client, dpi: int) -> None:
    picture = render.receipt(1)
    texts = [
        ask(gateway, saved(picture.image, "PNG", **claim), format="text").text
        for claim in ({}, {"dpi": (dpi, dpi)})
    ]
    assert texts[0] == texts[1]
    assert "TOTAL" in texts[0]


def test_a_resolution_that_is_too_high_for_the_size(gateway: httpx.Client) -> None:
    picture = render.page(1)
    texts = [
        ask(gateway, saved(picture.image, "PNG", **claim), format="text").text
        for claim in ({}, {"dpi": (600, 600)})
    ]
    assert texts[0] == texts[1]
    with pypdfium2.PdfDocument(
        ask(gateway, saved(picture.image, "PNG", dpi=(2400, 2400)), format="pdf").content
    ) as pdf:
        assert min(pdf[0].get_size()) > 72


@pytest.mark.parametrize(
    "file",
    [
        png_with(formats.FORMATS["png grey"].encode(LABEL), chunk(b"iCCP", b"p\0\7no profile")),
        jpeg_with(formats.jpeg(LABEL), (0xED, b"Photoshop 3.0\x008BIM\x04\x04"), (0xE1, b"Exif\0\0nonsense")),
    ],
    ids=["png", "jpeg"],
)
def test_broken_metadata(gateway: httpx.Client, file: bytes) -> None:
    assert ask(gateway, file, format="text").text.split() == LABEL.text.split()
    shown = drawn(ask(gateway, file, format="pdf").content)
    assert shown.max() - shown.min() > 100


def test_a_jpeg_without_its_end(gateway: httpx.Client) -> None:
    file = formats.jpeg(LABEL)[:-2]
    answer = ask(gateway, file).json()
    assert answer["text"].split() == LABEL.text.split()
    assert answer["pages"][0]["warnings"] == ["truncated"]
    assert ask(gateway, file, format="pdf").status_code == 200
    assert ask(gateway, file[: len(file) // 2]).json()["code"] == "damaged_image"


@pytest.mark.parametrize("photometric", [1, 0])
@pytest.mark.parametrize("count", [0, 0xFFFFFFFF, 10_000_000])
def test_a_tiff_of_two_pages_with_wrong_byte_counts(gateway: httpx.Client, count: int, photometric: int) -> None:
    pixels = (GREY if photometric else 255 - GREY).tobytes()
    page = pixels, grey_tags(WIDTH, HEIGHT, t262=[photometric], t279=[count])
    pages = ask(gateway, tiff([page, page])).json()["pages"]
    assert [page["text"].split() for page in pages] == [LABEL.text.split()] * 2


@pytest.mark.parametrize("turn", [Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_270])
def test_an_uncompressed_tiff_on_its_side_is_upright_in_the_pdf(
    gateway: httpx.Client, turn: Image.Transpose
) -> None:
    stored = LABEL.image.convert("L").transpose(turn)
    orientation = 6 if turn == Image.Transpose.ROTATE_90 else 8
    page = stored.tobytes(), grey_tags(*stored.size, t274=[orientation])
    for pages in ([page], [page, page]):
        answer = ask(gateway, tiff(pages), format="pdf").content
        with pypdfium2.PdfDocument(answer) as pdf:
            shown = pdf[0].render(scale=WIDTH / pdf[0].get_width()).to_pil().convert("L")
        assert shown.size == (WIDTH, HEIGHT)
        assert np.abs(np.asarray(shown).astype(int) - GREY).mean() < 10


def jpeg_of_frame(marker: int, precision: int = 8) -> bytes:
    """The JPEG with another kind of frame: lossless, arithmetic, 12 bits."""
    file = bytearray(formats.jpeg(LABEL))
    at = file.index(b"\xff\xc0")
    file[at + 1], file[at + 4] = marker, precision
    return bytes(file)


def bitmap_of_compression(number: int) -> bytes:
    file = bytearray(saved(LABEL.image.convert("RGB"), "BMP"))
    file[30:34] = struct.pack("<I", number)
    return bytes(file)


def raw(**tags: list[int]) -> bytes:
    """A camera's file: a thumbnail that Pillow reads, and another picture."""
    thumbnail = GREY.tobytes(), grey_tags(WIDTH, HEIGHT, **tags)
    return tiff([thumbnail, thumbnail])


@pytest.mark.parametrize(
    ("file", "code"),
    [
        (jpeg_of_frame(0xC3), "unsupported_format"),
        (jpeg_of_frame(0xC5), "unsupported_format"),
        (jpeg_of_frame(0xC1, 12), "unsupported_format"),
        (bitmap_of_compression(4), "unsupported_format"),
        (tiff([(GREY.tobytes(), grey_tags(WIDTH, HEIGHT, t259=[34713]))]), "unsupported_format"),
        (
            tiff([(GREY.tobytes(), grey_tags(WIDTH, HEIGHT, t258=[16, 16], t277=[2], t338=[2]))]),
            "unsupported_format",
        ),
        (tiff([(GREY.tobytes(), grey_tags(WIDTH, HEIGHT, t262=[32803]))]), "unsupported_format"),
        (raw(t50706=[1, 4]), "unsupported_format"),
        (raw(t254=[1], t330=[8]), "unsupported_format"),
        (b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(60), "not_an_image"),
        (b"\xff\x0a" + bytes(60), "not_an_image"),
        (b"8BPS\0\1" + bytes(60), "not_an_image"),
    ],
    ids=[
        "lossless",
        "differential",
        "12 bits",
        "BMP of a JPEG",
        "Nikon",
        "16-bit alpha",
        "raw",
        "DNG",
        "NEF",
        "JP2",
        "JXL",
        "PSD",
    ],
)
def test_what_cannot_be_decoded_is_not_called_damaged(gateway: httpx.Client, file: bytes, code: str) -> None:
    answer = ask(gateway, file)
    assert (answer.status_code, answer.json()["code"]) == (415, code)

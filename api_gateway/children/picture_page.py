"""Pictures as pages of a PDF, at their true size.

A JPEG is embedded unchanged; if EXIF rotates it, the PDF page is rotated. Other pictures are stored without loss,
in grey, colour or black and white like the original; transparent areas become white.
"""

from __future__ import annotations

import mmap
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from PIL import ExifTags, Image, ImageOps
from pillow_heif import register_heif_opener

from api_gateway.children.tiff_pages import TiffPages
from api_gateway.uploads import tiff_directory

_POINTS_PER_INCH = 72
_SIXTEEN_BITS = 65535
_CREDIBLE_DPI = (75, 4800)  # programs write 72 if they do not know it
_UNKNOWN_DPI = 300  # usual for scanners
_TURNED = {1: 0, 6: 90, 3: 180, 8: 270}  # EXIF orientations without mirroring: the page's rotation
_BAND_PIXELS = 1 << 20  # converted at a time
_SPACES = {"1": "DeviceGray", "L": "DeviceGray", "RGB": "DeviceRGB", "CMYK": "DeviceCMYK"}

register_heif_opener()
Image.MAX_IMAGE_PIXELS = None  # the model server has already read it


class Picture(NamedTuple):
    """`entries` are those of a PDF's image object; `dpi` is horizontal and vertical."""

    entries: str
    data: bytes
    width: int
    height: int
    turned: int
    dpi: tuple[float, float]


def read(source: Path, numbers: Sequence[int]) -> Iterator[Picture]:
    """Yield each of these pages of the file, counted from 1.

    Raises:
        OSError, ValueError: it can't be decoded.
    """
    with Image.open(source) as image:
        for frame in _frames(source, numbers):
            image.seek(frame)
            yield _as_it_is(image, source) or _stored(image)


def write(file: BinaryIO, pictures: Iterable[Picture]) -> None:
    """Write a PDF with one page per picture, one by one: pikepdf would keep all in memory until it saves."""
    places: dict[int, int] = {}

    def put(number: int, *parts: bytes) -> None:
        places[number] = file.tell()
        file.writelines([b"%d 0 obj\n" % number, *parts, b"\nendobj\n"])

    def put_stream(number: int, entries: str, data: bytes) -> None:
        put(number, f"<<{entries}/Length {len(data)}>>\nstream\n".encode(), data, b"\nendstream")

    file.write(b"%PDF-1.4\n")
    pages = []
    for number, picture in enumerate(pictures, 1):
        image, content, page = (3 * number + offset for offset in range(3))
        width, height = (
            _POINTS_PER_INCH * size / per_inch
            for size, per_inch in zip((picture.width, picture.height), picture.dpi, strict=True)
        )
        put_stream(image, picture.entries, picture.data)
        put_stream(content, "", f"q {width:.3f} 0 0 {height:.3f} 0 0 cm /Picture Do Q\n".encode())
        put(
            page,
            f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 {width:.3f} {height:.3f}]/Rotate {picture.turned}"
            f"/Resources<</XObject<</Picture {image} 0 R>>>>/Contents {content} 0 R>>".encode(),
        )
        pages.append(f"{page} 0 R")
    put(1, b"<</Type/Catalog/Pages 2 0 R>>")
    put(2, f"<</Type/Pages/Count {len(pages)}/Kids[{' '.join(pages)}]>>".encode())
    table = file.tell()
    rows = "".join(f"{places[number]:010d} 00000 n \n" for number in sorted(places))
    size = len(places) + 1
    head, tail = f"xref\n0 {size}\n0000000000 65535 f \n", f"trailer\n<</Size {size}/Root 1 0 R>>\nstartxref\n"
    file.write(f"{head}{rows}{tail}{table}\n%%EOF\n".encode())


def _frames(source: Path, numbers: Sequence[int]) -> list[int]:
    """The frame as Pillow counts frames: it includes thumbnails and masks of a TIFF."""
    with source.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if not tiff_directory.look(data, whole=True).more_pages:
            return [number - 1 for number in numbers]
        tiff = TiffPages(data)
        return [tiff.frame(number) for number in numbers]


def _as_it_is(image: Image.Image, source: Path) -> Picture | None:
    turned = _TURNED.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    if image.format != "JPEG" or image.mode not in _SPACES or turned is None:
        return None
    entries = _entries(image.size, image.mode, "DCTDecode")
    if image.mode == "CMYK":
        entries += "/Decode[1 0 1 0 1 0 1 0]"  # Adobe's programs write inverted CMYK, and all others follow them
    return Picture(entries, source.read_bytes(), image.width, image.height, turned, _dpi(image))


def _stored(image: Image.Image) -> Picture:
    dpi = _dpi(image)  # before loading, which may rotate it
    image.load()
    if image.getexif().get(ExifTags.Base.Orientation, 1) != 1:
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):
        image = _eight_bits(image)
    packer = zlib.compressobj(6)
    packed = []
    for band in _bands(image):
        packed.append(packer.compress(band.tobytes()))
    data = b"".join([*packed, packer.flush()])
    return Picture(_entries(image.size, band.mode, "FlateDecode"), data, image.width, image.height, 0, dpi)


def _bands(image: Image.Image) -> Iterator[Image.Image]:
    """Opaque stripes of it, so that the whole picture is not copied."""
    rows = max(1, _BAND_PIXELS // image.width)
    for top in range(0, image.height, rows):
        yield _opaque(image.crop((0, top, image.width, min(image.height, top + rows))))


def _entries(size: tuple[int, int], mode: str, encoding: str) -> str:
    return (
        f"/Type/XObject/Subtype/Image/Width {size[0]}/Height {size[1]}/ColorSpace/{_SPACES[mode]}"
        f"/BitsPerComponent {1 if mode == '1' else 8}/Filter/{encoding}"
    )


def _opaque(image: Image.Image) -> Image.Image:
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    return image if image.mode in ("1", "L", "RGB") else image.convert("RGB")


def _eight_bits(image: Image.Image) -> Image.Image:
    """Convert deeper grey: white is the 16-bit maximum, or a lighter pixel if there is one; 32 bits may hold 8."""
    deep = image.convert("I")
    extrema: Any = deep.getextrema()
    white = 255 if image.mode == "I" and extrema[1] <= 255 else max(_SIXTEEN_BITS, extrema[1])
    scale = 255 / white
    return deep.point(lambda value: value * scale).convert("L")


def _dpi(image: Image.Image) -> tuple[float, float]:
    """Horizontal and vertical, for the picture as it is stored, before any rotation."""
    low, high = _CREDIBLE_DPI
    horizontal, vertical = (float(value) for value in image.info.get("dpi", (0, 0)))
    if not (low <= horizontal <= high and low <= vertical <= high):
        return _UNKNOWN_DPI, _UNKNOWN_DPI
    return horizontal, vertical

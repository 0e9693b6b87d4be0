"""A picture as a page of a PDF, at its true size.

A JPEG goes in as it is; what is turned by its EXIF note is shown turned. Other pictures are stored without loss,
in grey, colour or black and white as they came; what is transparent becomes white.
"""

from __future__ import annotations

import mmap
import zlib
from typing import TYPE_CHECKING, Any, NamedTuple

from pikepdf import Array, Dictionary, Name, Page, Pdf, Stream
from PIL import ExifTags, Image, ImageOps
from pillow_heif import register_heif_opener

from api_gateway.documents.tiff import Tiff, has_more_pages

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_POINTS_PER_INCH = 72
_SIXTEEN_BITS = 65535
_CREDIBLE_DPI = (75, 4800)  # 72 is what programs write that know nothing
_UNKNOWN_DPI = 300  # what a scanner would have said
_TURNED = {1: 0, 6: 90, 3: 180, 8: 270}  # EXIF's orientations that need no mirror, and a page's rotation
_SPACES = {"1": Name.DeviceGray, "L": Name.DeviceGray, "RGB": Name.DeviceRGB, "CMYK": Name.DeviceCMYK}

register_heif_opener()
Image.MAX_IMAGE_PIXELS = None  # the model server has read it by now


class _Data(NamedTuple):
    """Ready for a PDF's image object."""

    image: Dictionary
    data: bytes
    width: int
    height: int
    turned: int


def add(pdf: Pdf, source: Path, numbers: Sequence[int]) -> None:
    """A page for each of the file's pages, counted from 1.

    Raises:
        OSError, ValueError: it can't be decoded.
    """
    with Image.open(source) as image:
        for frame in _frames(source, numbers):
            image.seek(frame)
            horizontal, vertical = _dpi(image)
            data = _as_it_is(image, source) or _stored(image)
            _add(pdf, data, (horizontal, vertical))


def _frames(source: Path, numbers: Sequence[int]) -> list[int]:
    """As Pillow counts them, thumbnails and masks of a TIFF included."""
    with source.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if not has_more_pages(data):
            return [number - 1 for number in numbers]
        tiff = Tiff(data)
        return [tiff.frame(number) for number in numbers]


def _add(pdf: Pdf, data: _Data, dpi: tuple[float, float]) -> None:
    width, height = (_POINTS_PER_INCH * size / per_inch for size, per_inch in zip(data[2:4], dpi, strict=True))
    page = Dictionary(
        Type=Name.Page,
        MediaBox=Array([0, 0, round(width, 3), round(height, 3)]),
        Rotate=data.turned,
        Resources=Dictionary(XObject=Dictionary(Picture=Stream(pdf, data.data, data.image))),
        Contents=pdf.make_stream(f"q {width:.3f} 0 0 {height:.3f} 0 0 cm /Picture Do Q\n".encode()),
    )
    pdf.pages.append(Page(page))


def _as_it_is(image: Image.Image, source: Path) -> _Data | None:
    turned = _TURNED.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    if image.format != "JPEG" or image.mode not in _SPACES or turned is None:
        return None
    described = _described(image, Name.DCTDecode)
    if image.mode == "CMYK":
        described.Decode = Array([1, 0] * 4)  # as Adobe's programs write it, and so everybody
    return _Data(described, source.read_bytes(), image.width, image.height, turned)


def _stored(image: Image.Image) -> _Data:
    plain = _opaque(ImageOps.exif_transpose(image))
    described = _described(plain, Name.FlateDecode)
    return _Data(described, zlib.compress(plain.tobytes(), 6), plain.width, plain.height, 0)


def _described(image: Image.Image, encoding: Name) -> Dictionary:
    return Dictionary(
        Type=Name.XObject,
        Subtype=Name.Image,
        Width=image.width,
        Height=image.height,
        ColorSpace=_SPACES[image.mode],
        BitsPerComponent=1 if image.mode == "1" else 8,
        Filter=encoding,
    )


def _opaque(image: Image.Image) -> Image.Image:
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    if image.mode in ("1", "L", "RGB"):
        return image
    if image.mode.startswith("I"):
        return _eight_bits(image)
    return image.convert("RGB")


def _eight_bits(image: Image.Image) -> Image.Image:
    """Deeper grey, whose white is that of 16 bits, or the lightest there is beyond it; 32 bits may also hold 8."""
    deep = image.convert("I")
    extrema: Any = deep.getextrema()
    white = 255 if image.mode == "I" and extrema[1] <= 255 else max(_SIXTEEN_BITS, extrema[1])
    scale = 255 / white
    return deep.point(lambda value: value * scale).convert("L")


def _dpi(image: Image.Image) -> tuple[float, float]:
    """Across and up, as the picture is stored; that of a turned picture is turned, too."""
    low, high = _CREDIBLE_DPI
    horizontal, vertical = (float(value) for value in image.info.get("dpi", (0, 0)))
    if not (low <= horizontal <= high and low <= vertical <= high):
        return _UNKNOWN_DPI, _UNKNOWN_DPI
    return horizontal, vertical

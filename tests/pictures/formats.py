"""A picture as a file, in every format and mode a client may send.

`FORMATS` holds them by name. What stands for white paper differs on purpose (a palette out of order, transparency,
CMYK), so that a decoder that takes the stored numbers for grey levels reads nothing.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pillow_heif
from PIL import Image

from . import netpbm

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .render import Picture

ORIENTATIONS = range(1, 9)
_ORIENTATION_TAG = 0x0112
_SHUFFLE = 77  # has no factor in common with 256: a multiplication that only changes the order of the levels
# What undoes each EXIF orientation, applied beforehand.
_TURNED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@dataclass(frozen=True)
class Format:
    """How to write a picture, and what comes back.

    `pillow` is the format's name in Pillow. `keeps` is what is left over white paper: "grey" the very levels,
    "bilevel" those of `bilevel`, "nearly" the levels but for the losses of the compression.
    """

    encode: Callable[[Picture], bytes]
    pillow: str
    keeps: Literal["grey", "bilevel", "nearly"] = "grey"
    frames: int = 1


def grey(picture: Picture) -> Image.Image:
    """The picture in mode L."""
    return picture.image.convert("L")


def bilevel(picture: Picture) -> Image.Image:
    """The picture in mode 1: what is darker than the middle is black; without dithering."""
    return grey(picture).point([0] * 128 + [255] * 128, "1")


def rgb(picture: Picture) -> Image.Image:
    return picture.image.convert("RGB")


def rgba(picture: Picture) -> Image.Image:
    """Black ink on transparent paper."""
    ink = Image.new("RGBA", picture.image.size, (0, 0, 0, 0))
    ink.putalpha(_inverted(picture))
    return ink


def la(picture: Picture) -> Image.Image:
    """Black ink on transparent paper, in mode LA."""
    ink = Image.new("LA", picture.image.size, (0, 0))
    ink.putalpha(_inverted(picture))
    return ink


def palette(picture: Picture) -> Image.Image:
    """256 greys in mode P, out of order."""
    image = grey(picture).point([level * _SHUFFLE % 256 for level in range(256)])
    colours = bytearray(768)
    for level in range(256):
        index = level * _SHUFFLE % 256
        colours[3 * index : 3 * index + 3] = bytes([level] * 3)
    image.putpalette(bytes(colours))
    return image


def cmyk(picture: Picture) -> Image.Image:
    """All ink is in the black band."""
    none = Image.new("L", picture.image.size, 0)
    return Image.merge("CMYK", (none, none, none, _inverted(picture)))


def sixteen_bits(picture: Picture) -> Image.Image:
    """Mode I;16: each level times 257, so that white is 65535."""
    return Image.fromarray(np.asarray(grey(picture)).astype(np.uint16) * 257)


def png(image: Image.Image, picture: Picture) -> bytes:
    return _saved(image, "PNG", dpi=_dpi(picture))


def jpeg(picture: Picture, quality: int = 90) -> bytes:
    return _saved(rgb(picture), "JPEG", dpi=_dpi(picture), quality=quality)


def jpeg_turned(picture: Picture, orientation: int) -> bytes:
    """Stored turned or mirrored, and upright once the EXIF orientation (1 to 8) is applied.

    From 5 on, the stored width is the picture's height.
    """
    exif = Image.Exif()
    exif[_ORIENTATION_TAG] = orientation
    turned = rgb(picture)
    if orientation in _TURNED:
        turned = turned.transpose(_TURNED[orientation])
    return _saved(turned, "JPEG", dpi=_dpi(picture), quality=90, exif=exif)


def tiff(image: Image.Image, picture: Picture, compression: str = "raw") -> bytes:
    return _saved(image, "TIFF", dpi=_dpi(picture), compression=compression)


def tiff_pages(pictures: Sequence[Picture]) -> bytes:
    """One page for each picture, in grey, each with its own size and resolution."""
    pages = [grey(picture) for picture in pictures]
    for image, picture in zip(pages, pictures, strict=True):
        image.encoderinfo = {"dpi": _dpi(picture)}  # a page's own options, which Pillow puts before those below
    first, *rest = pages
    return _saved(first, "TIFF", save_all=True, append_images=rest, compression="tiff_lzw", dpi=_dpi(pictures[0]))


def animated(picture: Picture, pillow: str, **options: Any) -> bytes:
    """Two frames, the picture and the same upside down: what reads the second one is found out."""
    second = grey(picture).transpose(Image.Transpose.ROTATE_180)
    return _saved(grey(picture), pillow, save_all=True, append_images=[second], duration=500, **options)


def heic(picture: Picture, quality: int = 90) -> bytes:
    stream = io.BytesIO()
    pillow_heif.from_pillow(rgb(picture)).save(stream, quality=quality, enc_params={"preset": "ultrafast"})
    return stream.getvalue()


def avif(picture: Picture, quality: int = 90) -> bytes:
    return _saved(rgb(picture), "AVIF", quality=quality, speed=8, max_threads=1)


FORMATS: dict[str, Format] = {
    "png grey": Format(lambda p: png(grey(p), p), "PNG"),
    "png rgb": Format(lambda p: png(rgb(p), p), "PNG"),
    "png rgba": Format(lambda p: png(rgba(p), p), "PNG"),
    "png palette": Format(lambda p: png(palette(p), p), "PNG"),
    "png la": Format(lambda p: png(la(p), p), "PNG"),
    "png 1 bit": Format(lambda p: png(bilevel(p), p), "PNG", "bilevel"),
    "png 16 bits": Format(lambda p: png(sixteen_bits(p), p), "PNG"),
    "jpeg rgb": Format(jpeg, "JPEG", "nearly"),
    "jpeg grey": Format(lambda p: _saved(grey(p), "JPEG", dpi=_dpi(p), quality=90), "JPEG", "nearly"),
    "jpeg cmyk": Format(lambda p: _saved(cmyk(p), "JPEG", dpi=_dpi(p), quality=90), "JPEG", "nearly"),
    **{
        f"jpeg orientation {turn}": Format(partial(jpeg_turned, orientation=turn), "JPEG", "nearly")
        for turn in ORIENTATIONS
    },
    "tiff grey": Format(lambda p: tiff(grey(p), p), "TIFF"),
    "tiff lzw": Format(lambda p: tiff(grey(p), p, "tiff_lzw"), "TIFF"),
    "tiff 1 bit": Format(lambda p: tiff(bilevel(p), p), "TIFF", "bilevel"),
    "tiff group 4": Format(lambda p: tiff(bilevel(p), p, "group4"), "TIFF", "bilevel"),
    "tiff cmyk": Format(lambda p: tiff(cmyk(p), p), "TIFF"),
    "tiff 16 bits": Format(lambda p: tiff(sixteen_bits(p), p), "TIFF"),
    "tiff 3 pages": Format(lambda p: tiff_pages([p] * 3), "TIFF", frames=3),
    "webp lossless": Format(lambda p: _saved(rgb(p), "WEBP", lossless=True, quality=20, method=0), "WEBP"),
    "webp lossy": Format(lambda p: _saved(rgb(p), "WEBP", quality=90), "WEBP", "nearly"),
    "webp animated": Format(lambda p: animated(p, "WEBP", lossless=True), "WEBP", frames=2),
    "bmp": Format(lambda p: _saved(rgb(p), "BMP", dpi=_dpi(p)), "BMP"),
    "gif": Format(lambda p: _saved(palette(p), "GIF"), "GIF"),
    "gif animated": Format(lambda p: animated(p, "GIF"), "GIF", frames=2),
    "pbm": Format(lambda p: _saved(bilevel(p), "PPM"), "PPM", "bilevel"),
    "pgm": Format(lambda p: _saved(grey(p), "PPM"), "PPM"),
    "ppm": Format(lambda p: _saved(rgb(p), "PPM"), "PPM"),
    "pbm plain": Format(lambda p: netpbm.plain(bilevel(p)), "PPM", "bilevel"),
    "pgm plain": Format(lambda p: netpbm.plain(grey(p)), "PPM"),
    "ppm plain": Format(lambda p: netpbm.plain(rgb(p)), "PPM"),
    "heic": Format(heic, "HEIF", "nearly"),
    "avif": Format(avif, "AVIF", "nearly"),
}


def _dpi(picture: Picture) -> tuple[int, int]:
    return (picture.dpi, picture.dpi)


def _inverted(picture: Picture) -> Image.Image:
    return grey(picture).point(range(255, -1, -1))


def _saved(image: Image.Image, pillow: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, pillow, **options)
    return stream.getvalue()

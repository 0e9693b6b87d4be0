"""Decodes image files into upright grey pixels, with Pillow, in a worker; only for the formats listed here."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import pillow_heif
from PIL import Image

from model_server.errors import DamagedImage, ImageError, TooManyPixels, UnsupportedImage
from model_server.reading.image import PageImage

if TYPE_CHECKING:
    from model_server.image_header import ImageHeader

_PILLOW_NAMES = {
    "png": ("PNG",),
    "jpeg": ("JPEG", "MPO"),  # MPO: a JPEG followed by more pictures, as phones write them
    "tiff": ("TIFF",),
    "webp": ("WEBP",),
    "bmp": ("BMP",),
    "gif": ("GIF",),
    "pnm": ("PPM",),
    "heic": ("HEIF", "AVIF"),  # files with the general brand mif1 may contain either
    "avif": ("AVIF",),
}
_CREDIBLE_DPI = range(70, 2401)  # what Tesseract accepts
_SIXTEEN_BITS = 65535
_BAND_PIXELS = 1 << 20  # per band of rows; conversion to grey takes up to 16 bytes per pixel
_ORIENTATION = 0x0112  # EXIF tag
_GIF_FRAME = 0x2C
_GIF_BLOCKS = (_GIF_FRAME, 0x21)  # frames and extensions; any other block ends the file
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class Decoded(NamedTuple):
    image: PageImage
    page_count: int


def prepare(max_pixels: int) -> None:
    """Prepare the process: register HEIC, and make decompression bombs errors."""
    pillow_heif.register_heif_opener(thumbnails=False)
    Image.MAX_IMAGE_PIXELS = max_pixels
    warnings.simplefilter("error", Image.DecompressionBombWarning)


def decode(data: bytes, header: ImageHeader) -> Decoded:
    """The first page of the file, upright, on white, as 8-bit grey, and the number of pages.

    Raises:
        DamagedImage, TooManyPixels, UnsupportedImage.
    """
    try:
        with contextlib.closing(Image.open(io.BytesIO(data), formats=_PILLOW_NAMES[header.format])) as image:
            page_count = _count_gif_frames(data) if header.format == "gif" else _count_pages(image)
            dpi = _dpi(image)
            image.draft("L", None)  # skips decoding of a JPEG's colours
            grey = _upright_grey(image)
        return Decoded(PageImage(grey.tobytes(), grey.width, grey.height, dpi), page_count)
    except ImageError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise TooManyPixels from None
    except MemoryError:
        raise
    except Exception as error:  # Pillow's plug-ins raise any exception on damaged files
        raise DamagedImage(f"The {header.format.upper()} image is damaged or cut short.") from error


def _count_pages(image: Image.Image) -> int:
    count = int(getattr(image, "n_frames", 1))
    image.seek(0)
    return count


def _count_gif_frames(data: bytes) -> int:
    """Count frames by the file's blocks, up to any damage: Pillow would decode each frame and fail on damage."""
    at = 13 + _palette_bytes(data[10])
    frames = 0
    with contextlib.suppress(IndexError):  # truncated file
        while (kind := data[at]) in _GIF_BLOCKS:
            frames += kind == _GIF_FRAME
            at += 11 + _palette_bytes(data[at + 9]) if kind == _GIF_FRAME else 2
            while size := data[at]:
                at += 1 + size
            at += 1
    return max(1, frames)


def _palette_bytes(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _dpi(image: Image.Image) -> int:
    """The vertical resolution if the file gives a credible one, else 0."""
    try:
        dpi = round(float(image.info["dpi"][1]))
    except (KeyError, IndexError, TypeError, ValueError, ZeroDivisionError, OverflowError):
        return 0
    return dpi if dpi in _CREDIBLE_DPI else 0


def _upright_grey(image: Image.Image) -> Image.Image:
    """A new grey image; closes `image` as soon as possible to free its pixels."""
    exif = image.getexif()
    grey = _to_grey(image)
    turn = _TURNS.get(exif.get(_ORIENTATION, 1))  # read after loading, which already rotates a TIFF
    image.close()
    return grey if turn is None else grey.transpose(turn)


def _to_grey(image: Image.Image) -> Image.Image:
    if image.has_transparency_data:
        return _by_bands(image, _over_white)
    if image.mode.startswith("I;16"):
        return _by_bands(image, lambda band: band.convert("I").point(lambda value: value / 257).convert("L"))
    if image.mode in ("I", "F"):
        return _stretched(image)
    if image.mode in ("LAB", "HSV"):
        raise UnsupportedImage(f"Images in the colour space {image.mode} are not read.")
    if image.mode == "CMYK":
        return _by_bands(image, lambda band: band.convert("RGB").convert("L"))
    return image.convert("L")


def _by_bands(image: Image.Image, grey_of: Callable[[Image.Image], Image.Image]) -> Image.Image:
    """Convert some rows at a time, so that intermediate images are small."""
    image.load()  # may rotate it
    grey = Image.new("L", image.size)
    rows = max(1, _BAND_PIXELS // image.width)
    for top in range(0, image.height, rows):
        box = (0, top, image.width, min(top + rows, image.height))
        grey.paste(grey_of(image.crop(box)), box)
    return grey


def _over_white(image: Image.Image) -> Image.Image:
    layered = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layered.size, "white"), layered).convert("L")


def _stretched(image: Image.Image) -> Image.Image:
    """32-bit grey has no fixed white: use the 8-bit or 16-bit range if the values fit, else their own range."""
    extrema: Any = image.getextrema()
    low, high = extrema
    if low >= 0 and 255 < high <= _SIXTEEN_BITS:
        low, high = 0, _SIXTEEN_BITS
    elif low >= 0 and 1 < high <= 255:
        low, high = 0, 255
    scale = 255 / (high - low) if high > low else 0
    return _by_bands(image, lambda band: band.point(lambda value: value * scale - low * scale).convert("L"))

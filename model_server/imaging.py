"""From an image file to upright grey pixels, in a worker, by Pillow, for the formats on the list only."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import pillow_heif
from PIL import Image, ImageOps

from model_server.errors import DamagedImage, ImageError, TooManyPixels, UnsupportedImage
from model_server.page import GreyImage

if TYPE_CHECKING:
    from model_server.header import ImageHeader

_PILLOW_NAMES = {
    "png": ("PNG",),
    "jpeg": ("JPEG", "MPO"),  # MPO: a JPEG with more pictures behind it, as phones make them
    "tiff": ("TIFF",),
    "webp": ("WEBP",),
    "bmp": ("BMP",),
    "gif": ("GIF",),
    "pnm": ("PPM",),
    "heic": ("HEIF", "AVIF"),  # files of the general brand mif1 may hold either
    "avif": ("AVIF",),
}
_CREDIBLE_DPI = range(70, 2401)  # what Tesseract accepts
_SIXTEEN_BITS = 65535


class Decoded(NamedTuple):
    image: GreyImage
    page_count: int


def prepare(max_pixels: int) -> None:
    """Set the process up for decoding: HEIC, and bombs as errors."""
    pillow_heif.register_heif_opener(thumbnails=False)
    Image.MAX_IMAGE_PIXELS = max_pixels
    warnings.simplefilter("error", Image.DecompressionBombWarning)


def decode(data: bytes, header: ImageHeader) -> Decoded:
    """The first page of the file, upright, over white, as 8-bit grey.

    Raises:
        DamagedImage, TooManyPixels, UnsupportedImage.
    """
    try:
        with Image.open(io.BytesIO(data), formats=_PILLOW_NAMES[header.format]) as image:
            page_count = _count_pages(image)
            dpi = _dpi(image)
            image.draft("L", None)  # a JPEG's colours are not even decoded
            upright = ImageOps.exif_transpose(_grey(image))
            return Decoded(GreyImage(upright.tobytes(), upright.width, upright.height, dpi), page_count)
    except ImageError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise TooManyPixels from None
    except MemoryError:
        raise
    except Exception as error:  # Pillow's plug-ins raise what they like on damaged files
        raise DamagedImage(f"The {header.format.upper()} image is damaged or cut short.") from error


def _count_pages(image: Image.Image) -> int:
    count = int(getattr(image, "n_frames", 1))
    image.seek(0)
    return count


def _dpi(image: Image.Image) -> int:
    """The vertical resolution where the file gives a credible one, else 0."""
    try:
        dpi = round(float(image.info["dpi"][1]))
    except (KeyError, IndexError, TypeError, ValueError, ZeroDivisionError, OverflowError):
        return 0
    return dpi if dpi in _CREDIBLE_DPI else 0


def _grey(image: Image.Image) -> Image.Image:
    exif = image.getexif()
    grey = _to_grey(image)
    if orientation := exif.get(0x0112):
        grey.getexif()[0x0112] = orientation
    return grey


def _to_grey(image: Image.Image) -> Image.Image:
    if image.has_transparency_data:
        layered = image.convert("RGBA")
        paper = Image.new("RGBA", layered.size, "white")
        return Image.alpha_composite(paper, layered).convert("L")
    if image.mode.startswith("I;16"):
        return image.convert("I").point(lambda value: value / 257).convert("L")
    if image.mode in ("I", "F"):
        return _stretched(image)
    if image.mode in ("LAB", "HSV"):
        raise UnsupportedImage(f"Images in the colour space {image.mode} are not read.")
    return image.convert("RGB").convert("L") if image.mode == "CMYK" else image.convert("L")


def _stretched(image: Image.Image) -> Image.Image:
    """32-bit grey, whose white may lie anywhere: 16 bits of it where they fit, else its own range."""
    extrema: Any = image.getextrema()
    low, high = extrema
    if low >= 0 and 255 < high <= _SIXTEEN_BITS:
        low, high = 0, _SIXTEEN_BITS
    elif low >= 0 and 1 < high <= 255:
        low, high = 0, 255
    scale = 255 / (high - low) if high > low else 0
    return image.point(lambda value: value * scale - low * scale).convert("L")

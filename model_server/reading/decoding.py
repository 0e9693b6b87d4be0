"""Decodes image files into upright grey pixels, with Pillow, in a worker; only for the formats listed here."""

from __future__ import annotations

import contextlib
import io
import warnings
from typing import TYPE_CHECKING, NamedTuple

import pillow_heif
from PIL import Image

from model_server.errors import DamagedImage, TooManyPixels, UnsupportedImage
from model_server.reading import jpeg_end, kinds
from model_server.reading.image import PageImage
from service_kit import deep_colour, pixels
from service_kit.essentials import essentials

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
_CREDIBLE_DPI = range(70, 601)
_LEAST_INCHES = 3  # of the shorter side; smaller pictures are rare, and the engine estimates theirs well
_BOMBS = (Image.DecompressionBombError, Image.DecompressionBombWarning)
_GIF_FRAME = 0x2C
_GIF_BLOCKS = (_GIF_FRAME, 0x21)  # frames and extensions; any other block ends the file


class Decoded(NamedTuple):
    """`warnings` are codes of `service_kit.page.WARNINGS`."""

    image: PageImage
    page_count: int
    warnings: tuple[str, ...] = ()


def prepare(max_pixels: int) -> None:
    """Prepare the process: register HEIC, and make decompression bombs errors."""
    pillow_heif.register_heif_opener(thumbnails=False)
    Image.MAX_IMAGE_PIXELS = max_pixels
    warnings.simplefilter("ignore")  # Pillow warns of each damaged tag
    warnings.simplefilter("error", Image.DecompressionBombWarning)


def decode(data: bytes, header: ImageHeader) -> Decoded:
    """The first page of the file, upright, on its ground, as 8-bit grey, and the number of pages.

    Raises:
        DamagedImage, TooManyPixels, UnsupportedImage.
    """
    try:
        return _decoded_somehow(data, header.format)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise TooManyPixels from None
    except MemoryError:
        raise
    except Exception as error:  # Pillow's plug-ins raise any exception on damaged files
        if any(kinds.is_undecodable(data, name, error) for name in _PILLOW_NAMES[header.format]):
            raise UnsupportedImage(f"{header.format.upper()} images of this kind are not read.") from error
        raise DamagedImage(f"The {header.format.upper()} image is damaged or cut short.") from error


def _decoded_somehow(data: bytes, name: str) -> Decoded:
    """As it is, or without its metadata, or without its last bytes."""
    if name == "jpeg":
        data = jpeg_end.written(data)
    try:
        return _decoded(data, name)
    except (*_BOMBS, MemoryError):
        raise
    except Exception:
        essential = essentials(data, name) or data
        if len(essential) != len(data) and (found := _decoded_or_none(essential, name)):
            return found
        if name == "jpeg" and (image := jpeg_end.decoded(essential)):
            return Decoded(_page_image(image), 1, ("truncated",))
        raise


def _decoded_or_none(data: bytes, name: str) -> Decoded | None:
    try:
        return _decoded(data, name)
    except (*_BOMBS, MemoryError):
        raise
    except Exception:  # noqa: BLE001 - as in `decode`
        return None


def _decoded(data: bytes, name: str) -> Decoded:
    def opened() -> Image.Image:
        return Image.open(io.BytesIO(data), formats=_PILLOW_NAMES[name])

    with contextlib.closing(opened()) as image:
        page_count = _count_gif_frames(data) if name == "gif" else _count_pages(image)
        image.draft("L", None)  # skips decoding of a JPEG's colours
        deep_colour.load(image, opened)
        if name == "jpeg" and jpeg_end.ends_early(data, image):
            raise DamagedImage
        return Decoded(_page_image(image), page_count)


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


def _page_image(image: Image.Image) -> PageImage:
    """Of a loaded image; closes it as soon as possible to free its pixels."""
    dpi = _dpi(image)
    grey = _to_grey(image)
    turned = pixels.orientation(image)  # after loading, which already turns a TIFF
    image.close()
    grey = pixels.upright(grey, turned)
    return PageImage(grey.tobytes(), grey.width, grey.height, dpi)


def _to_grey(image: Image.Image) -> Image.Image:
    opaque = pixels.opaque(image)
    if opaque is None:
        return image.convert("L")
    grey = Image.new("L", image.size)
    top = 0
    for band in pixels.bands(image):
        grey.paste(opaque(band).convert("L"), (0, top))
        top += band.height
    return grey


def _dpi(image: Image.Image) -> int:
    """The vertical resolution if the file gives a credible one for its size, else 0: the engine estimates it.

    An estimate costs no text, nor does a claim that is too low; a claim that is three times too high does.
    """
    try:
        dpi = round(float(image.info["dpi"][1]))
    except (KeyError, IndexError, TypeError, ValueError, ZeroDivisionError, OverflowError):
        return 0
    return dpi if dpi in _CREDIBLE_DPI and min(image.size) >= _LEAST_INCHES * dpi else 0

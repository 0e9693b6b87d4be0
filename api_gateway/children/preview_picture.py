"""Previews of pictures: what the words' boxes refer to, smaller.

The orientation in the file's EXIF is applied and nothing else, as in the worker that reads the picture.
"""

from __future__ import annotations

import contextlib
import io
import warnings

from PIL import Image, ImageFile, UnidentifiedImageError
from pillow_heif import register_heif_opener

from api_gateway.children.preview import Preview, encoded, size_within
from api_gateway.children.refusal import Refused
from api_gateway.uploads import sniff
from service_kit import deep_colour, pixels
from service_kit.essentials import essentials

# Those that the model server reads; Pillow knows others, whose decoders start programs.
_FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF", "PPM", "HEIF", "AVIF")
_WITH_METADATA = {"image/png": "png", "image/jpeg": "jpeg", "image/tiff": "tiff"}
_BOMBS = (Image.DecompressionBombError, Image.DecompressionBombWarning)
_GREY = ("1", "L")
_SIDEWAYS = (5, 6, 7, 8)  # EXIF orientations that exchange width and height
_MOST_REDUCED = 2.0  # a coarse reduction leaves this many times the pixels of each side to the fine one


def drawn(data: bytes, width: int, most_pixels: int) -> Preview:
    """The first page of a picture's file, not enlarged. What is there of a truncated file is shown.

    Raises:
        Refused.
    """
    register_heif_opener(thumbnails=False)
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    Image.MAX_IMAGE_PIXELS = most_pixels
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of each damaged tag
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            return encoded(_reduced(data, width, most_pixels))
        except _BOMBS:
            raise _too_many(most_pixels) from None
        except MemoryError:
            raise Refused("page_too_complex") from None
        except Refused:
            raise
        except Exception as error:  # Pillow's plug-ins raise any exception on damaged files
            unknown = isinstance(error, UnidentifiedImageError) and sniff.media_type(data) is None
            raise Refused("not_an_image" if unknown else "damaged_image") from error


def _reduced(data: bytes, width: int, most_pixels: int) -> Image.Image:
    try:
        return _shown(data, width, most_pixels)
    except (*_BOMBS, MemoryError, Refused):
        raise
    except Exception:
        essential = essentials(data, _WITH_METADATA.get(sniff.media_type(data) or "", ""))
        if essential is None or len(essential) == len(data):
            raise
        return _shown(essential, width, most_pixels)


def _shown(data: bytes, width: int, most_pixels: int) -> Image.Image:
    def opened() -> Image.Image:
        return Image.open(io.BytesIO(data), formats=_FORMATS)

    with contextlib.closing(opened()) as image:
        if image.width * image.height > most_pixels:
            raise _too_many(most_pixels)
        full, box = image.size, _all_of(image)
        if image.format in ("JPEG", "MPO"):
            smaller = image.draft(None, _stored_size(image, full, width))
            box = smaller[1] if smaller else box
            deep_colour.load(image, opened)
        else:
            deep_colour.load(image, opened)  # which turns a TIFF
            full, box = image.size, _all_of(image)
        size, turned = _stored_size(image, full, width), pixels.orientation(image)
        canvas = _canvas(image)
    return pixels.upright(canvas.resize(size, Image.Resampling.LANCZOS, box, _MOST_REDUCED), turned)


def _all_of(image: Image.Image) -> tuple[float, float, float, float]:
    return 0, 0, *image.size


def _stored_size(image: Image.Image, full: tuple[int, int], width: int) -> tuple[int, int]:
    """The preview's size before it is turned upright."""
    sideways = pixels.orientation(image) in _SIDEWAYS
    sides = full[::-1] if sideways else full
    size = size_within(sides, min(width, sides[0]))
    return size[::-1] if sideways else size


def _canvas(image: Image.Image) -> Image.Image:
    """The loaded image opaque, in grey or colour."""
    opaque = pixels.opaque(image)
    canvas: Image.Image | None = None
    top = 0
    for band in pixels.bands(image):
        shown = opaque(band) if opaque else band
        shown = shown.convert("L" if shown.mode in _GREY else "RGB")
        canvas = canvas or Image.new(shown.mode, image.size)
        canvas.paste(shown, (0, top))
        top += band.height
    assert canvas is not None  # noqa: S101 - narrows the type: an image has a row
    return canvas


def _too_many(most_pixels: int) -> Refused:
    return Refused(
        "too_many_pixels", f"The picture has too many pixels; at most {most_pixels / 1e6:g} megapixels are read."
    )

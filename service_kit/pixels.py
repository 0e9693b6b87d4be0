"""How the pixels of a picture are shown: opaque and 8 bits deep, in the worker and in the composer alike.

Images are converted some rows at a time, so that intermediate images are small.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from PIL import ExifTags, Image, ImageChops, ImageStat, TiffImagePlugin

Convert = Callable[[Image.Image], Image.Image]

_BAND_PIXELS = 1 << 20  # per band of rows; conversions take up to 16 bytes per pixel
_WHITES = (255, 1023, 4095, 16383, 65535)  # the maxima of 8, 10, 12, 14 and 16 bits
_DEEP = ("I", "F")  # the first letters of the modes with more than 8 bits
_SAMPLED_PIXELS = 1 << 20  # of which the ground is chosen
_BLACK_SHOWS_MORE = 2  # white is the usual ground: black must show this many times more edges
_PHOTOMETRIC, _MIN_IS_WHITE = 262, 0
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# Pillow reads the same in little-endian files.
TiffImagePlugin.OPEN_INFO.setdefault((b"MM", _MIN_IS_WHITE, (1,), 1, (16,), ()), ("I;16B", "I;16B"))


def orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1 if EXIF is missing or damaged."""
    try:
        found = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # noqa: BLE001 - Pillow raises any exception on damaged EXIF
        return 1
    return found if found in range(1, 9) else 1


def upright(image: Image.Image, turned: int) -> Image.Image:
    """The image if its orientation is `turned`."""
    return image.transpose(_TURNS[turned]) if turned in _TURNS else image


def bands(image: Image.Image) -> Iterator[Image.Image]:
    """The loaded image in bands of rows, from top to bottom."""
    rows = max(1, _BAND_PIXELS // image.width)
    for top in range(0, image.height, rows):
        yield image.crop((0, top, image.width, min(top + rows, image.height)))


def opaque(image: Image.Image) -> Convert | None:
    """What makes a band of this loaded image opaque, in mode 1, L or RGB.

    None if there is nothing to do: `convert` gives what the image shows.

    A transparent image gets the ground that shows its ink: white, or black for light ink. Grey of more than 8 bits
    is scaled by the bits that it uses.
    """
    if image.mode == "La":  # premultiplied; Pillow converts it to LA alone
        return _over(image, lambda band: band.convert("LA").convert("RGBA"))
    if image.has_transparency_data:
        least, most = image.getchannel("A").getextrema() if image.mode in ("LA", "RGBA") else (0, 255)
        if least == 255 or (most == 0 and image.format == "BMP"):  # programs that know no alpha write 0
            return None
        return _over(image, lambda band: band.convert("RGBA"))
    if image.mode[0] in _DEEP:
        return _eight_bits(image)
    if image.mode in ("LAB", "HSV", "CMYK"):
        return lambda band: band.convert("RGB")
    return None


def _over(image: Image.Image, layered: Convert) -> Convert:
    ground = _ground(image, layered)

    def flattened(band: Image.Image) -> Image.Image:
        return _flat(layered(band), ground).convert("RGB")

    return flattened


def _flat(layer: Image.Image, ground: str) -> Image.Image:
    return Image.alpha_composite(Image.new("RGBA", layer.size, ground), layer)


def _ground(image: Image.Image, layered: Convert) -> str:
    """White, unless black shows far more edges."""
    edges = {"white": 0.0, "black": 0.0}
    step = max(1, round((image.width * image.height / _SAMPLED_PIXELS) ** 0.5))
    for band in bands(image):
        size = (max(1, band.width // step), max(1, band.height // step))
        sample = layered(band.resize(size, Image.Resampling.NEAREST) if step > 1 else band)
        for ground in edges:
            edges[ground] += _edges(_flat(sample, ground).convert("L"))
    return "black" if edges["black"] > _BLACK_SHOWS_MORE * edges["white"] else "white"


def _edges(grey: Image.Image) -> float:
    """The sum of the differences between horizontal neighbours."""
    width, height = grey.size
    if width < 2:
        return 0.0
    left, right = grey.crop((0, 0, width - 1, height)), grey.crop((1, 0, width, height))
    return ImageStat.Stat(ImageChops.difference(left, right)).sum[0]


def _eight_bits(image: Image.Image) -> Convert:
    """Deep grey has no fixed white: it is the maximum of the bits in use, or the highest value if they fit none.

    In a TIFF white may be zero, which Pillow ignores in deep modes.
    """
    ranges: list[Any] = [_as_numbers(band).getextrema() for band in bands(image)]
    low, high = min(least for least, _ in ranges), max(most for _, most in ranges)
    if low >= 0 and 1 < high <= _WHITES[-1]:
        low, high = 0, next(white for white in _WHITES if high <= white)
    scale = 255 / (high - low) if high > low else 0.0
    offset = -low * scale
    if getattr(image, "tag_v2", {}).get(_PHOTOMETRIC) == _MIN_IS_WHITE:
        scale, offset = -scale, 255 - offset
    return lambda band: _as_numbers(band).point(lambda value: value * scale + offset).convert("L")


def _as_numbers(band: Image.Image) -> Image.Image:
    return band.convert("I") if band.mode.startswith("I;16") else band

"""Pictures as pages of a PDF, at their true size.

A JPEG is embedded unchanged, and so is the first JPEG of a phone's MPO; if EXIF rotates it, the PDF page is
rotated. Other pictures are stored without loss, in grey, colour or black and white like the original; transparent
areas become white, or black under light ink.
"""

from __future__ import annotations

import io
import mmap
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from PIL import Image, ImageFile
from pillow_heif import register_heif_opener

from api_gateway.children.tiff_pages import TiffPages
from api_gateway.uploads import tiff_directory
from service_kit import deep_colour, pixels
from service_kit.essentials import essentials

_POINTS_PER_INCH = 72
_CREDIBLE_DPI = (75, 4800)  # programs write 72 if they do not know it
_LEAST_INCHES = 1  # of the longer side
_UNKNOWN_DPI = 300  # usual for scanners
_TURNED = {1: 0, 6: 90, 3: 180, 8: 270}  # EXIF orientations without mirroring: the page's rotation
_MPO_ENTRIES = 0xB002  # the tag of the list of an MPO's pictures
_WITH_METADATA = ((b"\x89PNG", "png"), (b"\xff\xd8", "jpeg"), (b"II*\0", "tiff"), (b"MM\0*", "tiff"))
_STORED = ("1", "L", "RGB")
_SPACES = {"1": "DeviceGray", "L": "DeviceGray", "RGB": "DeviceRGB", "CMYK": "DeviceCMYK"}


class Picture(NamedTuple):
    """`entries` are those of a PDF's image object; `dpi` is horizontal and vertical."""

    entries: str
    data: bytes
    width: int
    height: int
    turned: int
    dpi: tuple[float, float]


def prepare() -> None:
    """Prepare the process: register HEIC, and accept all that the model server has already read."""
    register_heif_opener()
    Image.MAX_IMAGE_PIXELS = None
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    warnings.simplefilter("ignore")  # Pillow warns of each damaged tag


def read(source: Path, numbers: Sequence[int]) -> Iterator[Picture]:
    """Yield each of these pages of the file, counted from 1.

    Raises:
        OSError, ValueError: it can't be decoded.
    """
    with _opened(source) as image:
        for frame in _frames(source, numbers):
            image.seek(frame)
            yield _as_it_is(image, source) or _stored(image, partial(_opened_at, source, frame))


def _opened(source: Path) -> Image.Image:
    """Its metadata may be damaged, or larger than Pillow accepts."""
    try:
        image = Image.open(source)
    except Exception:
        data = source.read_bytes()
        name = next((name for start, name in _WITH_METADATA if data.startswith(start)), "")
        essential = essentials(data, name)
        if essential is None:
            raise
        return Image.open(io.BytesIO(essential))
    image.filename = ""  # else Pillow maps an uncompressed TIFF with the sides of its orientation: garbled
    return image


def _opened_at(source: Path, frame: int) -> Image.Image:
    image = _opened(source)
    image.seek(frame)
    return image


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
    if image.format not in ("JPEG", "MPO") or image.mode not in _SPACES:
        return None
    turned = _TURNED.get(pixels.orientation(image))
    if turned is None:
        return None
    entries = _entries(image.size, image.mode, "DCTDecode")
    if image.mode == "CMYK":
        entries += "/Decode[1 0 1 0 1 0 1 0]"  # Adobe's programs write inverted CMYK, and all others follow them
    with source.open("rb") as file:
        data = file.read(_first_of(image))
    return Picture(entries, data, image.width, image.height, turned, _dpi(image))


def _first_of(image: Image.Image) -> int:
    """Bytes of the first picture of an MPO, a JPEG that other pictures of the same scene follow; otherwise -1."""
    try:
        first: Any = image.mpinfo[_MPO_ENTRIES][0]  # type: ignore[attr-defined]
        size = int(first["Size"])
    except (AttributeError, KeyError, IndexError, TypeError, ValueError):
        return -1
    return size if size > 0 else -1


def _stored(image: Image.Image, again: Callable[[], Image.Image]) -> Picture:
    dpi = _dpi(image)  # before loading, which may rotate it
    deep_colour.load(image, again)
    opaque = pixels.opaque(image)
    image = pixels.upright(image, pixels.orientation(image))
    packer = zlib.compressobj(6)
    packed = []
    for band in pixels.bands(image):
        shown = opaque(band) if opaque else band
        stored = shown if shown.mode in _STORED else shown.convert("RGB")
        packed.append(packer.compress(stored.tobytes()))
    data = b"".join([*packed, packer.flush()])
    return Picture(_entries(image.size, stored.mode, "FlateDecode"), data, image.width, image.height, 0, dpi)


def _entries(size: tuple[int, int], mode: str, encoding: str) -> str:
    return (
        f"/Type/XObject/Subtype/Image/Width {size[0]}/Height {size[1]}/ColorSpace/{_SPACES[mode]}"
        f"/BitsPerComponent {1 if mode == '1' else 8}/Filter/{encoding}"
    )


def _dpi(image: Image.Image) -> tuple[float, float]:
    """Horizontal and vertical, for the picture as it is stored, before any rotation."""
    low, high = _CREDIBLE_DPI
    try:
        horizontal, vertical = (float(value) for value in image.info["dpi"])
        inches = max(image.width / horizontal, image.height / vertical)
    except (KeyError, TypeError, ValueError, ZeroDivisionError, OverflowError):
        return _UNKNOWN_DPI, _UNKNOWN_DPI
    if low <= horizontal <= high and low <= vertical <= high and inches >= _LEAST_INCHES:
        return horizontal, vertical
    return _UNKNOWN_DPI, _UNKNOWN_DPI

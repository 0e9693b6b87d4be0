"""Broken or huge metadata: the picture is read as without them."""

from __future__ import annotations

import io
import struct
import zlib
from random import Random

import pillow_heif
import pytest
from PIL import Image

from model_server.image_header import read_header
from model_server.reading import decoding
from tests.pictures import formats, render
from tests.pictures.files import chunk, jpeg_with, png_with, tiff_with

PICTURE = render.label(1)
PNG = formats.FORMATS["png grey"].encode(PICTURE)
JPEG = formats.jpeg(PICTURE)
TIFF = formats.FORMATS["tiff grey"].encode(PICTURE)
NOISE = Random(1).randbytes(400)
EXIF, ORIENTATION = b"Exif\0\0", 0x0112
LARGE = zlib.compress(b"x" * 3_000_000)
HUGE = zlib.compress(b"x" * 200_000_000)
CUT_EXIF = EXIF + b"MM\0*\0\0\0\x08\xff\xff"


@pytest.fixture(autouse=True, scope="module")
def prepared() -> None:
    decoding.prepare(50_000_000)


def decoded(file: bytes) -> Image.Image:
    page = decoding.decode(file, read_header(file)).image
    return Image.frombytes("L", (page.width, page.height), page.pixels)


def pngs() -> dict[str, bytes]:
    texts = {
        "text": chunk(b"zTXt", b"Comment\0\0" + LARGE),
        "huge text": chunk(b"zTXt", b"Comment\0\0" + HUGE),
        "XMP": chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + LARGE),
        "XMP is nonsense": chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + NOISE),
        "raw profile": chunk(b"zTXt", b"Raw profile type icc\0\0" + LARGE),
        "raw EXIF is nonsense": chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(b"\nexif\n 9\nzz")),
        "raw EXIF is large": chunk(b"zTXt", b"Raw profile type exif\0\0" + LARGE),
        "text of another method": chunk(b"zTXt", b"Comment\0\7" + LARGE),
        "80 texts": b"".join(
            chunk(b"zTXt", b"k%d\0\0" % at + zlib.compress(b"y" * 1_000_000)) for at in range(80)
        ),
        "profile": chunk(b"iCCP", b"p\0\0" + LARGE),
        "profile of another method": chunk(b"iCCP", b"p\0\7" + LARGE),
        "no profile": chunk(b"iCCP", b""),
        "EXIF": chunk(b"eXIf", NOISE),
        "resolution": chunk(b"pHYs", b"\0"),
        "colours": chunk(b"cHRM", b"\0") + chunk(b"sRGB", b"") + chunk(b"gAMA", b""),
        "checksum": chunk(b"tEXt", b"Comment\0x")[:-4] + b"\0\0\0\0",
    }
    return {
        **{f"png: {name}": png_with(PNG, text) for name, text in texts.items()},
        "png: text behind": png_with(PNG, texts["text"], behind_pixels=True),
        "png: transparency is cut short": png_with(PNG, chunk(b"tRNS", b"")),
        "png: animation is cut short": png_with(PNG, chunk(b"acTL", b"")),
    }


def jpegs() -> dict[str, bytes]:
    segments = {
        "EXIF is nonsense": (0xE1, EXIF + NOISE),
        "EXIF is empty": (0xE1, EXIF),
        "EXIF is cut short": (0xE1, CUT_EXIF),
        "EXIF points outside": (0xE1, EXIF + b"MM\0*\xff\xff\xff\xf8"),
        "XMP is nonsense": (0xE1, b"http://ns.adobe.com/xap/1.0/\0" + NOISE),
        "JFIF is cut short": (0xE0, b"JFIF\0"),
        "Adobe is cut short": (0xEE, b"Adobe"),
        "profile is cut short": (0xE2, b"ICC_PROFILE\0"),
        "profile is nonsense": (0xE2, b"ICC_PROFILE\0\1\x09" + NOISE),
        "Photoshop is cut short": (0xED, b"Photoshop 3.0\x008BIM\x04\x04"),
        "more pictures are not there": (0xE2, b"MPF\0" + NOISE),
        "comment": (0xFE, NOISE),
    }
    return {f"jpeg: {name}": jpeg_with(JPEG, segment) for name, segment in segments.items()}


def tiffs() -> dict[str, bytes]:
    entries = {
        "EXIF outside": (34665, 4, 1, 0xFFFFFFF0),
        "GPS at a wrong place": (34853, 4, 1, 3),
        "profile too large": (34675, 7, 0x7FFFFFFF, 9),
        "XMP as numbers": (700, 3, 3, 8),
        "sub-directories": (330, 4, 5, 8),
        "no such type": (65000, 99, 5, 8),
    }
    return {f"tiff: {name}": tiff_with(TIFF, struct.pack("<HHII", *entry)) for name, entry in entries.items()}


def others() -> dict[str, bytes]:
    def saved(kind: str, **options: bytes) -> bytes:
        stream = io.BytesIO()
        formats.rgb(PICTURE).save(stream, kind, **options)
        return stream.getvalue()

    pillow_heif.register_heif_opener()
    return {
        "webp: EXIF": saved("WEBP", exif=NOISE),
        "webp: profile": saved("WEBP", icc_profile=NOISE),
        "webp: XMP": saved("WEBP", xmp=NOISE),
        "heic: EXIF": saved("HEIF", exif=NOISE),
        "heic: EXIF is cut short": saved("HEIF", exif=CUT_EXIF),
        "heic: profile": saved("HEIF", icc_profile=NOISE),
        "avif: EXIF is cut short": saved("AVIF", exif=CUT_EXIF),
    }


FILES = {**pngs(), **jpegs(), **tiffs(), **others()}


@pytest.mark.parametrize("name", FILES)
def test_the_picture_is_read(name: str) -> None:
    found = decoded(FILES[name])
    assert found.size == PICTURE.image.size
    difference = [abs(a - b) for a, b in zip(found.tobytes(), PICTURE.image.convert("L").tobytes(), strict=True)]
    assert sum(difference) / len(difference) < 3


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
def test_the_orientation_is_kept_beside_broken_metadata(kind: str) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    stream = io.BytesIO()
    PICTURE.image.convert("L").save(stream, kind, exif=exif)
    sound = stream.getvalue()
    broken = {
        "PNG": lambda: png_with(sound, chunk(b"zTXt", b"Comment\0\0" + LARGE)),
        "JPEG": lambda: jpeg_with(sound, (0xED, b"Photoshop 3.0\x008BIM\x04\x04")),
        "TIFF": lambda: tiff_with(sound, struct.pack("<HHII", 34665, 4, 1, 0xFFFFFFF0)),
    }[kind]()
    assert decoded(sound).size == (100, 300)
    assert decoded(broken).tobytes() == decoded(sound).tobytes()

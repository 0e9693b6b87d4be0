"""The pages of a TIFF, in a whole file and while it arrives."""

from __future__ import annotations

import io
import struct

import pytest
from PIL import Image

from api_gateway.uploads.tiff_directory import Look, look
from tests.pictures import formats, render

ONE = formats.FORMATS["tiff grey"].encode(render.label(1))
TWO = formats.tiff_pages([render.label(1)] * 2)


def saved(dpi: float, unit: int = 2, **options: object) -> bytes:
    stream = io.BytesIO()
    tags = {296: unit, 282: 100.0, 283: dpi}
    Image.new("L", (300, 200), "white").save(stream, "TIFF", tiffinfo=tags, **options)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("data", "dpi"),
    [(saved(300), 300), (saved(118.11, unit=3), 300), (saved(300, unit=1), None), (saved(0), None)],
)
def test_the_resolution_up_and_down(data: bytes, dpi: float | None) -> None:
    assert look(data, whole=True).dpi == (None if dpi is None else pytest.approx(dpi, abs=0.1))


@pytest.mark.parametrize("data", [ONE, TWO, saved(300, big_tiff=False), saved(300, compression="tiff_lzw")])
def test_what_arrives_is_looked_at_a_few_times_and_decided_as_the_whole(data: bytes) -> None:
    """Each look asks for more bytes than there are, and the requested bytes are enough to continue."""
    arrived = looks = 0
    while (found := look(bytearray(data[:arrived]), whole=False)).more_pages is None:
        assert arrived < found.needed <= len(data)
        arrived = found.needed
        looks += 1
    assert found.more_pages == look(data, whole=True).more_pages
    assert looks <= 5
    for size in range(arrived):
        assert look(data[:size], whole=False).more_pages is None
        assert look(data[:size], whole=True).more_pages is False


def directory(following: int, count: int = 1) -> bytes:
    """A TIFF of one entry, with the offset of the next directory."""
    entry = struct.pack("<HHII", 256, 4, 1, 100)
    return b"II*\0" + struct.pack("<IH", 8, count) + entry + struct.pack("<I", following)


def test_nonsense_is_no_document() -> None:
    for data in (b"", b"II*\1" + bytes(20), directory(0, count=0), directory(0, count=60_000), directory(8)):
        assert look(data, whole=True) == Look(more_pages=False)
    for data in (b"II*\1" + bytes(20), directory(0, count=0), directory(0, count=60_000), directory(8)):
        assert look(data, whole=False) == Look(more_pages=False), "and it is said at once"
    beyond = directory(1_000_000)
    assert look(beyond, whole=False).more_pages is True, "a document, as far as one can see"
    assert look(beyond, whole=True).more_pages is False

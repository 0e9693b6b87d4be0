"""The size of an image, read from its header: the same as Pillow reports."""

from __future__ import annotations

import contextlib
import io
import time

import pillow_heif
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from model_server.errors import ImageError
from model_server.image_header import read_header
from tests.pictures import formats, render

pillow_heif.register_heif_opener()

LABEL = render.label(1)


@pytest.mark.parametrize("name", formats.FORMATS)
def test_format_and_size(name: str) -> None:
    data = formats.FORMATS[name].encode(LABEL)
    with Image.open(io.BytesIO(data)) as image:
        assert (read_header(data).width, read_header(data).height) == image.size


@pytest.mark.parametrize("name", formats.FORMATS)
def test_cut_anywhere_it_says_damaged_or_the_truth(name: str) -> None:
    data = formats.FORMATS[name].encode(LABEL)
    whole = read_header(data)
    for end in range(min(len(data), 2000)):
        try:
            assert read_header(data[:end]).format == whole.format
        except ImageError:
            continue


@given(st.binary(max_size=200), st.sampled_from(sorted(formats.FORMATS)), st.integers(0, 100))
def test_no_bytes_surprise_it(noise: bytes, name: str, keep: int) -> None:
    data = _ENCODED[name][:keep] + noise
    try:
        header = read_header(data)
    except ImageError:
        return
    assert header.width > 0
    assert header.height > 0


_ENCODED = {name: kind.encode(LABEL) for name, kind in formats.FORMATS.items()}

MANY = 20 * 1024 * 1024
HOSTILE = {
    "png": b"\x89PNG\r\n\x1a\n" + b"\0\0\0\0aaaa\0\0\0\0" * (MANY // 12),
    "jpeg": b"\xff\xd8" + b"\xff\xe0\0\x02" * (MANY // 4),
    "jpeg fill": b"\xff\xd8" + b"\xff" * MANY,
    "gif": b"GIF89a\x01\0\x01\0\0\0\0" + b"\x21\xfe\0" * (MANY // 3),
    "gif long": b"GIF89a\x01\0\x01\0\0\0\0\x21\xfe" + b"\x01a" * (MANY // 2),
    "tiff": b"II*\0\x08\0\0\0\xff\xff" + b"\0" * MANY,
    "heic": b"\0\0\0\x18ftypheic" + b"ispe" * (MANY // 4),
    "pnm": b"P6\n" + b"#\n" * (MANY // 2),
    "pnm spaces": b"P6" + b" " * MANY,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_header_is_told_in_milliseconds(name: str) -> None:
    began = time.perf_counter()
    with contextlib.suppress(ImageError):
        read_header(HOSTILE[name])
    assert time.perf_counter() - began < 0.25

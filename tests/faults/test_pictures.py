"""Files that are not pictures, and truncated, unusual and oversized pictures: faults 10 to 15."""

from __future__ import annotations

import contextlib
import io
import socket
import struct
import threading
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image

from tests.faults.conftest import Record
from tests.faults.pair import KNOWN, Pair, crowding, metrics, outcomes, until
from tests.faults.wire import HOST, Answer
from tests.pictures import formats, render

LABEL = render.label(1)


@contextlib.contextmanager
def listener() -> Iterator[tuple[int, list[bytes]]]:
    """A port, and the connections to it."""
    knocked: list[bytes] = []
    with socket.create_server((HOST, 0)) as server:
        server.settimeout(0.1)
        ended = threading.Event()

        def listen() -> None:
            while not ended.is_set():
                with contextlib.suppress(TimeoutError):
                    wire, _ = server.accept()
                    knocked.append(wire.recv(1000))
                    wire.close()

        thread = threading.Thread(target=listen)
        thread.start()
        yield server.getsockname()[1], knocked
        ended.set()
        thread.join()


def polyglots(url: str) -> dict[str, bytes]:
    svg = f'<svg xmlns="http://www.w3.org/2000/svg"><image href="{url}"/></svg>'
    return {
        "a list of files": b"/etc/passwd\n/etc/hostname\n",
        "an address": url.encode(),
        "an address, as ImageMagick has it": f"url:{url}\n".encode(),
        "SVG with a link": svg.encode(),
        "SVG with an entity": f'<!DOCTYPE s [<!ENTITY x SYSTEM "{url}">]><svg>&x;</svg>'.encode(),
        "MVG": f"push graphic-context\nimage over 0,0 1,1 '{url}'\n".encode(),
        "HTML": f'<html><img src="{url}"></html>'.encode(),
        "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n(/etc/passwd) (r) file\n",
        "PDF": f"%PDF-1.4\n1 0 obj<</URI({url})>>endobj\n".encode(),
        "a playlist": f"#EXTM3U\n{url}\n".encode(),
        "a ZIP": b"PK\3\4" + bytes(40),
        "a program": b"\x7fELF" + bytes(60),
        "GIF and script": f"GIF89a/*{'x' * 20}*/=1;fetch('{url}')".encode(),
        "PNG's first bytes and a list of files": b"\x89PNG\r\n\x1a\n/etc/passwd\n",
        "JPEG's first bytes and an address": b"\xff\xd8\xff" + url.encode(),
        "TIFF's first bytes and an address": b"II*\0" + url.encode(),
        "BMP's first bytes and an address": b"BM" + url.encode(),
        "PNM's first bytes and an address": b"P6 " + url.encode(),
        "a PNG's head and a list of files": png_of(300, 100, rows=b"/etc/passwd\n"),
        "a PNG's head and an address": png_of(
            300, 100, more=png_chunk(b"tEXt", b"Source\0" + url.encode()), rows=b"x"
        ),
        "XPM": b'/* XPM */\nstatic char *x[] = {"1 1 1 1", "a c #000000", "a"};',
        "ICO": b"\0\0\1\0\1\0\x10\x10\0\0\1\0\x20\0\x68\4\0\0\x16\0\0\0" + bytes(100),
        "zeros": bytes(1000),
        "text": b"no picture at all",
    }


@pytest.mark.fault(10, "Other files under a picture's name: lists of paths, addresses, SVG, PDF, polyglots")
def test_10_polyglots(pair: Pair, record: Record) -> None:
    slowest = 0.0
    with listener() as (port, knocked):
        found = polyglots(f"http://{HOST}:{port}/x.png")
        for what, data in found.items():
            for answer in (pair.read(data), pair.predict(data)):
                assert answer.status in (415, 422), (what, answer)
                codes = (
                    "not_an_image",
                    "unsupported_media_type",
                    "unsupported_format",
                    "damaged_image",
                    "damaged_document",
                )
                assert answer.code in codes, (what, answer)
                slowest = max(slowest, answer.seconds)
        assert not knocked, "no request went out"
        socket.create_connection((HOST, port)).close()
        until(lambda: knocked, "and one would have been noticed")
    record.saw(f"{len(found)} kinds", "415 or 422", slowest)
    record.also("no outgoing request")
    record.whole(pair)


TRUNCATED = (
    *("png grey", "jpeg rgb", "jpeg cmyk", "tiff lzw", "tiff group 4", "webp lossless", "webp lossy"),
    *("bmp", "gif", "gif animated", "pgm", "ppm plain", "heic", "avif"),
)


@pytest.mark.slow
@pytest.mark.fault(11, "Pictures cut short at each percent")
def test_11_truncated(pair: Pair, record: Record) -> None:
    def read(cut: tuple[str, int, bytes]) -> tuple[str, int, Answer]:
        return (*cut[:2], pair.read(cut[2]))

    wholes = {name: formats.FORMATS[name].encode(LABEL) for name in TRUNCATED}
    texts = {name: pair.read(data).text for name, data in wholes.items()}
    cuts = [(name, at, data[: len(data) * at // 100]) for name, data in wholes.items() for at in range(100)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(read, cuts))
    for name, at, answer in answers:
        assert answer.status in (200, 415, 422), (name, at, answer)
        if answer.status == 200:  # only bytes that are not needed were cut off
            assert answer.text == texts[name], (name, at)
    found = outcomes([answer for _, _, answer in answers])
    slowest = max(answer.seconds for _, _, answer in answers)
    record.saw(f"{len(cuts)} cuts of {len(TRUNCATED)} kinds", ", ".join(sorted(found)), slowest)
    record.also("never a 500, never 200 with less text")
    record.whole(pair)


SAME_AS_GREY = (
    *("png rgb", "png rgba", "png palette", "png la", "png 16 bits", "tiff cmyk", "tiff 16 bits", "bmp", "gif"),
    *("png 1 bit", "tiff group 4", "jpeg cmyk", *(f"jpeg orientation {turn}" for turn in formats.ORIENTATIONS)),
)


@pytest.mark.fault(12, "Odd modes: 16 bits, CMYK, palettes, transparency, 1 bit, turned by EXIF")
def test_12_modes(pair: Pair, record: Record) -> None:
    grey = pair.read(KNOWN)
    answers = [pair.read(formats.FORMATS[name].encode(LABEL)) for name in SAME_AS_GREY]
    for name, answer in zip(SAME_AS_GREY, answers, strict=True):
        assert answer.status == 200, (name, answer)
        assert answer.text == grey.text, name
        page = answer.json["pages"][0]
        assert (page["width"], page["height"]) == LABEL.image.size, name
    record.answer(f"{len(SAME_AS_GREY)} kinds", max(answers, key=lambda answer: answer.seconds))
    record.also("the same text as in 8-bit grey")
    record.whole(pair)


@pytest.mark.fault(13, "Animations, of a few frames and of very many")
def test_13_animated(pair: Pair, record: Record) -> None:
    for name in ("gif animated", "webp animated"):
        answer = pair.read(formats.FORMATS[name].encode(LABEL))
        assert answer.status == 200
        assert answer.text == pair.known_text, "the first frame's"
        assert answer.json["page_count"] == 2
    frames = [Image.new("P", (300, 100), at % 2) for at in range(2000)]
    stream = io.BytesIO()
    frames[0].save(stream, "GIF", save_all=True, append_images=frames[1:], duration=10)
    many = record.answer("a GIF of 2000 frames", pair.read(stream.getvalue()))
    assert many.status in (200, 422)
    assert many.seconds < 5 * crowding()
    record.whole(pair)


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_of(width: int, height: int, bits: int = 1, more: bytes = b"", rows: bytes | None = None) -> bytes:
    """A PNG that declares this size; all zeros, maximally compressed."""
    if rows is None:
        packer = zlib.compressobj(9)
        row = bytes((width * bits + 7) // 8 + 1)
        rows = b"".join([packer.compress(row * 100) for _ in range(height // 100)]) + packer.flush()
    head = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + more + png_chunk(b"IDAT", rows) + png_chunk(b"IEND", b"")


def saved(image: Image.Image, pillow: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, pillow, **options)
    return stream.getvalue()


@pytest.mark.fault(14, "One pixel, none, and four hundred million in 90 KB")
def test_14_sizes(pair: Pair, record: Record) -> None:
    for width, height in ((1, 1), (1, 200), (200, 1), (2, 2)):
        tiny = pair.read(saved(Image.new("L", (width, height), 255), "PNG"))
        assert (tiny.status, tiny.json["text"]) == (200, "")
        if (width, height) == (1, 1):
            record.answer("1 x 1", tiny)
    for width, height in ((0, 10), (10, 0), (0, 0)):
        none = pair.read(png_of(width, height, rows=b""))
        assert (none.status, none.code) == (422, "damaged_image")
    record.answer("0 x 0", none)
    bomb = png_of(20_000, 20_000)
    assert len(bomb) < 100_000
    begun = metrics(pair.model.service)["ocr_queue_wait_seconds_count"]
    large = record.answer("20000 x 20000, PNG of 1 bit", pair.read(bomb))
    assert metrics(pair.model.service)["ocr_queue_wait_seconds_count"] == begun, "no worker saw it"
    assert (large.status, large.code) == (422, "too_many_pixels")
    assert large.seconds < 0.5 * crowding()
    # Sizes that the header does not show: a GIF's frame, sizes that overflow.
    liars = {
        "a GIF whose frame is larger than its canvas": b"GIF89a\1\0\1\0\0\0\0,"
        + struct.pack("<4HB", 0, 0, 65535, 65535, 0),
        "a JPEG of 65535 x 65535": b"\xff\xd8\xff\xc0\0\x11\x08\xff\xff\xff\xff\3\1\x11\0\2\x11\0\3\x11\0",
        "a PNG of 4294967295 x 4294967295": png_of(2**32 - 1, 2**32 - 1, rows=b""),
        "a BMP of -2147483648": b"BM"
        + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, 9, -(2**31), 1, 1, 0, 0, 0, 0, 0, 0),
        "a PGM of 999999999": b"P5 999999999 999999999 255\n",
    }
    answers = []
    for what, data in liars.items():
        answers.append(pair.read(data))
        assert answers[-1].status in (415, 422), (what, answers[-1])
        assert answers[-1].seconds < 1 * crowding(), what
    got = ", ".join(f"{count} times {outcome}" for outcome, count in sorted(outcomes(answers).items()))
    record.saw(f"{len(liars)} headers that lie", got, max(answer.seconds for answer in answers))
    packed = png_chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(200 << 20), 9))
    noted = pair.read(png_of(64, 64, more=packed, rows=zlib.compress(bytes(9 * 64))))
    record.answer("200 MiB of text in a PNG's metadata, which are skipped", noted)
    assert noted.status == 200
    assert noted.seconds < 1 * crowding()
    record.whole(pair)


def tiff_ring(back_to: int) -> bytes:
    """A TIFF of three pages whose last directory points back to an earlier one."""
    data = bytearray(formats.FORMATS["tiff 3 pages"].encode(LABEL))
    offsets = []
    at = 4
    while offset := struct.unpack_from("<I", data, at)[0]:
        offsets.append(offset)
        at = offset + 2 + 12 * struct.unpack_from("<H", data, offset)[0]
    struct.pack_into("<I", data, at, offsets[back_to])
    return bytes(data)


@pytest.mark.fault(15, "A TIFF of a thousand pages, and some whose directories go round in a ring")
def test_15_tiff(pair: Pair, record: Record) -> None:
    page = LABEL.image.convert("1")
    data = saved(page, "TIFF", save_all=True, append_images=[page] * 999, compression="group4")
    many = record.answer("1000 pages", pair.read(data))
    assert (many.status, many.code) == (422, "too_many_pages")
    assert many.seconds < 5 * crowding()
    one = record.answer("the last of them", pair.read(data, "?pages=1000"))
    assert one.status == 200
    assert one.json["page_count"] == 1000
    assert one.text == pair.known_text
    for back_to in range(3):
        ring = pair.read(tiff_ring(back_to))
        assert ring.status in (200, 422)
        assert ring.seconds < 2 * crowding()
        if ring.status == 200:
            assert {*ring.text.split("\f")} == {pair.known_text}
    record.answer("a ring", ring)
    record.whole(pair)

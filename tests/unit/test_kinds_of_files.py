"""What a file is, by its first bytes."""

from __future__ import annotations

import pytest

from api_gateway.uploads.sniff import media_type, refuse_others
from service_kit.errors import UnsupportedMediaType
from tests.pictures import formats, render

ENCODED = {name: known.encode(render.label(1)) for name, known in formats.FORMATS.items()}


@pytest.mark.parametrize("name", ENCODED)
def test_the_media_type_of_a_picture(name: str) -> None:
    expected = {"heif": "heic", **dict.fromkeys(("pbm", "pgm", "ppm"), "x-portable-anymap")}
    found = media_type(ENCODED[name][:1024])
    refuse_others(ENCODED[name][:1024])
    start = name.partition(" ")[0].lower()
    assert found == f"image/{expected.get(start, start)}"


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"%PDF-1.7", "application/pdf"),
        (b"\r\n\r\nFrom: x\r\n%PDF-1.4", "application/pdf"),
        (b"1 0 obj\n<<", "application/pdf"),
        (b"\0\0\0\x18ftypavif", "image/avif"),
        (b"\0\0\0\x18ftypmif1", "image/heic"),
        (b"P6\n1 1\n", "image/x-portable-anymap"),
        (b"PNG", None),
        (b"hello", None),
        (b"", None),
    ],
)
def test_the_media_type_of_other_files(head: bytes, expected: str | None) -> None:
    refuse_others(head)
    assert media_type(bytearray(head)) == expected


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"PK\x03\x04\x14\0", "Office"),
        (b"PK\x05\x06" + bytes(18), "archives"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0", "Outlook"),
        (b"{\\rtf1\\ansi", "RTF"),
        (b"\x1f\x8b\x08", "archives"),
        (b"Rar!\x1a\x07", "archives"),
        (b"7z\xbc\xaf\x27\x1c\0", "archives"),
    ],
)
def test_what_is_neither_picture_nor_document(head: bytes, kind: str) -> None:
    with pytest.raises(UnsupportedMediaType, match=kind):
        refuse_others(bytearray(head))
    assert media_type(head) is None

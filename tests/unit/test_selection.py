"""`pages=`, and the identification of uploads."""

from __future__ import annotations

import pytest

from api_gateway.documents.selection import choose
from api_gateway.errors import NoSuchPage, TooManyPages
from api_gateway.uploads import sniff, tiff_directory
from tests.documents import make
from tests.faults.wire import multipart
from tests.pictures import formats, render


@pytest.mark.parametrize(
    ("asked", "chosen"),
    [
        (None, [1, 2, 3, 4, 5, 6, 7]),
        ("3", [3]),
        ("1-3,7", [1, 2, 3, 7]),
        ("7,1-2", [7, 1, 2]),
        ("5-", [5, 6, 7]),
        ("2,2,1-3", [2, 1, 3]),
    ],
)
def test_pages_that_are_asked_for(asked: str | None, chosen: list[int]) -> None:
    assert choose(asked, 7, most=10) == chosen


@pytest.mark.parametrize("asked", ["8", "1-8", "8-"])
def test_pages_that_are_not_there(asked: str) -> None:
    with pytest.raises(NoSuchPage):
        choose(asked, 7, most=10)


@pytest.mark.parametrize("asked", [None, "1-999999", "1-6,7-11", "3-"])
def test_too_many_pages(asked: str | None) -> None:
    with pytest.raises(TooManyPages):
        choose(asked, 1_000_000, most=10)


def test_few_pages_of_a_file_with_many() -> None:
    assert choose("999999-", 1_000_000, most=10) == [999_999, 1_000_000]


def test_documents_are_known_by_their_first_bytes() -> None:
    assert sniff.look(make.digital("x")) == "pdf"
    assert sniff.look(b"mail header\r\n" * 50 + b"%PDF-1.4") == "pdf"
    assert sniff.look(b" " * 1100 + b"%PDF-1.4") == "picture"
    for damaged in (b"PDF-1.4\n", b"%!PS-Adobe-3.0 PDF-1.4\n", b"1 0 obj\n<<", b"%\xe2\xe3\xcf\xd3\r\n12 0 obj<<"):
        assert sniff.look(damaged) == "pdf"
    assert sniff.look(formats.FORMATS["tiff grey"].encode(render.label(1))) == "tiff"
    for name in ("png grey", "jpeg rgb", "gif", "webp lossless", "bmp", "pgm", "pgm plain", "heic", "avif"):
        data = formats.FORMATS[name].encode(render.label(1))
        assert sniff.look(data[:40] + b"%PDF-1.4" + data[40:]) == "picture", name


def test_a_tiff_of_one_page_is_a_picture() -> None:
    def more_pages(data: bytes) -> bool | None:
        return tiff_directory.look(data, whole=True).more_pages

    assert more_pages(formats.FORMATS["tiff grey"].encode(render.label(1))) is False
    assert more_pages(formats.tiff_pages([render.label(1)] * 2)) is True
    assert more_pages(b"II*\0") is False
    assert more_pages(b"II*\0" + b"\xff" * 100) is False


def test_a_tiff_that_still_arrives_is_known_as_soon_as_its_first_directory_is_there() -> None:
    for data, more in (
        (formats.FORMATS["tiff grey"].encode(render.label(1)), False),
        (formats.tiff_pages([render.label(1)] * 2), True),
    ):
        looks = [tiff_directory.look(data[:size], whole=False) for size in range(8, len(data), 97)]
        said = [look.more_pages for look in looks]
        assert set(said) <= {None, more}
        needed = {look.needed for look in looks if look.more_pages is None}
        assert all(size <= len(data) for size in needed)
        assert tiff_directory.look(data, whole=False).more_pages is more


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        (b"%PDF-1.7" + bytes(2000), "pdf"),
        (b"II*\0" + bytes(2000), "tiff"),
        (b"\x89PNG\r\n", "picture"),
        (bytes(2000), "picture"),
        (b"%P", None),
        (b"", None),
    ],
)
def test_what_a_form_holds_by_its_first_bytes(file: bytes, kind: str | None) -> None:
    assert (
        sniff.kind_in_form(
            multipart(file)[: 300 + len(file)] if len(file) > 1000 else multipart(file)[:-10], "image_file"
        )
        == kind
    )
    assert sniff.kind_in_form(multipart(file, "password"), "image_file") is None

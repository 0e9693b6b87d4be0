"""The form of an upload, with the fields that contracts take."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from api_gateway.errors import BadMultipart, NoFile
from api_gateway.uploads.multipart import Fields, Form
from service_kit.errors import UnsupportedMediaType

TYPE = "multipart/form-data; boundary=b"
OWN = Fields()
ONE_FILE = Fields("file", None)
ANY = Fields(None, None)

Part = tuple[str, bytes]


def form(*parts: Part) -> bytes:
    head = '--b\r\nContent-Disposition: form-data; name="{}"\r\n\r\n'
    return b"".join(head.format(name).encode() + data + b"\r\n" for name, data in parts) + b"--b--\r\n"


def parsed(fields: Fields, *parts: Part, size: int = 1 << 20, most_files: int = 1) -> tuple[bytes, dict[str, str]]:
    """The files, one behind the other, and the texts."""
    file = bytearray()
    begun: list[None] = []
    parser = Form(TYPE, file.extend, (lambda: begun.append(None)) if most_files > 1 else None, fields=fields)
    body = form(*parts)
    for at in range(0, len(body), size):
        parser.feed(body[at : at + size])
    texts = dict(parser.end())
    assert len(begun) == (len(parts) if most_files > 1 else 0)
    return bytes(file), texts


@pytest.mark.parametrize("size", [1, 3, 1 << 20])
@pytest.mark.parametrize(
    ("fields", "parts", "found"),
    [
        (OWN, [("image_file", b"x\r\n")], (b"x\r\n", {})),
        (OWN, [("password", b"p"), ("image_file", b"x")], (b"x", {"password": "p"})),
        (ONE_FILE, [("language", b"de"), ("file", b"x"), ("other", b"")], (b"x", {"language": "de", "other": ""})),
        (ONE_FILE, [("file", b""), ("purpose", b"\xfc")], (b"", {"purpose": "\u00fc"})),
        (ANY, [("upload", b"x" * 5000), ("b", b"y")], (b"x" * 5000, {"b": "y"})),
        (ANY, [("", b"x")], (b"x", {})),
    ],
)
def test_a_form(fields: Fields, parts: Sequence[Part], found: tuple[bytes, dict[str, str]], size: int) -> None:
    assert parsed(fields, *parts, size=size) == found


@pytest.mark.parametrize(
    ("fields", "parts", "text"),
    [
        (OWN, [("image_file", b"x"), ("language", b"de")], "image_file and password"),
        (ONE_FILE, [("file", b"x"), ("file", b"y")], "one field file"),
        (ANY, [("a", b"x"), ("a", b"y")], "one field a"),
        (ONE_FILE, [("language", b"x" * 1025)], "language is too long"),
        (ONE_FILE, [("a", b""), ("a", b"")], "one field a"),
        (ANY, [("a", b"x"), ("b", b"y" * 1025)], "b is too long"),
        (ONE_FILE, [(f"f{at}", b"") for at in range(200)], "64 fields"),
        (ANY, [(f"f{at}", b"") for at in range(200)], "64 fields"),
        (ONE_FILE, [("x" * 17_000, b"")], "not valid"),
    ],
)
def test_a_form_that_is_refused(fields: Fields, parts: Sequence[Part], text: str) -> None:
    with pytest.raises(BadMultipart, match=text):
        parsed(fields, *parts)


@pytest.mark.parametrize(("fields", "name"), [(OWN, "image_file"), (ONE_FILE, "file"), (ANY, "image_file")])
def test_a_form_without_a_file(fields: Fields, name: str) -> None:
    with pytest.raises(NoFile, match=name):
        parsed(fields)
    with pytest.raises(UnsupportedMediaType, match=name):
        Form("text/plain", bytearray().extend, fields=fields)


def test_several_files_are_told_one_by_one() -> None:
    assert parsed(Fields("f", ()), ("f", b"1"), ("f", b"2"), ("f", b"3"), most_files=3) == (b"123", {})

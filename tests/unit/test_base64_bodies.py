"""Files in the base64 of a JSON body, in pieces of any size."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from api_gateway.uploads.bodies import Base64Body, Body, BodyOf, DataUrlBody, FileReferred, OnFile, WholeBody
from service_kit.errors import BadRequest

FIELD = "base64Source"
ADDRESS = "https://gateway.example/v1/files/" + 32 * "a"
AZURE: BodyOf = partial(Base64Body, FIELD)
MISTRAL: BodyOf = DataUrlBody
LARGE = bytes(range(256)) * 40

Parsed = tuple[bytes, Mapping[str, Any]]


def parsed(make: Callable[[OnFile, Callable[[], None] | None], Body], pieces: Sequence[bytes]) -> Parsed:
    """The file, and what stands besides it."""
    file = bytearray()
    begun: list[None] = []
    body = make(file.extend, lambda: begun.append(None))
    for piece in pieces:
        body.feed(piece)
    fields = body.end()
    assert len(begun) == 1
    return bytes(file), fields


def cut(body: bytes, sizes: Sequence[int]) -> list[bytes]:
    """In pieces of these sizes, again and again."""
    found: list[bytes] = []
    at = 0
    while at < len(body):
        size = sizes[len(found) % len(sizes)]
        found.append(body[at : at + size])
        at += size
    return found


def data_url(data: bytes, media_type: str = "application/pdf") -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


ESCAPES: dict[str, Callable[[str], str]] = {
    "none": lambda text: text,
    "as PHP": lambda text: text.replace("/", "\\/"),
    "as .NET": lambda text: text.replace("+", "\\u002B").replace("/", "\\u002f").replace("=", "\\u003d"),
}
SIZES = st.lists(st.integers(1, 40), min_size=1, max_size=4)
CUTS = pytest.mark.parametrize("sizes", [[1], [2], [3], [5], [7, 1], [4096], [1 << 20]], ids=str)


@pytest.mark.parametrize("escaped", ESCAPES)
@settings(max_examples=40)
@given(data=st.binary(max_size=60), sizes=SIZES, at=st.integers(0, 2))
@example(data=b"\xfb\xff\xfe", sizes=[1], at=0)
@example(data=b"", sizes=[3], at=2)
def test_the_bytes_are_exact(escaped: str, data: bytes, sizes: list[int], at: int) -> None:
    fields = [("a", "\u00fc"), ("pages", [0, {"b": None}])]
    fields.insert(at, (FIELD, "FILE"))
    text = ESCAPES[escaped](base64.b64encode(data).decode())
    body = json.dumps(dict(fields), indent=at).replace("FILE", text).encode()
    file, found = parsed(AZURE, cut(body, sizes))
    assert file == data
    assert {name: found[name] for name in ("a", "pages")} == {"a": "\u00fc", "pages": [0, {"b": None}]}


@pytest.mark.parametrize("escaped", ESCAPES)
@pytest.mark.parametrize(
    "document",
    [
        lambda url: {"type": "document_url", "document_url": url},
        lambda url: {"document_url": url, "document_name": "x.pdf"},
        lambda url: {"type": "image_url", "image_url": url},
        lambda url: {"image_url": {"url": url, "detail": "auto"}},
        lambda url: {"document_url": None, "image_url": {"detail": "auto", "url": url}},
    ],
)
@settings(max_examples=40)
@given(data=st.binary(max_size=60), sizes=SIZES)
def test_the_bytes_of_a_data_url_are_exact(
    escaped: str, document: Callable[[str], Any], data: bytes, sizes: list[int]
) -> None:
    body = json.dumps({"model": "m", "document": document(data_url(data)), "pages": [1]})
    body = ESCAPES[escaped](body)
    file, found = parsed(MISTRAL, cut(body.encode(), sizes))
    assert (file, found["pages"]) == (data, [1])


@CUTS
def test_a_long_file(sizes: list[int]) -> None:
    body = json.dumps({FIELD: base64.b64encode(LARGE).decode()}).encode()
    assert parsed(AZURE, cut(body, sizes))[0] == LARGE
    body = json.dumps({"document": {"image_url": data_url(LARGE)}}).encode()
    assert parsed(MISTRAL, cut(body, sizes))[0] == LARGE


@settings(max_examples=40)
@given(data=st.binary(max_size=60), sizes=SIZES)
def test_a_whole_body_is_the_file(data: bytes, sizes: list[int]) -> None:
    assert parsed(WholeBody, cut(data, sizes)) == (data, {})


BAD = {
    "an empty body": "",
    "no JSON": "%PDF-1.7",
    "no object": f'["{FIELD}"]',
    "another field": '{"urlSource": "https://example.com/x.pdf"}',
    "no text": f'{{"{FIELD}": 7}}',
    "null": f'{{"{FIELD}": null}}',
    "cut in the base64": f'{{"{FIELD}": "QUJD',
    "cut behind it": f'{{"{FIELD}": "QUJD"',
    "more behind the object": f'{{"{FIELD}": "QUJD"}} {{}}',
    "no base64": f'{{"{FIELD}": "QU!D"}}',
    "of URLs": f'{{"{FIELD}": "_-_-"}}',
    "blanks": f'{{"{FIELD}": "QUJD QUJD"}}',
    "a line break": f'{{"{FIELD}": "QUJD\\nQUJD"}}',
    "a group that is not whole": f'{{"{FIELD}": "QUJDQ"}}',
    "a padding that is not whole": f'{{"{FIELD}": "QQ="}}',
    "a padding in the middle": f'{{"{FIELD}": "QQ==QUJD"}}',
    "a padding twice": f'{{"{FIELD}": "QQ==QQ=="}}',
    "an escaped quote": f'{{"{FIELD}": "QUJD\\"QUJD"}}',
    "another escape": f'{{"{FIELD}": "\\u0041UJD"}}',
    "a cut escape": f'{{"{FIELD}": "QUJD\\u00"}}',
    "a last backslash": f'{{"{FIELD}": "QUJD\\',
    "the field in another object": f'{{"x": {{"{FIELD}": "QUJD"}}}}',
    "the field in another object first": f'{{"x": {{"{FIELD}": "QUJD"}}, "{FIELD}": "QUJE"}}',
    "the field in another object, then empty": f'{{"x": {{"{FIELD}": "QUJD"}}, "{FIELD}": ""}}',
    "the field in a list": f'[{{"{FIELD}": "QUJD"}}]',
    "the field twice": f'{{"{FIELD}": "QUJD", "{FIELD}": ""}}',
    "the end of a name": f'{{"a\\"{FIELD}": "QUJD"}}',
    "bytes that are not UTF-8": f'{{"a": "\udcff", "{FIELD}": "QUJD"}}',
    "too much before": f'{{"a": "{"x" * 70_000}", "{FIELD}": "QUJD"}}',
    "too much behind": f'{{"{FIELD}": "QUJD", "a": "{"x" * 70_000}"}}',
    "blanks without end": " " * 70_000,
    "too deep": f'{{"{FIELD}": "QUJD", "a": {"[" * 5000}{"]" * 5000}}}',
}


@pytest.mark.parametrize("size", [1, 4, 1 << 20])
@pytest.mark.parametrize("what", BAD)
def test_a_bad_body(what: str, size: int) -> None:
    if size == 1 and len(BAD[what]) > 10_000:
        size = 100
    with pytest.raises(BadRequest):
        parsed(AZURE, cut(BAD[what].encode("utf-8", "surrogateescape"), [size]))


BAD_URLS = {
    "an empty body": "",
    "no document": {"model": "m"},
    "a document that is text": {"document": data_url(b"x")},
    "a document without a file": {"document": {"type": "document_url"}},
    "a number": {"document": {"document_url": 7}},
    "an object without a url": {"document": {"image_url": {"detail": "low"}}},
    "the file elsewhere": {"document": {}, "document_url": data_url(b"x")},
    "the file elsewhere, and an address": {"x": {"url": data_url(b"x")}, "document": {"document_url": ADDRESS}},
    "the file elsewhere, and none here": {
        "x": {"url": data_url(b"x")},
        "document": {"image_url": "data:;base64,"},
    },
    "two files": {"x": {"url": data_url(b"x")}, "document": {"document_url": data_url(b"y")}},
    "no base64": {"document": {"document_url": "data:application/pdf;base64,QU!D"}},
}


@pytest.mark.parametrize("size", [1, 1 << 20])
@pytest.mark.parametrize("what", BAD_URLS)
def test_a_bad_data_url(what: str, size: int) -> None:
    body = BAD_URLS[what]
    with pytest.raises(BadRequest):
        parsed(MISTRAL, cut(body.encode() if isinstance(body, str) else json.dumps(body).encode(), [size]))


def test_a_second_data_url_behind_the_file_is_not_read() -> None:
    body = {"document": {"image_url": data_url(b"file")}, "x": {"url": data_url(b"other")}}
    assert parsed(MISTRAL, [json.dumps(body).encode()])[0] == b"file"


@pytest.mark.parametrize(
    ("document", "url"),
    [
        ({"document_url": ADDRESS}, ADDRESS),
        ({"image_url": {"url": ADDRESS}}, ADDRESS),
        ({"type": "file", "file_id": 32 * "a"}, 32 * "a"),
        ({"document_url": "data:text/plain,hello"}, "data:text/plain,hello"),
    ],
)
@CUTS
def test_an_address_is_told(document: Any, url: str, sizes: list[int]) -> None:
    with pytest.raises(FileReferred) as told:
        parsed(MISTRAL, cut(json.dumps({"document": document, "pages": "0"}).encode(), sizes))
    assert (told.value.url, told.value.fields["pages"]) == (url, "0")


@pytest.mark.parametrize("make", [AZURE, MISTRAL], ids=["azure", "mistral"])
@given(body=st.binary(max_size=200) | st.text(max_size=200).map(str.encode), sizes=SIZES)
def test_nothing_else_is_raised(make: BodyOf, body: bytes, sizes: list[int]) -> None:
    start = b'{"document":{"document_url":"data:;base64,' if make is MISTRAL else b'{"base64Source":"'
    for whole in (body, start + body):
        try:
            parsed(make, cut(whole, sizes))
        except (BadRequest, FileReferred):
            continue

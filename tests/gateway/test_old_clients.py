"""What other programs send: HTTP/1.0, forms with a preamble, blanks or long headers, languages=eng+deu."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import httpx
import pytest

from tests.conftest import Pair
from tests.documents import make
from tests.pictures import render

URL = "/gateway/ocr"
DISPOSITION = b'Content-Disposition: form-data; name="image_file"; filename="x.png"'


def form(file: bytes, *, before: bytes = b"", blanks: bytes = b"", headers: bytes = b"") -> bytes:
    head = b"".join([before, b"--x", blanks, b"\r\n", DISPOSITION, b"\r\n", headers, b"\r\n"])
    return b"".join([head, file, b"\r\n--x--", blanks, b"\r\n"])


def over_1_0(address: str, body: bytes, query: str = "", *headers: str, method: str = "POST") -> tuple[str, bytes]:
    """Send the form as HTTP/1.0; returns the head and all bytes until the connection ends."""
    url = httpx.URL(address)
    head = [
        f"{method} {query} HTTP/1.0",
        f"Content-Length: {len(body)}",
        "Content-Type: multipart/form-data; boundary=x",
        *headers,
    ]
    with socket.create_connection((url.host, url.port), timeout=30) as client:
        client.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + body)
        answer = b"".join(iter(lambda: client.recv(1 << 16), b""))
    found, _, content = answer.partition(b"\r\n\r\n")
    return found.decode().lower(), content


@pytest.mark.parametrize("headers", [(), ("Connection: keep-alive",)], ids=["plain", "keep-alive"])
@pytest.mark.parametrize("name", ["json", "ndjson", "text", "hocr", "pdf"])
def test_http_1_0(pair: Pair, page_png: bytes, name: str, headers: tuple[str, ...]) -> None:
    head, content = over_1_0(pair.gateway.url, form(page_png), f"{URL}?format={name}", *headers)
    assert " 200 " in head
    assert "transfer-encoding" not in head
    assert "connection: close" in head
    whole = {"json": b"}", "ndjson": b"}\n", "text": b"\n", "hocr": b"</html>\n", "pdf": b"%%EOF\n"}[name]
    assert content.endswith(whole)
    assert "content-length" not in head or f"content-length: {len(content)}" in head


def test_a_streamed_document_over_http_1_0(pair: Pair) -> None:
    document = make.digital("Hello", "World", "2026")
    head, content = over_1_0(pair.gateway.url, form(document), f"{URL}?format=ndjson")
    *pages, closing = map(json.loads, content.splitlines())
    assert [page["text"] for page in pages] == ["Hello\n", "World\n", "2026\n"]
    assert closing["pages_ok"] == 3
    assert "chunked" not in head


def test_the_model_server_and_errors_over_http_1_0(pair: Pair) -> None:
    head, content = over_1_0(pair.model.url, b"", "/v1/models/ocr-model", method="GET")
    assert (" 200 " in head, "chunked" in head) == (True, False)
    assert json.loads(content)["ready"]
    head, content = over_1_0(pair.gateway.url, form(b"nonsense"), URL)
    assert (" 415 " in head, "chunked" in head) == (True, False)
    assert json.loads(content)["code"] == "not_an_image"


FORMS = {
    "preamble": {"before": b"This is a message in MIME format.\r\n\r\n"},
    "line break": {"before": b"\r\n"},
    "long preamble": {"before": b"p" * 20_000 + b"\r\n--y\r\n--xx-\r\n"},
    "blanks": {"blanks": b"  \t "},
    "preamble and blanks": {"before": b"Hello --x\r\n", "blanks": b" "},
    "long header": {"headers": b"X-Note: " + b"n" * 6000 + b"\r\n"},
    "many headers": {"headers": b"".join(b"X-Note-%d: n\r\n" % at for at in range(30))},
}


@pytest.mark.parametrize("size", [1, 1 << 20], ids=["byte by byte", "at once"])
@pytest.mark.parametrize("name", FORMS)
def test_a_form(gateway: httpx.Client, label: render.Picture, label_png: bytes, name: str, size: int) -> None:
    body = form(label_png, **FORMS[name])

    def pieces() -> Iterator[bytes]:
        yield from (body[at : at + size] for at in range(0, 200, size))
        yield body[-(-200 // size) * size :]

    headers = {"content-type": "multipart/form-data; boundary=x"}
    answer = gateway.post(f"{URL}?format=text", content=pieces(), headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.text.split() == label.text.split()


@pytest.mark.parametrize(
    "body",
    [
        form(b"", before=b"p" * 200_000 + b"\r\n"),
        form(b"", headers=b"X-Note: " + b"n" * 100_000 + b"\r\n"),
        form(b"", headers=b"".join(b"X-Note-%d: n\r\n" % at for at in range(100))),
    ],
    ids=["preamble", "header", "headers"],
)
def test_beyond_reason(gateway: httpx.Client, body: bytes) -> None:
    answer = gateway.post(URL, content=body, headers={"content-type": "multipart/form-data; boundary=x"})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_multipart")


@pytest.mark.parametrize("given", ["eng+deu", "eng%2Bdeu", "eng,deu", "eng%20deu", "eng,%20deu"])
def test_languages(gateway: httpx.Client, label_png: bytes, given: str) -> None:
    answer = gateway.post(f"{URL}?languages={given}", files={"image_file": ("x", label_png)})
    assert answer.json()["model"]["languages"] == ["eng", "deu"]


@pytest.mark.parametrize("given", ["eng+", "+eng", "eng++deu", "eng;deu", "eng+xyz", "eng+deu+eng+deu+eng"])
def test_no_languages(gateway: httpx.Client, label_png: bytes, given: str) -> None:
    answer = gateway.post(f"{URL}?languages={given}", files={"image_file": ("x", label_png)})
    assert (answer.status_code, answer.json()["code"]) == (400, "unknown_language")

"""PDFs that open with a password, after a repair, or not at all: in the splitter and in the composer alike."""

from __future__ import annotations

import io
import re
import subprocess
import tempfile
import unicodedata
from collections.abc import Iterator
from typing import Any

import httpx
import pikepdf
import pytest

from tests import needs, readers
from tests.documents import make
from tests.documents.conftest import Front, Gateway
from tests.documents.stand_in import ModelServer

URL = "/gateway/ocr"
NFC, NFD = (unicodedata.normalize(form, "pässwört") for form in ("NFC", "NFD"))
HEADER = b"%PDF-1.4\n"


@pytest.fixture(scope="module")
def gateway(front: Front) -> Iterator[Gateway]:
    with front(ModelServer()) as started:
        yield started


def send(gateway: Gateway, data: bytes, password: Any = None, **query: str) -> httpx.Response:
    parts: dict[str, Any] = {"image_file": ("x", data)}
    if password is not None:
        parts["password"] = (None, password)
    return gateway.post(URL, files=parts, params={"dpi": "72", **query})


def check(gateway: Gateway, data: bytes, password: Any = None) -> None:
    """The text is read, and the searchable PDF of the recognised page is made."""
    read = send(gateway, data, password, format="text")
    assert (read.status_code, read.text.split()) == (200, ["Hello", "world"])
    made = send(gateway, data, password, format="pdf", text_layer="ignore")
    assert made.status_code == 200, made.text
    assert {"Hello", "world", "w595"} <= set(readers.pdf_words(made.content)[0])


def locked(password: str | bytes, revision: int) -> bytes:
    """Encrypted with these very bytes as the password."""
    bits = {2: ("40",), 3: ("128", "--use-aes=n"), 4: ("128", "--use-aes=y"), 6: ("256",)}[revision]
    user = password.encode() if isinstance(password, str) else password
    command: list[str | bytes] = [
        needs.program("qpdf", "Debian: qpdf"), "--allow-weak-crypto", "--password-mode=bytes",
        "--encrypt", user, "owner", *bits, "--", "-", "-",
    ]  # fmt: skip
    with tempfile.NamedTemporaryFile() as file:
        file.write(make.digital("Hello world"))
        file.flush()
        command[-2] = file.name
        return subprocess.run(command, check=True, capture_output=True).stdout


@pytest.mark.parametrize("revision", [2, 3, 4, 6])
def test_a_password_of_ascii(gateway: Gateway, revision: int) -> None:
    check(gateway, locked("s3cret", revision), "s3cret")


@pytest.mark.parametrize("typed", [NFC, NFD])
@pytest.mark.parametrize(
    ("used", "revision"),
    [
        (NFC, 6),
        (NFC.encode("latin-1"), 2),
        (NFC.encode("latin-1"), 3),
        (NFC.encode("latin-1"), 4),
        (NFC.encode(), 3),
        (NFC.encode(), 4),
    ],
)
def test_a_password_with_umlauts(gateway: Gateway, used: str | bytes, revision: int, typed: str) -> None:
    check(gateway, locked(used, revision), typed)


@pytest.mark.parametrize("encoding", ["pdfdoc", "cp1252"])
def test_a_password_outside_of_latin_1(gateway: Gateway, encoding: str) -> None:
    check(gateway, locked("€ “šž”".encode(encoding), 3), "€ “šž”")


def test_a_password_that_a_terminal_sends_as_latin_1(gateway: Gateway) -> None:
    check(gateway, locked(NFC, 6), NFC.encode("latin-1"))


def test_a_needless_password_is_ignored(gateway: Gateway) -> None:
    check(gateway, locked("", 3), "from another file")
    check(gateway, make.digital("Hello world"), "from another file")


@pytest.mark.parametrize(("password", "code"), [("", "password_required"), ("wörng", "wrong_password")])
def test_what_does_not_open_the_file_is_told_apart(gateway: Gateway, password: str, code: str) -> None:
    answer = send(gateway, locked("s3cret", 6), password)
    assert (answer.status_code, answer.json()["code"]) == (422, code)


def damaged(name: str) -> bytes:
    data = make.digital("Hello world")
    packed = make.with_object_streams(data)
    return {
        "no header": data[data.index(b"\n") + 1 :],
        "first byte lost": data[1:],
        "no table": data[: data.index(b"xref")],
        "no trailer": data[: data.index(b"trailer")],
        "trailer without catalogue": re.sub(rb"/Root \d+ 0 R", b"", data),
        "trailer with a wrong catalogue": re.sub(rb"/Root \d+ 0 R", b"/Root 99 0 R", data),
        "catalogue without pages": re.sub(rb"/Pages (\d+) 0 R", b"/Pages 88 0 R", data),
        "page tree without pages": re.sub(rb"/Kids \[[^\]]*\]", b"/Kids [77 0 R]", data),
        "object streams, no header": packed[packed.index(b"\n") :].lstrip(b"%\xbf\xf7\xa2\xfe\n"),
    }[name]


@pytest.mark.parametrize(
    "name",
    [
        "no header", "first byte lost", "no table", "no trailer", "trailer without catalogue",
        "trailer with a wrong catalogue", "catalogue without pages", "page tree without pages",
        "object streams, no header",
    ],
)  # fmt: skip
def test_a_damaged_file_is_repaired_and_says_so(gateway: Gateway, name: str) -> None:
    data = damaged(name)
    check(gateway, data)
    for layer in ("auto", "ignore"):
        (page,) = send(gateway, data, text_layer=layer).json()["pages"]
        assert page["warnings"] == ["repaired"]


def only_for_pdfium(name: str) -> bytes:
    """A file that PDFium opens as it is, and qpdf does not."""
    data = make.digital("Hello world")
    if name == "page tree with a loop":
        tree = re.search(rb"/Pages (\d+) 0 R", data)
        assert tree is not None
        return re.sub(rb"(/Kids \[[^\]]*)\]", rb"\1 %b 0 R ]" % tree[1], data)
    packed = make.with_object_streams(data)
    start = packed.index(b"stream\n", packed.rindex(b"/XRef")) + len(b"stream\n")
    return packed[:start] + b"\xff" * 8 + packed[start + 8 :]


@pytest.mark.parametrize("name", ["page tree with a loop", "object streams, damaged table"])
def test_a_file_that_only_pdfium_opens(gateway: Gateway, name: str) -> None:
    check(gateway, only_for_pdfium(name))


def test_bytes_before_the_header_are_no_damage(gateway: Gateway) -> None:
    data = b"From: printer\r\n\r\n" * 50 + make.digital("Hello world")
    check(gateway, data)
    assert send(gateway, data).json()["pages"][0]["warnings"] == []


def test_a_damaged_file_may_be_encrypted(gateway: Gateway) -> None:
    data = locked("s3cret", 4)
    data = data.replace(b"startxref", b"startxfer")[9:]
    check(gateway, data, "s3cret")
    assert send(gateway, data, "wrong").json()["code"] == "wrong_password"
    assert send(gateway, data).json()["code"] == "password_required"


def test_an_encrypted_file_without_its_trailer_is_damaged(gateway: Gateway) -> None:
    data = re.sub(rb"trailer.*", b"", locked("s3cret", 4), flags=re.DOTALL)
    answer = send(gateway, data, "s3cret")
    assert (answer.status_code, answer.json().get("code")) == (422, "damaged_document")


@pytest.mark.parametrize("data", [HEADER + b"nonsense " * 999, b"1 0 obj\n" * 999, HEADER, b"%PDF-1.4"])
def test_what_has_no_page_is_damaged(gateway: Gateway, data: bytes) -> None:
    answer = send(gateway, data)
    assert (answer.status_code, answer.json()["code"]) == (422, "damaged_document")


NOTICE = (
    "Please wait... If this message is not eventually replaced\nwith the proper contents of the document, "
    "your PDF viewer\nmay not be able to display this type of document.\n"
    "You can upgrade to the latest version of Adobe Reader."
)


def xfa(text: str, *, dynamic: bool = True, pages: int = 1) -> bytes:
    pdf = pikepdf.open(io.BytesIO(make.digital(*[text] * pages)))
    template = pdf.make_stream(b"<xdp:xdp xmlns:xdp='http://ns.adobe.com/xdp/'/>")
    pdf.Root.AcroForm = pikepdf.Dictionary(Fields=pikepdf.Array(), XFA=template)
    if dynamic:
        pdf.Root.NeedsRendering = True
    return make.saved(pdf)


@pytest.mark.parametrize("dynamic", [True, False])
def test_a_form_that_only_adobe_reader_shows_is_refused(gateway: Gateway, dynamic: bool) -> None:
    for query in ({}, {"format": "pdf"}, {"text_layer": "ignore"}):
        answer = send(gateway, xfa(NOTICE, dynamic=dynamic), **query)
        assert (answer.status_code, answer.json()["code"]) == (422, "xfa_form")
        assert "Adobe Reader" in answer.json()["detail"]


@pytest.mark.parametrize(
    "data",
    [
        xfa("Hello world"),
        xfa("Hello world", dynamic=False),
    ],
)
def test_a_form_with_pages_of_its_own_is_read(gateway: Gateway, data: bytes) -> None:
    check(gateway, data)


def test_a_letter_about_adobe_reader_is_read(gateway: Gateway) -> None:
    for data in (make.digital(NOTICE), xfa(NOTICE, pages=2)):
        assert "Reader." in send(gateway, data, format="text").text

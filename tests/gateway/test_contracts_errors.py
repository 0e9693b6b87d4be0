"""Every error comes in the contract's own shape, with a status that says whose fault it is."""

from __future__ import annotations

import io
import zipfile
from collections import Counter

import httpx
import pytest

from tests.contracts import AT_ONCE, CONTRACTS, WAYS, Outcome, Way, counts
from tests.documents import make
from tests.gateway.conftest import BLUE, PDF, PICTURE, RED, SMALL_MIB

LARGE = SMALL_MIB << 20
EVERY = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
EACH = pytest.mark.parametrize("way", CONTRACTS.values(), ids=CONTRACTS)


def told(way: Way, found: Outcome, status: int, code: str) -> None:
    """The error, with its code where the contract has a place for it."""
    assert found.failure == (status, None if way.contract == "tika" else code), found
    assert "allow_partial" not in found.text


def office() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        file.writestr("[Content_Types].xml", "<Types/>")
    return stream.getvalue()


FILES = {
    "empty": (b"", 422, "empty_image"),
    "text": (b"hello, world", 415, "not_an_image"),
    "a damaged picture": (PICTURE[:60], 422, "damaged_image"),
    "a damaged PDF": (b"%PDF-1.7\n", 422, "damaged_document"),
    "an encrypted PDF": (make.encrypted(PDF, "secret"), 422, "password_required"),
    "an Office file": (office(), 415, "unsupported_media_type"),
    "a picture that is too large": (PICTURE + bytes(LARGE), 413, "image_too_large"),
    "a document that is too large": (PDF + bytes(LARGE), 413, "document_too_large"),
}


@EVERY
@pytest.mark.parametrize("what", FILES)
def test_a_file_that_cannot_be_read(red: httpx.Client, way: Way, what: str) -> None:
    data, status, code = FILES[what]
    found = way.read(red, data)
    told(way, found, status, code)
    if code == "password_required" and way.contract != "tika":
        assert found.text == "The document is encrypted."


@EVERY
def test_a_body_over_the_limit(red: httpx.Client, way: Way) -> None:
    """By its Content-Length, and by its count."""
    asked = way.request(red, PICTURE + bytes(3 * LARGE))
    told(way, way.outcome(red, red.send(asked)), 413, "payload_too_large")
    body = asked.read()
    headers = {name: value for name, value in asked.headers.items() if name.startswith("content-type")}

    def pieces() -> object:
        yield from (body[at : at + 65536] for at in range(0, len(body), 65536))

    found = way.outcome(red, red.request(way.method, way.path, content=pieces(), headers=headers))  # type: ignore[arg-type]
    assert found.status == 413


@EACH
@pytest.mark.parametrize("timeout", ["soon", "0", "nan", ""])
def test_a_bad_timeout(red: httpx.Client, way: Way, timeout: str) -> None:
    told(way, way.read(red, PICTURE, {"x-request-timeout": timeout}), 400, "bad_timeout")


def unauthorised(url: httpx.URL) -> httpx.Client:
    return httpx.Client(base_url=url, timeout=60, trust_env=False)


@EACH
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer another-another-another"},
        {"authorization": f"Basic {RED}"},
        {"ocp-apim-subscription-key": "another-another-another"},
        {"ocp-apim-subscription-key": "another-another-another", "authorization": f"Basic {RED}"},
    ],
)
def test_a_wrong_key(red: httpx.Client, way: Way, headers: dict[str, str]) -> None:
    with unauthorised(red.base_url) as client:
        found = way.read(client, PICTURE, headers)
    told(way, found, 401, "unauthorized")
    assert found.headers["www-authenticate"].startswith("Bearer")


@EACH
def test_a_key_in_azures_header(red: httpx.Client, way: Way) -> None:
    """It counts for Azure alone, and there before the other one."""
    headers = {"ocp-apim-subscription-key": BLUE}
    with unauthorised(red.base_url) as client:
        found = way.read(client, PICTURE, headers)
        if way.contract != "azure":
            told(way, found, 401, "unauthorized")
            return
        assert found.status == 200
        both = {"ocp-apim-subscription-key": "another-another-another", "authorization": f"Bearer {RED}"}
        told(way, way.read(client, PICTURE, both), 401, "unauthorized")


@EACH
def test_unknown_paths_and_methods(red: httpx.Client, way: Way) -> None:
    before = counts(red)
    path = way.path.partition("?")[0]
    answer = red.request(way.method, f"{path}/nothing")
    told(way, way.outcome(red, answer), 404, "not_found")
    answer = red.request("PATCH", path)
    told(way, way.outcome(red, answer), 405, "method_not_allowed")
    assert way.method in answer.headers["allow"]
    expected = Counter() if way.asks_later else Counter({(way.contract, 404, "not_found"): 1})
    assert counts(red) - before == expected, "another method hands nothing in"


@pytest.mark.parametrize(
    ("name", "asked", "text"),
    [
        ("azure", {"locale": "xx"}, "locale"),
        ("azure", {"locale": "vi"}, "offered here"),
        ("tika", {"x-tika-ocrlanguage": "xyz"}, ""),
        ("tika", {"x-tika-ocrlanguage": "vie"}, ""),
        ("tika", {"x-tika-ocrlanguage": "auto+eng"}, ""),
        ("tika", {"x-tika-ocrlanguage": "eng,deu,eng,fra,ita,spa"}, ""),
        ("liteparse", {"language": "klingon"}, "klingon"),
        ("liteparse", {"language": "vi"}, "offered here"),
    ],
)
def test_an_unknown_language(red: httpx.Client, name: str, asked: dict[str, str], text: str) -> None:
    """Text is never read in another language than the one that was asked for."""
    found = CONTRACTS[name].read_in(red, PICTURE, asked)
    told(CONTRACTS[name], found, 400, "unknown_language")
    assert text in found.text


@pytest.mark.parametrize("name", ["azure", "tika", "liteparse"])
def test_a_known_language(red: httpx.Client, name: str) -> None:
    asked = {
        "azure": {"locale": "en-US"},
        "tika": {"x-tika-ocrlanguage": "eng+deu"},
        "liteparse": {"language": "en,de"},
    }
    assert CONTRACTS[name].read_in(red, PICTURE, asked[name]).status == 200


BODIES = {
    "azure": [
        b"",
        b"%PDF",
        b"[]",
        b"{}",
        b'{"urlSource": "http://192.0.2.1/x.pdf"}',
        b'{"base64Source": "%%%"}',
        b'{"base64Source": "QUJD',
    ],
    "mistral": [
        b"",
        b"[]",
        b'{"document": {}}',
        b'{"document": {"document_url": "data:;base64,%"}}',
        b'{"document": {"document_url": "http://192.0.2.1/x.pdf"}}',
    ],
}


@pytest.mark.parametrize(("name", "body"), [(name, body) for name, bodies in BODIES.items() for body in bodies])
def test_json_without_a_file(red: httpx.Client, name: str, body: bytes) -> None:
    way = CONTRACTS[name]
    answer = red.post(way.path, content=body, headers={"content-type": "application/json"})
    told(way, way.outcome(red, answer), 400, "bad_request")


@pytest.mark.parametrize(
    "name", [name for name, way in WAYS.items() if b"Content-Disposition" in way.wrap(b"")[1]]
)
def test_a_form_without_a_file(red: httpx.Client, name: str) -> None:
    way = WAYS[name]
    content_type, body = way.wrap(b"")
    headers = {"content-type": content_type or ""}
    end = body[body.rindex(b"--------") :]
    found = way.outcome(red, red.post(way.path, content=b"--" + end.lstrip(b"-"), headers=headers))
    assert found.status == 400
    told(way, way.outcome(red, red.post(way.path, content=body)), 415, "unsupported_media_type")


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("?pages=3-1", 400, "bad_pages"),
        ("?pages=0", 400, "bad_pages"),
        ("?pages=2", 422, "no_such_page"),
        ("?api-version=latest", 400, "bad_parameter"),
        ("?stringIndexType=bytes", 400, "bad_parameter"),
        ("?outputContentFormat=html", 400, "bad_parameter"),
        ("?output=figures", 400, "bad_parameter"),
        ("?features=languages,formulas", 400, "bad_parameter"),
    ],
)
def test_what_azure_does_not_do_here(red: httpx.Client, query: str, status: int, code: str) -> None:
    way = CONTRACTS["azure"]
    path = way.path.partition("?")[0] + query
    told(way, way._replace(path=path).read(red, PICTURE), status, code)


def test_other_models_and_media_types_of_azure(red: httpx.Client) -> None:
    way = CONTRACTS["azure"]
    other = way._replace(path=way.path.replace("prebuilt-read", "prebuilt-invoice"))
    told(way, other.read(red, PICTURE), 404, "not_found")
    answer = red.post(way.path, content=PICTURE, headers={"content-type": "text/plain"})
    told(way, way.outcome(red, answer), 415, "unsupported_media_type")


@pytest.mark.parametrize("pages", ["1-0", [5, -1], ["a"], {"a": 1}, "\u0661", "9" * 5000, [0] * 600])
def test_bad_pages_of_mistral(red: httpx.Client, pages: object) -> None:
    way = CONTRACTS["mistral"]
    told(way, way.with_fields(pages=pages).read(red, PICTURE), 400, "bad_pages")


def test_what_mistral_does_not_do_here(red: httpx.Client) -> None:
    way = CONTRACTS["mistral"]
    asked = way.with_fields(document_annotation_format={"type": "json_schema"})
    told(way, asked.read(red, PICTURE), 400, "bad_parameter")
    told(way, way.with_fields(pages=[2]).read(red, PDF), 422, "no_such_page")


@pytest.mark.parametrize("name", ["tika", "tika, form"])
@pytest.mark.parametrize(("data", "status"), [(b"", 422), (office(), 415), (b"hello", 415)])
def test_the_type_of_a_file_that_has_none(red: httpx.Client, name: str, data: bytes, status: int) -> None:
    path = "/meta/form" if "form" in name else "/meta"
    told(AT_ONCE[name], AT_ONCE[name]._replace(path=path).read(red, data), status, "")


@pytest.mark.parametrize(("data", "status"), [(b"", 422), (b"\x89PNG\0", 415), (b"x" * (LARGE + 1), 413)])
def test_plain_text_that_is_refused(red: httpx.Client, data: bytes, status: int) -> None:
    way = CONTRACTS["openwebui"]
    answer = red.put("/process", content=data, headers={"content-type": "text/plain"})
    assert way.outcome(red, answer).status == status

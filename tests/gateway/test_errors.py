"""Bad input gets a clear answer: problem details with a stable code and the request's id."""

from __future__ import annotations

import httpx
import pytest

from api_gateway.schemas import Problem

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x10\0\0\0\x10\x08\0\0\0\0"
URL = "/gateway/ocr"
ONE = {"image_file": ("x.png", PNG)}
FORM = {"content-type": "multipart/form-data; boundary=x"}


def problem(response: httpx.Response) -> tuple[int, str]:
    """Status and code, after checking the fields that all problems have."""
    assert response.headers["content-type"] == "application/problem+json"
    found = Problem.model_validate_json(response.content)
    assert found.status == response.status_code
    assert found.request_id == response.headers["x-request-id"]
    assert found.detail
    assert "Traceback" not in response.text
    return found.status, found.code


@pytest.mark.parametrize(
    ("request_options", "expected"),
    [
        ({"files": {"file": ("x", b"x")}}, (400, "bad_multipart")),
        ({"content": b"--x--\r\n", "headers": FORM}, (400, "no_file")),
        ({"content": b"", "headers": FORM}, (400, "no_file")),
        ({"content": b"nonsense", "headers": FORM}, (400, "bad_multipart")),
        ({"content": b"x", "headers": {"content-type": "multipart/form-data"}}, (400, "bad_multipart")),
        ({"json": {"image_file": "x"}}, (415, "unsupported_media_type")),
        ({}, (415, "unsupported_media_type")),
        ({"files": {"image_file": ("x", b"")}}, (422, "empty_image")),
        ({"files": {"image_file": ("x", b"hello, world")}}, (415, "not_an_image")),
        ({"files": {"image_file": ("x", b"%PDF-1.7\n")}}, (422, "damaged_document")),
        ({"files": ONE, "params": {"pages": "3-1"}}, (400, "bad_pages")),
        ({"files": ONE, "params": {"pages": "0"}}, (400, "bad_pages")),
        ({"files": ONE, "params": {"pages": "all"}}, (400, "bad_pages")),
        ({"files": ONE, "params": {"pages": "2"}}, (422, "no_such_page")),
        ({"files": ONE, "params": {"dpi": "71"}}, (400, "bad_parameter")),
        ({"files": ONE, "params": {"text_layer": "maybe"}}, (400, "bad_parameter")),
        ({"files": ONE, "params": {"allow_partial": "perhaps"}}, (400, "bad_parameter")),
        ({"files": ONE, "data": {"password": "x" * 1025}}, (400, "bad_multipart")),
        ({"files": {"image_file": ("x", b"<svg xmlns='http://www.w3.org/2000/svg'/>")}}, (415, "not_an_image")),
        ({"files": {"image_file": ("x", b"II+\0\x08\0\0\0")}}, (415, "unsupported_format")),
        ({"files": ONE}, (422, "damaged_image")),
        ({"files": ONE, "params": {"languages": "xyz"}}, (400, "unknown_language")),
        ({"files": ONE, "params": {"languages": "../../etc/passwd"}}, (400, "unknown_language")),
        ({"files": ONE, "params": {"languages": ""}}, (400, "unknown_language")),
        ({"files": ONE, "params": {"psm": "0"}}, (400, "bad_psm")),
        ({"files": ONE, "params": {"psm": "six"}}, (400, "bad_psm")),
        ({"files": ONE, "params": {"format": "docx"}}, (400, "bad_parameter")),
        ({"files": ONE, "params": {"lang": "eng"}}, (400, "bad_parameter")),
        ({"files": ONE, "headers": {"accept": "image/png"}}, (406, "not_acceptable")),
        ({"files": ONE, "headers": {"x-request-timeout": "soon"}}, (400, "bad_timeout")),
        ({"files": ONE, "headers": {"x-request-timeout": "nan"}}, (400, "bad_timeout")),
        ({"files": ONE, "headers": {"x-request-timeout": "-1"}}, (400, "bad_timeout")),
    ],
)
def test_bad_requests(
    gateway: httpx.Client, request_options: dict[str, object], expected: tuple[int, str]
) -> None:
    assert problem(gateway.post(URL, **request_options)) == expected  # type: ignore[arg-type]


def test_two_files(gateway: httpx.Client) -> None:
    response = gateway.post(URL, files=[("image_file", ("a", PNG)), ("image_file", ("b", PNG))])
    assert problem(response) == (400, "bad_multipart")


def test_a_form_cut_short(gateway: httpx.Client) -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="image_file"\r\n\r\nhalf a pic'
    assert problem(gateway.post(URL, content=body, headers=FORM)) == (400, "bad_multipart")


def test_other_addresses_and_methods(gateway: httpx.Client) -> None:
    assert problem(gateway.get("/nothing")) == (404, "not_found")
    response = gateway.get(URL)
    assert problem(response) == (405, "method_not_allowed")
    assert response.headers["allow"] == "POST"


@pytest.mark.parametrize("given", ["abc-1.2_X", "a" * 128])
def test_a_well_formed_request_id_is_kept(gateway: httpx.Client, given: str) -> None:
    assert gateway.get("/health/live", headers={"x-request-id": given}).headers["x-request-id"] == given


@pytest.mark.parametrize("given", ["", "a" * 129, "a b", "<script>", "a\tb", '"'])
def test_any_other_request_id_is_replaced(gateway: httpx.Client, given: str) -> None:
    found = gateway.get("/health/live", headers={"x-request-id": given}).headers["x-request-id"]
    assert found != given
    assert len(found) == 32

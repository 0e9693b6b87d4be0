"""Files that Mistral's clients upload first, and read by their address or their id."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.contracts import CONTRACTS, UPLOAD, Outcome
from tests.documents import make
from tests.documents.stand_in import until
from tests.gateway.conftest import PICTURE, StoodIn

MISTRAL = CONTRACTS["mistral"]
THREE = make.digital("first page", "second page", "third page")
REFERENCES: dict[str, Callable[[str, str], dict[str, Any]]] = {
    "its address": lambda url, _id: {"type": "document_url", "document_url": url},
    "its address as that of a picture": lambda url, _id: {"type": "image_url", "image_url": {"url": url}},
    "its id": lambda _url, found: {"type": "file", "file_id": found},
    "an address with a path before it": lambda _url, found: {
        "document_url": f"https://h/ocr/v1/files/{found}/content"
    },
}


def uploaded(client: httpx.Client, data: bytes) -> dict[str, Any]:
    answer = client.send(UPLOAD.request(client, data))
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    assert (found["object"], found["bytes"], found["purpose"]) == ("file", len(data), "ocr")
    assert client.get(f"/v1/files/{found['id']}").json() == found
    return found


def ocr(client: httpx.Client, document: dict[str, Any], **more: Any) -> httpx.Response:
    return client.post("/v1/ocr", json={"model": "mistral-ocr-latest", "document": document, **more})


def outcome(client: httpx.Client, answer: httpx.Response) -> Outcome:
    return MISTRAL.outcome(client, answer)


@pytest.mark.parametrize("refer", REFERENCES)
def test_a_file_is_read_as_often_as_it_is_asked_for(red: httpx.Client, refer: str) -> None:
    found = uploaded(red, THREE)
    url = red.get(f"/v1/files/{found['id']}/url", params={"expiry": "24"}).json()["url"]
    assert url.startswith(str(red.base_url))
    for _ in range(2):
        answer = ocr(red, REFERENCES[refer](url, found["id"]))
        assert [page["markdown"] for page in answer.json()["pages"]] == [
            "first page\n",
            "second page\n",
            "third page\n",
        ]
    answer = red.delete(f"/v1/files/{found['id']}")
    assert answer.json() == {"id": found["id"], "object": "file", "deleted": True}
    assert outcome(red, ocr(red, REFERENCES[refer](url, found["id"]))).failure == (404, "not_found")


@pytest.mark.parametrize(
    ("pages", "indexes"),
    [([2, 0], [2, 0]), ("0-1", [0, 1]), ("2,0-1", [2, 0, 1]), (1, [1]), ([], [0, 1, 2]), (None, [0, 1, 2])],
)
def test_pages_count_from_zero(red: httpx.Client, pages: object, indexes: list[int]) -> None:
    """In a file that was uploaded, and in one that comes along."""
    whole = MISTRAL.with_fields(pages=pages)
    sent = red.send(whole.request(red, THREE)).json()["pages"]
    found = uploaded(red, THREE)
    referred = ocr(red, {"file_id": found["id"]}, pages=pages).json()["pages"]
    assert [page["index"] for page in sent] == indexes
    assert [page["index"] for page in referred] == indexes
    assert [page["markdown"] for page in sent] == [page["markdown"] for page in referred]
    if pages == 1:
        assert outcome(red, ocr(red, {"file_id": found["id"]}, pages=[3])).failure == (422, "no_such_page")
    red.delete(f"/v1/files/{found['id']}")


def test_the_text_of_a_picture_that_was_uploaded(red: httpx.Client) -> None:
    found = uploaded(red, PICTURE)
    (page,) = ocr(red, {"file_id": found["id"]}).json()["pages"]
    assert page["markdown"] == MISTRAL.read(red, PICTURE).text
    assert outcome(red, ocr(red, {"file_id": found["id"]}, pages=[1])).failure == (422, "no_such_page")


def test_a_file_of_another_key_does_not_exist(red: httpx.Client, blue: httpx.Client) -> None:
    found = uploaded(red, PICTURE)
    path = f"/v1/files/{found['id']}"
    for method, at in (("GET", path), ("GET", f"{path}/url"), ("DELETE", path)):
        assert outcome(blue, blue.request(method, at)).failure == (404, "not_found")
    assert outcome(blue, ocr(blue, {"file_id": found["id"]})).failure == (404, "not_found")
    assert red.get(path).json() == found
    for other in ("nothing", found["id"].upper(), f"{found['id']}0"):
        assert outcome(red, red.get(f"/v1/files/{other}")).failure == (404, "not_found")


@pytest.mark.parametrize(
    ("data", "failure"),
    [
        (b"", (422, "empty_image")),
        (b"PK\x03\x04", (415, "unsupported_media_type")),
        (b"\x89PNG" + bytes(1 << 20), (413, "image_too_large")),
    ],
)
def test_a_file_that_is_refused_at_once(red: httpx.Client, data: bytes, failure: tuple[int, str]) -> None:
    assert UPLOAD.read(red, data).failure == failure


@pytest.mark.parametrize(
    ("data", "failure"),
    [(b"%PDF-1.7\n", (422, "damaged_document")), (PICTURE[:60], (422, "damaged_image"))],
)
def test_a_file_whose_reading_failed(red: httpx.Client, data: bytes, failure: tuple[int, str]) -> None:
    assert outcome(red, ocr(red, {"file_id": uploaded(red, data)["id"]})).failure == failure


def test_two_files_in_a_form(red: httpx.Client) -> None:
    answer = red.post("/v1/files", files=[("file", ("a", PICTURE)), ("file", ("b", PICTURE))])
    assert outcome(red, answer).failure == (400, "bad_multipart")


def test_a_question_waits_for_the_file_until_its_deadline(stood_in: StoodIn) -> None:
    client = stood_in.client
    stood_in.server.verdict = lambda _width, _times: (429, {"error": "full", "code": "overloaded"}, {})
    found = uploaded(client, PICTURE)
    until(lambda: stood_in.server.calls)
    asked = {"document": {"file_id": found["id"]}}
    answer = client.post("/v1/ocr", json=asked, headers={"x-request-timeout": "0.3"})
    assert outcome(client, answer).failure == (504, "deadline_exceeded")
    stood_in.server.verdict = lambda _width, _times: None
    assert client.post("/v1/ocr", json=asked).status_code == 200


def test_a_file_is_removed_before_it_is_read(stood_in: StoodIn) -> None:
    client = stood_in.client
    stood_in.server.verdict = lambda _width, _times: (429, {"error": "full", "code": "overloaded"}, {})
    path = f"/v1/files/{uploaded(client, PICTURE)['id']}"
    until(lambda: stood_in.server.calls)
    assert client.delete(path).json()["deleted"] is True
    assert outcome(client, client.get(path)).failure == (404, "not_found")


def test_a_page_that_cannot_be_read_is_named(stood_in: StoodIn) -> None:
    client = stood_in.client
    stood_in.server.verdict = lambda width, _times: (
        (422, {"error": "Damaged.", "code": "damaged_image"}, {}) if width == 600 else None
    )
    found = uploaded(client, make.joined(make.sized(72, 50), make.sized(144, 50)))
    told = outcome(client, ocr(client, {"file_id": found["id"]}))
    assert (told.failure, told.text) == ((422, "pages_failed"), "Some pages could not be read. Page 2: Damaged.")

"""Errors in the shapes of contracts: what clients look for, and no text about parameters that they do not have."""

from __future__ import annotations

import json
from typing import Any

import pytest

from api_gateway.contracts.azure_errors import error_json
from api_gateway.contracts.table import render
from api_gateway.errors import NotFinished, PagesFailed, PagesNotRead, PasswordRequired, Relayed, Unauthorized
from service_kit.context import RequestContext
from service_kit.deadline import Deadline
from service_kit.errors import DeadlineExceeded, NotFound, ServiceError, Unforeseen

FAILED = [
    {"page": 2, "code": "damaged_page", "detail": "The page is damaged."},
    {"page": 4, "code": "page_too_large", "detail": "The page is too large."},
    {"page": 7, "code": "damaged_page", "detail": "The page is damaged."},
]
NAMED = "Some pages could not be read. Pages 2, 7: The page is damaged. Page 4: The page is too large."
PATHS = {
    "azure": "/documentintelligence/x",
    "openwebui": "/process",
    "mistral": "/v1/ocr",
    "liteparse": "/liteparse/ocr",
    "tika": "/tika",
}


def rendered(error: ServiceError, path: str) -> tuple[str, bytes]:
    return render(error, RequestContext("the-id", Deadline(1), path=path))


def text_of(name: str, body: bytes) -> str:
    """What the contract's client shows."""
    if name == "openwebui":
        return body.decode()
    found: Any = json.loads(body)
    return str(
        {"azure": lambda: found["error"]["message"], "mistral": lambda: found["message"]}.get(
            name, lambda: found["detail"]
        )()
    )


@pytest.mark.parametrize("name", [name for name in PATHS if name != "tika"])
@pytest.mark.parametrize(
    ("error", "text"),
    [
        (PagesFailed(FAILED), NAMED),
        (PagesNotRead(FAILED), NAMED),
        (PagesFailed(), "Some pages could not be read."),
        (PasswordRequired(), "The document is encrypted."),
        (NotFinished(), "There is no result yet."),
        (NotFound("There is no such file."), "There is no such file."),
        (Unforeseen(), "Something went wrong on our side."),
    ],
)  # fmt: skip
def test_the_text(name: str, error: ServiceError, text: str) -> None:
    media_type, body = rendered(error, PATHS[name])
    assert text_of(name, body) == (f"{text} ({error.code})" if name == "openwebui" else text)
    expected = {"openwebui": "text/plain; charset=utf-8", "liteparse": "application/problem+json"}
    assert media_type == expected.get(name, "application/json")
    assert name == "openwebui" or b"the-id" in body


def test_tikas_clients_get_an_empty_body() -> None:
    assert rendered(PagesFailed(FAILED), "/tika/text") == ("text/plain; charset=utf-8", b"")


def test_our_own_routes_tell_the_parameter() -> None:
    found = json.loads(rendered(PagesFailed(FAILED), "/gateway/ocr")[1])
    assert "allow_partial=true" in found["detail"]
    assert found["pages"] == FAILED


@pytest.mark.parametrize(
    ("error", "code", "inner"),
    [
        (Unauthorized(), "Unauthorized", "unauthorized"),
        (NotFound(), "NotFound", "NotFound"),
        (NotFinished(), "Conflict", "not_finished"),
        (Relayed(429, "overloaded", "Busy.", 1), "TooManyRequests", "overloaded"),
        (Relayed(413, "image_too_large", "Large.", None), "InvalidRequest", "InvalidContentLength"),
        (DeadlineExceeded(), "Timeout", "deadline_exceeded"),
        (Unforeseen(), "InternalServerError", "internal_error"),
    ],
)
def test_azures_codes(error: ServiceError, code: str, inner: str) -> None:
    found = error_json(error.status, error.code, str(error))
    assert (found["code"], found["innererror"]["code"]) == (code, inner)
    assert error.code in json.dumps(found)


@pytest.mark.parametrize(("status", "kind"), [(422, "invalid_request_error"), (503, "server_error")])
def test_mistrals_kinds(status: int, kind: str) -> None:
    found = json.loads(rendered(Relayed(status, "x", "Text.", None), "/v1/ocr")[1])
    assert (found["object"], found["type"], found["code"], found["param"]) == ("error", kind, "x", None)

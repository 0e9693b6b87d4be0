"""Which format of answer a client wants."""

from __future__ import annotations

import pytest

from api_gateway.errors import NotAcceptable
from api_gateway.negotiation import negotiate


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, "json"),
        ("", "json"),
        ("*/*", "json"),
        ("text/plain", "text"),
        ("TEXT/PLAIN; charset=utf-8", "text"),
        ("text/*", "text"),
        ("application/json, text/plain", "json"),
        ("application/json;q=0.5, text/plain", "text"),
        ("text/html, */*;q=0.1", "json"),
        ("application/json;q=0, */*", "text"),
        ("text/plain;q=0.2, application/*;q=0.3", "json"),
        ("text/vnd.hocr+html", "hocr"),
        ("application/alto+xml, application/json;q=0.9", "alto"),
        ("text/tab-separated-values; charset=utf-8", "tsv"),
        ("text/*, text/plain;q=0", "hocr"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "json"),  # a browser
    ],
)
def test_accept(accept: str | None, expected: str) -> None:
    assert negotiate(None, accept) == expected


@pytest.mark.parametrize("accept", ["image/png", "application/json;q=0, text/plain;q=0", "text/plain;q=x"])
def test_nothing_that_is_offered(accept: str) -> None:
    with pytest.raises(NotAcceptable):
        negotiate(None, accept)
    assert negotiate("json", accept) == "json"

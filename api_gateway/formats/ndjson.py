"""NDJSON: a line of JSON for each page, and a closing one with the totals."""

from __future__ import annotations

from typing import Any

import orjson

from api_gateway.formats.layout import Answer


def page_line(page: dict[str, Any]) -> bytes:
    return orjson.dumps(page, option=orjson.OPT_APPEND_NEWLINE)


def closing_line(totals: Answer) -> bytes:
    """The answer without its pages: status, page_count, pages_ok, pages_failed, words, confidence, model."""
    return orjson.dumps(totals, option=orjson.OPT_APPEND_NEWLINE)


def render(answer: Answer) -> bytes:
    pages = answer["pages"]
    failed = sum(page["status"] == "failed" for page in pages)
    totals = {
        "request_id": answer["request_id"],
        "status": answer["status"],
        "page_count": answer["page_count"],
        "pages_ok": len(pages) - failed,
        "pages_failed": failed,
        "words": sum(len(page["words"]) for page in pages),
        "confidence": answer["confidence"],
        "model": answer["model"],
    }
    return b"".join([*map(page_line, pages), closing_line(totals)])

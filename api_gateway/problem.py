"""Errors as RFC 9457 problem details, and their OpenAPI documentation."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import orjson

from api_gateway.errors import TEXTS, PagesFailed
from api_gateway.schemas import Problem

if TYPE_CHECKING:
    from service_kit.context import RequestContext
    from service_kit.errors import ServiceError

MEDIA_TYPE = "application/problem+json"
_WORD = re.compile(r"[a-z_]+")
_ONLY_CODES = re.compile(r"[a-z_]+([,;] (of jobs: )?[a-z_]+)*")


def render(error: ServiceError, request: RequestContext, detail: str | None = None) -> tuple[str, bytes]:
    """Media type and body; `detail` instead of the error's own text."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(error.status).phrase,
        "status": error.status,
        "detail": str(error) if detail is None else detail,
        "code": error.code,
        "request_id": request.id,
    }
    if isinstance(error, PagesFailed):
        body["pages"] = error.pages
    return MEDIA_TYPE, orjson.dumps(body)


def explained(text: str) -> str:
    """A description of an error status, with the meaning of each code in it."""
    found = [code for code in dict.fromkeys(_WORD.findall(text)) if code in TEXTS]
    if not found:
        return text
    meanings = "\n".join(f"- `{code}`: {TEXTS[code]}" for code in found)
    return meanings if _ONLY_CODES.fullmatch(text) else f"{text}\n\n{meanings}"


def responses(codes: dict[int, str]) -> dict[int | str, dict[str, Any]]:
    """OpenAPI entries for statuses, each with its stable codes."""
    retry = {
        "Retry-After": {
            "description": "Seconds to wait before the next attempt.",
            "schema": {"type": "integer", "minimum": 1},
        }
    }
    return {
        status: {
            "description": explained(text),
            "content": {MEDIA_TYPE: {"schema": Problem.model_json_schema()}},
            **({"headers": retry} if status in (429, 503) else {}),
        }
        for status, text in codes.items()
    }

"""Errors as Azure's clients read them: an error without this body becomes an error of JSON in them.

https://learn.microsoft.com/azure/ai-services/document-intelligence/how-to-guides/resolve-errors
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from service_kit.context import RequestContext
    from service_kit.errors import ServiceError

_CODES = {
    400: "InvalidRequest",
    401: "Unauthorized",
    404: "NotFound",
    405: "MethodNotAllowed",
    408: "Timeout",
    409: "Conflict",
    413: "InvalidRequest",
    415: "UnsupportedMediaType",
    422: "InvalidRequest",
    429: "TooManyRequests",
    503: "ServiceUnavailable",
    504: "Timeout",
}
_INNER = {404: "NotFound", 413: "InvalidContentLength", 415: "UnsupportedContent", 422: "InvalidContent"}


def render(error: ServiceError, request: RequestContext, text: str) -> tuple[str, bytes]:
    body = {"error": error_json(error.status, error.code, text), "request_id": request.id}
    return "application/json", orjson.dumps(body)


def error_json(status: int, code: str, text: str) -> dict[str, Any]:
    """`code` is ours; Azure's codes stand around it."""
    inner: dict[str, Any] = {"code": code, "message": text}
    if status in _INNER:
        inner = {"code": _INNER[status], "message": text, "innererror": inner}
    return {"code": _CODES.get(status, "InternalServerError"), "message": text, "innererror": inner}

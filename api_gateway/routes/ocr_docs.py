"""What /docs says of POST /gateway/ocr."""

from __future__ import annotations

from typing import Any

from api_gateway.formats import FORMATS
from api_gateway.http_answer import FAILED_HEADER, TOTAL_HEADER
from api_gateway.schemas import OcrAnswer
from api_gateway.uploads.multipart import FIELD, PASSWORD_FIELD

FIELDS: dict[str, Any] = {
    FIELD: {
        "type": "string",
        "format": "binary",
        "description": "A picture (PNG, JPEG, TIFF, WebP, BMP, GIF, PNM, HEIC or AVIF), or a "
        "document (PDF, TIFF of several pages).",
    },
    PASSWORD_FIELD: {
        "type": "string",
        "description": "Password of an encrypted PDF; an empty one is none. It is not logged.",
        "default": "",
    },
}


def form(fields: dict[str, Any]) -> dict[str, Any]:
    """A body of multipart/form-data."""
    schema = {"type": "object", "additionalProperties": False, "required": [FIELD], "properties": fields}
    return {"required": True, "content": {"multipart/form-data": {"schema": schema}}}


BODY = form(FIELDS)
HEADERS: list[dict[str, Any]] = [
    {
        "name": "X-Request-ID",
        "in": "header",
        "required": False,
        "schema": {"type": "string"},
        "description": "Id of the request: 1 to 128 of A-Z a-z 0-9 . _ -; any other value is replaced.",
    },
    {
        "name": "X-Request-Timeout",
        "in": "header",
        "required": False,
        "schema": {"type": "number", "exclusiveMinimum": 0},
        "description": "Time budget in seconds; the service's own limit applies to larger values.",
    },
]
ANSWER: dict[str, Any] = {
    "description": "The text, in the requested format.",
    "headers": {
        "Content-Disposition": {
            "description": "A file name, such as `ocr.hocr`.",
            "schema": {"type": "string", "examples": [known.content_disposition for known in FORMATS.values()]},
        },
        FAILED_HEADER: {
            "description": "With allow_partial: pages without text, because they could not be read.",
            "schema": {"type": "string", "examples": ["3,7"]},
        },
        TOTAL_HEADER: {
            "description": "With NDJSON of a document: number of its pages in the answer.",
            "schema": {"type": "integer", "minimum": 1},
        },
    },
    "content": {
        known.media_type: {"schema": {"type": "string", "description": known.description}}
        for known in FORMATS.values()
    }
    | {FORMATS["json"].media_type: {"schema": OcrAnswer.model_json_schema()}},
}
ERRORS = {
    400: "bad_request, bad_parameter, bad_multipart, no_file, unknown_language, bad_engine, engine_unavailable, "
    "bad_psm, bad_pages, bad_timeout",
    401: "unauthorized",
    406: "not_acceptable",
    408: "upload_too_slow",
    413: "payload_too_large, image_too_large, document_too_large",
    415: "unsupported_media_type, not_an_image, unsupported_format",
    422: "empty_image, damaged_image, too_many_pixels; damaged_document, password_required, wrong_password, "
    "xfa_form, too_many_pages, no_such_page; pages_failed: `pages` has each failed page and the reason",
    429: "overloaded: nothing was begun; Retry-After says when to try again",
    500: "internal_error",
    502: "model_server_failed: it broke off, and it is unknown whether it had read the picture",
    503: "model_server_unreachable, not_ready, no_space, composer_failed, "
    "worker_failed, worker_crashed, out_of_memory, "
    "engine_failed; pages_failed if each page failed for such a reason",
    504: "deadline_exceeded",
}
_ERRORS_OF_JOBS = {
    400: "bad_idempotency_key",
    422: "idempotency_mismatch",
    429: "too_many_jobs",
    503: "store_unavailable",
}
IDEMPOTENCY: dict[str, Any] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    "description": "For jobs: a second request with the same key, file and parameters gets the same job.",
}
_PREFER: dict[str, Any] = {
    "name": "Prefer",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "examples": ["respond-async"]},
    "description": "`respond-async` (RFC 7240): the answer is 202 and a job, as from `POST /gateway/jobs`.",
}


def errors(*, with_jobs: bool) -> dict[int, str]:
    if not with_jobs:
        return ERRORS
    return ERRORS | {status: f"{ERRORS[status]}; of jobs: {codes}" for status, codes in _ERRORS_OF_JOBS.items()}


def headers(*, with_jobs: bool) -> list[dict[str, Any]]:
    return [*HEADERS, _PREFER, IDEMPOTENCY] if with_jobs else HEADERS

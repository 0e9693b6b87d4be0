"""What /docs says of the routes of jobs."""

from __future__ import annotations

from typing import Any

from api_gateway.jobs.schemas import JobSchema
from api_gateway.routes import ocr_docs
from api_gateway.uploads.multipart import FIELD, PASSWORD_FIELD

_FILE, _PASSWORD = (ocr_docs.FIELDS[name] for name in (FIELD, PASSWORD_FIELD))
BODY = ocr_docs.form(
    {
        FIELD: {"type": "array", "minItems": 1, "items": _FILE, "description": "One job for each file."},
        PASSWORD_FIELD: _PASSWORD,
    }
)
SUBMIT_HEADERS = [*ocr_docs.HEADERS, ocr_docs.IDEMPOTENCY]

_BAD_QUERY = {400: "bad_parameter, bad_request, bad_timeout"}
_AUTH = {401: "unauthorized"}
_STORE = {500: "internal_error", 503: "store_unavailable"}
LIST_ERRORS = {**_BAD_QUERY, **_AUTH, **_STORE}
JOB_ERRORS = {
    **_BAD_QUERY,
    **_AUTH,
    404: "not_found: there is no such job, or it belongs to another API key",
    **_STORE,
}
EVENTS_ERRORS = {**JOB_ERRORS, 429: "overloaded: too many clients wait for events"}
SUBMIT_ERRORS = {
    400: "bad_request, bad_parameter, bad_multipart, no_file, unknown_language, bad_engine, engine_unavailable, "
    "bad_psm, bad_pages, bad_timeout, bad_job_request, bad_idempotency_key, bad_webhook_url, "
    "bad_input_url, bad_result_url",
    401: "unauthorized",
    408: "upload_too_slow",
    413: "payload_too_large, image_too_large, document_too_large",
    415: "unsupported_media_type",
    422: "empty_image, no_such_page (of a picture); idempotency_mismatch; input_url_failed",
    429: "overloaded: too many uploads at once; too_many_jobs: a limit of the API key is reached",
    500: "internal_error",
    502: "model_server_failed",
    503: "store_unavailable, no_space; not_ready: the gateway is shutting down",
    504: "deadline_exceeded",
}
RESULT_ERRORS = {
    **ocr_docs.ERRORS,
    **JOB_ERRORS,
    400: "bad_parameter, bad_request, bad_timeout; a failed job's code",
    409: "not_finished: the job is queued or running; job_cancelled",
    422: "pages_failed; a failed job's code, also document_kills_worker: three workers were lost in it",
}
STATUS: dict[str, Any] = {
    "description": "The job as it is now.",
    "headers": {
        "Retry-After": {
            "description": "Seconds until the status is worth asking for again; absent for a final status.",
            "schema": {"type": "integer", "minimum": 1},
        }
    },
    "content": {"application/json": {"schema": JobSchema.model_json_schema()}},
}
RESULT: dict[str, Any] = {
    **ocr_docs.ANSWER,
    "description": "As for `POST /gateway/ocr`. Before the end, NDJSON has the pages so far and no last line.",
}
EVENTS: dict[str, Any] = {
    "description": "Events `progress` and at last `end`, with the job's JSON as data; their id is `pages_done`.",
    "content": {"text/event-stream": {"schema": {"type": "string", "description": "Server-sent events."}}},
}

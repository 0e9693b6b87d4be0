"""What a call may raise, by the service's stable codes.

OcrError                  a code that this version does not know
├── BadOption             an option has no such value, or the server lacks the engine or the language
├── AuthError             the API key is missing or wrong
├── BadInput              the file cannot be read; another try gives the same
│   ├── UnsupportedFile   it is neither a picture nor a document of a known kind
│   ├── TooLarge          too many bytes, pixels or pages
│   ├── Damaged           it is damaged or empty
│   ├── PasswordNeeded    it is encrypted, and the password is missing or wrong
│   └── PagesFailed       some of its pages cannot be read: `pages`
├── Refused               the server is busy or not ready, and has begun nothing: `retry_after`
│   └── Overloaded        it has too much work, or the API key has its maximum of jobs
├── ReadingFailed         the server failed on this file
│   └── TooSlow           the time was over
├── NoSuchJob             it never existed, has expired, or belongs to another API key
├── JobNotFinished        there is no result yet
├── JobCancelled          there will be none
└── ServerGone            no connection, or it was lost: `sent` says whether the request may have arrived
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FailedPage:
    """One page of a document that was not read."""

    page: int
    code: str
    detail: str


class OcrError(Exception):
    """`code` is stable; `detail` is for people; `request_id` is in the logs of the service.

    `status` is that of HTTP, 0 if there was no answer. `retry_after` is in seconds, None if the server named no
    time.
    """

    def __init__(
        self,
        detail: str,
        *,
        code: str = "",
        status: int = 0,
        request_id: str = "",
        retry_after: float | None = None,
        pages: Sequence[FailedPage] = (),
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code
        self.status = status
        self.request_id = request_id
        self.retry_after = retry_after
        self.pages = tuple(pages)

    def __str__(self) -> str:
        return f"{self.detail} ({self.code})" if self.code else self.detail


class BadOption(OcrError):
    pass


class AuthError(OcrError):
    pass


class BadInput(OcrError):
    pass


class UnsupportedFile(BadInput):
    pass


class TooLarge(BadInput):
    pass


class Damaged(BadInput):
    pass


class PasswordNeeded(BadInput):
    pass


class PagesFailed(BadInput):
    """`pages` has each failed page; `allow_partial=True` gives the others."""


class Refused(OcrError):
    pass


class Overloaded(Refused):
    pass


class ReadingFailed(OcrError):
    pass


class TooSlow(ReadingFailed):
    pass


class NoSuchJob(OcrError):
    pass


class JobNotFinished(OcrError):
    pass


class JobCancelled(OcrError):
    pass


class ServerGone(OcrError):
    def __init__(self, detail: str, *, sent: bool, request_id: str = "", status: int = 0) -> None:
        super().__init__(detail, code="server_gone", request_id=request_id, status=status)
        self.sent = sent


_CODES: dict[type[OcrError], tuple[str, ...]] = {
    BadOption: (
        "bad_request", "bad_parameter", "bad_psm", "bad_pages", "bad_engine", "engine_unavailable",
        "unknown_language", "bad_timeout", "no_such_page", "not_acceptable", "bad_job_request",
        "bad_idempotency_key", "bad_webhook_url", "bad_input_url", "bad_result_url", "idempotency_mismatch",
    ),
    AuthError: ("unauthorized",),
    UnsupportedFile: ("not_an_image", "unsupported_format", "unsupported_media_type", "xfa_form"),
    TooLarge: (
        "payload_too_large", "image_too_large", "document_too_large", "too_many_pixels", "too_many_pages",
        "page_too_large", "page_too_complex",
    ),
    Damaged: ("empty_image", "damaged_image", "damaged_document", "damaged_page"),
    PasswordNeeded: ("password_required", "wrong_password"),
    PagesFailed: ("pages_failed",),
    Refused: ("not_ready", "model_server_unreachable", "no_space", "store_unavailable"),
    Overloaded: ("overloaded", "too_many_jobs"),
    ReadingFailed: (
        "worker_failed", "worker_crashed", "out_of_memory", "engine_failed", "model_server_failed",
        "composer_failed", "worker_lost", "document_kills_worker", "internal_error",
    ),
    TooSlow: ("deadline_exceeded", "upload_too_slow"),
    NoSuchJob: ("not_found",),
    JobNotFinished: ("not_finished",),
    JobCancelled: ("job_cancelled",),
}  # fmt: skip
BY_CODE: dict[str, type[OcrError]] = {code: kind for kind, codes in _CODES.items() for code in codes}


def error_for(
    code: str,
    detail: str,
    status: int = 0,
    request_id: str = "",
    retry_after: float | None = None,
    pages: Sequence[FailedPage] = (),
) -> OcrError:
    """An exception of the code's class."""
    kind = BY_CODE.get(code, OcrError)
    return kind(detail, code=code, status=status, request_id=request_id, retry_after=retry_after, pages=pages)

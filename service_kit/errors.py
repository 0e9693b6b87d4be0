"""Errors that a client may be told of.

ServiceError                      one class is one cause: it carries the HTTP status and the stable code
├── BadTimeout            400     X-Request-Timeout is no positive number of seconds
├── PayloadTooLarge       413     the body is over the limit
├── UploadTooSlow         408     the body stopped coming
├── DeadlineExceeded      504     the time budget of the request is used up
├── ClientGone            499     the client closed the connection; only the log and the counters see it
└── Unforeseen            500     anything else: a fixed text; the cause goes to the log

Each service adds its own in its `errors.py`.
"""

from __future__ import annotations

import math


class ServiceError(Exception):
    """An error with a public face; `str(error)` is what the client reads."""

    status: int = 500
    code: str = "internal_error"
    text: str = "Something went wrong on our side."

    def __init__(self, text: str | None = None, *, retry_after: float | None = None) -> None:
        super().__init__(text or self.text)
        self.retry_after = retry_after

    @property
    def headers(self) -> dict[str, str]:
        """Response headers that go with this error."""
        if self.retry_after is None:
            return {}
        return {"retry-after": str(max(1, math.ceil(self.retry_after)))}


class BadTimeout(ServiceError):
    status = 400
    code = "bad_timeout"
    text = "X-Request-Timeout takes a positive number of seconds."


class PayloadTooLarge(ServiceError):
    status = 413
    code = "payload_too_large"
    text = "The request body is too large."


class UploadTooSlow(ServiceError):
    status = 408
    code = "upload_too_slow"
    text = "The request body did not arrive in time."


class DeadlineExceeded(ServiceError):
    status = 504
    code = "deadline_exceeded"
    text = "The request could not be finished within its time budget."


class ClientGone(ServiceError):
    status = 499
    code = "client_gone"
    text = "The client closed the connection."


class Unforeseen(ServiceError):
    pass

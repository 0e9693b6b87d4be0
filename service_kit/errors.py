"""Errors that clients may see.

ServiceError                      one class per cause, with its HTTP status and stable code
├── BadRequest            400     the request does not follow the interface
│   ├── BadPsm            400
│   ├── BadEngine         400     there is no engine of that name
│   ├── NoSuchEngine      400     the engine exists, but this server does not have it
│   └── UnknownLanguage   400
├── BadTimeout            400     X-Request-Timeout is not a positive number of seconds
├── NotFound              404     no such route or model
├── MethodNotAllowed      405
├── UploadTooSlow         408     the body paused, or arrived below the minimum rate
├── PayloadTooLarge       413     the body is over the limit
├── UnsupportedMediaType  415     the route does not accept the body's media type
├── Overloaded            429     the wait would exceed the deadline, or a limit is reached
├── ClientGone            499     the client closed the connection; only for logs and counters
│   └── ClientTooSlow     499     the client read the answer below the minimum rate and was dropped
├── NotReady              503     the service is starting, stopping, or lacks a dependency
├── DeadlineExceeded      504     the time budget of the request is used up
└── Unforeseen            500     anything else: a fixed text; the log has the cause

Each service defines its own errors in its `errors.py`.
"""

from __future__ import annotations

import math

from service_kit.page import ENGINES, MAX_LANGUAGES, PSMS


class ServiceError(Exception):
    """An error with a public text: clients read `str(error)`."""

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


class BadRequest(ServiceError):
    status = 400
    code = "bad_request"
    text = "The request cannot be understood."


class BadPsm(BadRequest):
    code = "bad_psm"
    text = f"psm takes a page segmentation mode: {', '.join(map(str, PSMS))}."


class BadEngine(BadRequest):
    code = "bad_engine"
    text = f"engine takes one of: {', '.join(ENGINES)}."


class NoSuchEngine(BadRequest):
    code = "engine_unavailable"
    text = "This server does not have the engine that is asked for."


class UnknownLanguage(BadRequest):
    code = "unknown_language"
    text = (
        f"languages takes 1 to {MAX_LANGUAGES} names of installed languages, separated by commas, or auto alone."
    )


class BadTimeout(ServiceError):
    status = 400
    code = "bad_timeout"
    text = "X-Request-Timeout takes a positive number of seconds."


class NotFound(ServiceError):
    status = 404
    code = "not_found"
    text = "There is nothing at this address."


class MethodNotAllowed(ServiceError):
    status = 405
    code = "method_not_allowed"
    text = "This address does not take that method."

    def __init__(self, allow: str = "") -> None:
        super().__init__()
        self._allow = allow

    @property
    def headers(self) -> dict[str, str]:
        return {"allow": self._allow} if self._allow else {}


class UploadTooSlow(ServiceError):
    status = 408
    code = "upload_too_slow"
    text = "The request body did not arrive in time."


class PayloadTooLarge(ServiceError):
    status = 413
    code = "payload_too_large"
    text = "The request body is too large."


class UnsupportedMediaType(ServiceError):
    status = 415
    code = "unsupported_media_type"
    text = "The body has a media type that is not supported here."


class Overloaded(ServiceError):
    status = 429
    code = "overloaded"
    text = "The service is busy. Try again later."


class ClientGone(ServiceError):
    status = 499
    code = "client_gone"
    text = "The client closed the connection."


class ClientTooSlow(ClientGone):
    code = "client_too_slow"
    text = "The client read the answer too slowly."


class NotReady(ServiceError):
    status = 503
    code = "not_ready"
    text = "The service is not ready. Try again later."


class DeadlineExceeded(ServiceError):
    status = 504
    code = "deadline_exceeded"
    text = "The request could not be finished within its time budget."


class Unforeseen(ServiceError):
    pass


def tree(root: type[ServiceError]) -> list[type[ServiceError]]:
    """The class and all its subclasses."""
    return [root, *(found for child in root.__subclasses__() for found in tree(child))]

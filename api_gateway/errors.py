"""What the gateway itself has to refuse or to report. Clients see RFC 9457 problem details.

ServiceError
├── BadRequest             400  bad_request
│   ├── BadParameter       400  a query parameter that is not known, or has no such value
│   │   ├── BadPsm         400  the model server's codes, for what is seen here before it is asked
│   │   ├── UnknownLanguage 400
│   │   └── BadPages       400  pages is no list of pages
│   ├── BadMultipart       400  the body is no sound multipart/form-data
│   └── NoFile             400  there is no field image_file in it
├── Unauthorized           401
├── NotFound               404
├── MethodNotAllowed       405
├── NotAcceptable          406  none of the media types in Accept is offered
├── FileTooLarge           413
├── DocumentTooLarge       413
├── UnsupportedMediaType   415  the body is not multipart/form-data
├── EmptyFile              422
├── DocumentError          422  the document itself
│   ├── DamagedDocument    422  it can't be read, or reading it crashed, hung or ate memory
│   ├── PasswordRequired   422
│   ├── WrongPassword      422
│   ├── TooManyPages       422
│   ├── NoSuchPage         422  a page was asked for that the file does not have
│   └── PagesFailed        422  pages were not read, and the format or the client wants all or nothing
│       └── PagesNotRead   503  the same, where each of them failed for a passing reason
├── PageError              422  one page of a document; the others may be fine
│   ├── DamagedPage        422
│   ├── PageTooLarge       422  in points
│   ├── TooManyPixels      422
│   └── PageTooComplex     422  taking it out of the document took too much time or memory
├── Overloaded             429  as many uploads as fit are being served
├── NotReady               503  the gateway is going, or has no model server
├── NoSpace                503  the disk that documents wait on is full
├── ModelServerUnreachable 503  no connection
├── ModelServerFailed      502  it broke off, or answered what can't be understood: the outcome is unknown
├── Relayed                     what the model server refused, with its own code
└── service_kit.errors: PayloadTooLarge, UploadTooSlow, DeadlineExceeded, BadTimeout, ClientGone, Unforeseen
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from api_gateway.formats import FORMATS
from service_kit.errors import DeadlineExceeded, ServiceError


class BadRequest(ServiceError):
    status = 400
    code = "bad_request"
    text = "The request can't be understood."


class BadParameter(BadRequest):
    code = "bad_parameter"
    text = "A query parameter is not known or has no such value."


class BadPsm(BadParameter):
    code = "bad_psm"
    text = "psm takes a page segmentation mode: 1, or 3 to 13."


class UnknownLanguage(BadParameter):
    code = "unknown_language"
    text = "languages takes 1 to 4 names as GET /gateway/languages lists them, separated by commas."


class BadPages(BadParameter):
    code = "bad_pages"
    text = "pages takes numbers and ranges, separated by commas: 1-3,7."


class BadMultipart(BadRequest):
    code = "bad_multipart"
    text = "The body is not sound multipart/form-data."


class NoFile(BadRequest):
    code = "no_file"
    text = "Send the picture or the document as the multipart field image_file."


class Unauthorized(ServiceError):
    status = 401
    code = "unauthorized"
    text = "Show an API key: Authorization: Bearer KEY."

    @property
    def headers(self) -> dict[str, str]:
        return {"www-authenticate": 'Bearer realm="ocr"'}


class NotFound(ServiceError):
    status = 404
    code = "not_found"
    text = "There is nothing here."


class MethodNotAllowed(ServiceError):
    status = 405
    code = "method_not_allowed"
    text = "That method is not for this address."

    def __init__(self, allow: str = "") -> None:
        super().__init__()
        self._allow = allow

    @property
    def headers(self) -> dict[str, str]:
        return {"allow": self._allow} if self._allow else {}


class NotAcceptable(ServiceError):
    status = 406
    code = "not_acceptable"
    text = f"Answers come as {', '.join(known.media_type for known in FORMATS.values())}."


class FileTooLarge(ServiceError):
    status = 413
    code = "image_too_large"
    text = "The picture has too many bytes."


class DocumentTooLarge(ServiceError):
    status = 413
    code = "document_too_large"
    text = "The document has too many bytes."


class UnsupportedMediaType(ServiceError):
    status = 415
    code = "unsupported_media_type"
    text = "Send multipart/form-data with the field image_file."


class EmptyFile(ServiceError):
    status = 422
    code = "empty_image"
    text = "The file is empty."


class DocumentError(ServiceError):
    """The document itself is at fault."""


class DamagedDocument(DocumentError):
    status = 422
    code = "damaged_document"
    text = "The document is damaged, or so made that it can't be read."


class PasswordRequired(DocumentError):
    status = 422
    code = "password_required"
    text = "The document is encrypted. Send its password as the form field password."


class WrongPassword(DocumentError):
    status = 422
    code = "wrong_password"
    text = "The document is encrypted, and the password does not open it."


class TooManyPages(DocumentError):
    status = 422
    code = "too_many_pages"
    text = "The document has too many pages. Ask for some of them with pages=1-100."


class NoSuchPage(DocumentError):
    status = 422
    code = "no_such_page"
    text = "The file has no such page."


class PagesFailed(DocumentError):
    """Carries the failed pages: `{"page", "code", "detail"}` each."""

    status = 422
    code = "pages_failed"
    text = "Some pages could not be read. allow_partial=true gives the others."

    def __init__(self, pages: Sequence[dict[str, Any]] = ()) -> None:
        super().__init__()
        self.pages = list(pages)


class PagesNotRead(PagesFailed):
    status = 503

    def __init__(self, pages: Sequence[dict[str, Any]] = ()) -> None:
        super().__init__(pages)
        self.retry_after = 1


class PageError(ServiceError):
    """One page is at fault."""


class DamagedPage(PageError):
    status = 422
    code = "damaged_page"
    text = "The page is damaged."


class PageTooLarge(PageError):
    status = 422
    code = "page_too_large"
    text = "The page measures too much."


class TooManyPixels(PageError):
    status = 422
    code = "too_many_pixels"
    text = "The page has too many pixels."


class PageTooComplex(PageError):
    status = 422
    code = "page_too_complex"
    text = "Taking the page out of the document takes too much time or memory."


class Overloaded(ServiceError):
    status = 429
    code = "overloaded"
    text = "Too many uploads at once. Try again later."


class NotReady(ServiceError):
    status = 503
    code = "not_ready"
    text = "Not ready. Try again later."


class NoSpace(ServiceError):
    status = 503
    code = "no_space"
    text = "There is no room for the document. Try again later."


class ModelServerUnreachable(ServiceError):
    status = 503
    code = "model_server_unreachable"
    text = "The model server can't be reached. Try again later."


class ModelServerFailed(ServiceError):
    status = 502
    code = "model_server_failed"
    text = "The model server broke off its answer."


class Relayed(ServiceError):
    """The model server's own verdict."""

    def __init__(self, status: int, code: str, text: str, retry_after: float | None) -> None:
        super().__init__(text, retry_after=retry_after)
        self.status = status
        self.code = code


# What the splitter's child refuses, by the codes that it sends.
FROM_SPLITTER: dict[str, type[ServiceError]] = {
    error.code: error
    for error in (
        DamagedDocument, PasswordRequired, WrongPassword, DamagedPage, PageTooLarge, TooManyPixels, PageTooComplex,
    )
}  # fmt: skip

# Verdicts of the model server that are passed on as they are. Any other answer is its failure.
RELAYED = {
    "unknown_language": 400,
    "bad_psm": 400,
    "image_too_large": 413,
    "not_an_image": 415,
    "unsupported_format": 415,
    "empty_image": 422,
    "damaged_image": 422,
    "too_many_pixels": 422,
    "overloaded": 429,
    "not_ready": 503,
    "worker_failed": 503,
    "worker_crashed": 503,
    "out_of_memory": 503,
    "engine_failed": 503,
    "deadline_exceeded": 504,
}


def _tree(root: type[ServiceError]) -> list[type[ServiceError]]:
    return [root, *(found for child in root.__subclasses__() for found in _tree(child))]


_OF_PAGES = _tree(PageError)
_NO_OUTCOMES = (ServiceError, Relayed, DocumentError, *_OF_PAGES)
OUTCOMES = {(error.status, error.code) for error in _tree(ServiceError) if error not in _NO_OUTCOMES} | {
    (status, code) for code, status in RELAYED.items()
}
# Of a page of a document.
_MAY_FAIL_A_PAGE: list[type[ServiceError]] = [
    *_OF_PAGES[1:], DamagedDocument, DeadlineExceeded, ModelServerUnreachable, ModelServerFailed,
]  # fmt: skip
PAGE_OUTCOMES = {"ocr", "embedded"} | {error.code for error in _MAY_FAIL_A_PAGE} | {*RELAYED}

"""The gateway's own errors. Clients get them as RFC 9457 problem details.

ServiceError
├── BadParameter           400  a query parameter is unknown or has no such value
│   └── BadPages           400  pages is not a list of pages
├── BadMultipart           400  the body is not valid multipart/form-data
├── NoFile                 400  the form has no field image_file
├── Unauthorized           401
├── NotAcceptable          406  none of the media types in Accept is offered
├── FileTooLarge           413
├── DocumentTooLarge       413
├── EmptyFile              422
├── DocumentError          422  an error of the document itself
│   ├── DamagedDocument    422  it cannot be read, or reading it crashed, hung or took too much memory
│   ├── PasswordRequired   422
│   ├── WrongPassword      422
│   ├── XfaForm            422  a form whose pages only Adobe's programs make
│   ├── TooManyPages       422
│   ├── NoSuchPage         422  the file does not have a requested page
│   └── PagesFailed        422  pages were not read, and the format or the client requires all of them
│       └── PagesNotRead   503  the same, if each of them failed for a temporary reason
├── PageError              422  one page of a document; the others may be fine
│   ├── DamagedPage        422
│   ├── PageTooLarge       422  in points
│   ├── TooManyPagePixels  422
│   └── PageTooComplex     422  extracting it from the document took too much time or memory
├── BadJobRequest          400  a parameter or header of a job is not valid
│   ├── BadIdempotencyKey  400
│   ├── BadWebhookUrl      400
│   ├── BadInputUrl        400
│   └── BadResultUrl       400
├── InputUrlFailed         422  the document could not be downloaded
├── NotFinished            409  the job has no result yet
├── JobCancelled           409  the job has no result, because it was cancelled
├── JobFailed                   the error with which the job ended, with its own status and code
├── IdempotencyMismatch    422  the key belongs to a job with another file or other parameters
├── TooManyJobs            429  a limit of jobs of this API key is reached
├── StoreUnavailable       503  the database of jobs does not answer
├── NoSpace                503  the disk, or the documents' share of it, is full
├── ComposerFailed         503  the process that makes the searchable PDF was lost
├── ModelServerUnreachable 503  no connection
├── ModelServerFailed      502  it closed the connection, or its answer is not valid: the outcome is unknown
├── Relayed                     an error of the model server, with its own code
└── service_kit.errors: errors of both services
"""

from __future__ import annotations

import contextlib
import errno
import logging
from collections.abc import Iterator, Sequence
from typing import Any

from api_gateway.formats import FORMATS
from service_kit.budget import Full
from service_kit.errors import BadRequest, DeadlineExceeded, ServiceError, tree

log = logging.getLogger("disk")


class BadParameter(BadRequest):
    code = "bad_parameter"
    text = "A query parameter is unknown or has no such value."


class BadPages(BadParameter):
    code = "bad_pages"
    text = "pages takes numbers and ranges, separated by commas: 1-3,7."


class BadMultipart(BadRequest):
    code = "bad_multipart"
    text = "The body is not valid multipart/form-data."


class NoFile(BadRequest):
    code = "no_file"
    text = "Send the picture or the document as the multipart field image_file."


class Unauthorized(ServiceError):
    status = 401
    code = "unauthorized"
    text = "An API key is required: Authorization: Bearer KEY."

    @property
    def headers(self) -> dict[str, str]:
        return {"www-authenticate": 'Bearer realm="ocr"'}


class NotAcceptable(ServiceError):
    status = 406
    code = "not_acceptable"
    text = f"Available media types: {', '.join(known.media_type for known in FORMATS.values())}."


class FileTooLarge(ServiceError):
    status = 413
    code = "image_too_large"
    text = "The picture has too many bytes."


class DocumentTooLarge(ServiceError):
    status = 413
    code = "document_too_large"
    text = "The document has too many bytes."


class EmptyFile(ServiceError):
    status = 422
    code = "empty_image"
    text = "The file is empty."


class DocumentError(ServiceError):
    """An error of the document itself."""


class DamagedDocument(DocumentError):
    status = 422
    code = "damaged_document"
    text = "The document is damaged or cannot be read."


class PasswordRequired(DocumentError):
    status = 422
    code = "password_required"
    text = "The document is encrypted. Send its password as the form field password."


class WrongPassword(DocumentError):
    status = 422
    code = "wrong_password"
    text = "The document is encrypted, and the password does not open it."


class XfaForm(DocumentError):
    status = 422
    code = "xfa_form"
    text = (
        "The PDF is a dynamic XFA form: its only page says that Adobe Reader is needed. "
        "Print the form to a PDF there, and send that."
    )


class TooManyPages(DocumentError):
    status = 422
    code = "too_many_pages"
    text = "The document has too many pages. Ask for some of them with pages=1-100."


class NoSuchPage(DocumentError):
    status = 422
    code = "no_such_page"
    text = "The file has no such page."


class PagesFailed(DocumentError):
    """`pages` has `{"page", "code", "detail"}` for each failed page."""

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
    """An error of one page."""


class DamagedPage(PageError):
    status = 422
    code = "damaged_page"
    text = "The page is damaged."


class PageTooLarge(PageError):
    status = 422
    code = "page_too_large"
    text = "The page is too large."


class TooManyPagePixels(PageError):
    status = 422
    code = "too_many_pixels"
    text = "The page has too many pixels."


class PageTooComplex(PageError):
    status = 422
    code = "page_too_complex"
    text = "Taking the page out of the document takes too much time or memory."


class BadJobRequest(BadRequest):
    code = "bad_job_request"
    text = "A parameter of the job is not valid."


class BadIdempotencyKey(BadJobRequest):
    code = "bad_idempotency_key"
    text = "Idempotency-Key takes 1 to 255 printable ASCII characters."


class BadWebhookUrl(BadJobRequest):
    code = "bad_webhook_url"
    text = "webhook_url takes an https URL of a public host."


class BadInputUrl(BadJobRequest):
    code = "bad_input_url"
    text = "input_url takes the URL of a document on a host that the operator has allowed."


class BadResultUrl(BadJobRequest):
    code = "bad_result_url"
    text = "result_url takes a URL on a host that the operator has allowed."


class InputUrlFailed(ServiceError):
    status = 422
    code = "input_url_failed"
    text = "The document could not be downloaded from input_url."


class NotFinished(ServiceError):
    status = 409
    code = "not_finished"
    text = "The job has no result yet. format=ndjson gives the pages so far."


class JobCancelled(ServiceError):
    status = 409
    code = "job_cancelled"
    text = "The job was cancelled and has no result."


class IdempotencyMismatch(ServiceError):
    status = 422
    code = "idempotency_mismatch"
    text = "This Idempotency-Key belongs to a job with another file or other parameters."


class TooManyJobs(ServiceError):
    status = 429
    code = "too_many_jobs"
    text = "This API key has its maximum of jobs. Try again later."


class StoreUnavailable(ServiceError):
    status = 503
    code = "store_unavailable"
    text = "The database of jobs does not answer. Try again later."


class NoSpace(ServiceError):
    status = 503
    code = "no_space"
    text = "There is no disk space for the document. Try again later."


class ComposerFailed(ServiceError):
    status = 503
    code = "composer_failed"
    text = "The searchable PDF could not be made. Try again later."


class ModelServerUnreachable(ServiceError):
    status = 503
    code = "model_server_unreachable"
    text = "The model server cannot be reached. Try again later."


class ModelServerFailed(ServiceError):
    status = 502
    code = "model_server_failed"
    text = "The model server broke off its answer."


class Relayed(ServiceError):
    """An error of the model server, or the same one of a picture for a preview."""

    def __init__(self, status: int, code: str, text: str, retry_after: float | None) -> None:
        super().__init__(text, retry_after=retry_after)
        self.status = status
        self.code = code


# Errors of the splitter's child, by the codes that it sends.
FROM_SPLITTER: dict[str, type[ServiceError]] = {
    error.code: error
    for error in (
        DamagedDocument, PasswordRequired, WrongPassword, XfaForm,
        DamagedPage, PageTooLarge, TooManyPagePixels, PageTooComplex,
    )
}  # fmt: skip

# Errors of the model server that are passed on unchanged. Any other error counts as its failure.
RELAYED = {
    "unknown_language": 400,
    "bad_psm": 400,
    "bad_engine": 400,
    "engine_unavailable": 400,
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


# What the model server's own codes mean; the others have a class here.
_TEXTS = {
    "not_an_image": "Unknown file format. Supported: PNG, JPEG, TIFF, WebP, BMP, GIF, PNM, HEIC, AVIF and PDF.",
    "unsupported_format": "Pictures of this kind are not read.",
    "damaged_image": "The picture is damaged or cut short.",
    "worker_failed": "The worker failed on this page.",
    "worker_crashed": "The worker crashed on this page.",
    "out_of_memory": "The page needed more memory than a worker may have.",
    "engine_failed": "The engine could not read the whole page.",
}


def of_splitter(code: str, text: str | None) -> ServiceError:
    """The error for a code that the splitter's child sends; pictures have the model server's codes."""
    if code in RELAYED and code not in FROM_SPLITTER:
        return Relayed(RELAYED[code], code, text or _TEXTS[code], None)
    return FROM_SPLITTER.get(code, DamagedPage)(text)


# Errors of pages of jobs alone.
WORKER_LOST = "worker_lost"  # two workers died while they read the page
DOCUMENT_KILLS_WORKER = "document_kills_worker"  # three workers died before they had read a page of the document


def status_of(code: str) -> int:
    """The HTTP status of a code with which a page or a document ended."""
    return _STATUSES.get(code, 422)


class JobFailed(ServiceError):
    """The error with which a job, or the only page of a picture's job, ended."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.status = status_of(code)


# Not caused by the page: another server, or the same one later, may read it.
REFUSALS = frozenset({"overloaded", "not_ready", "model_server_unreachable"})
# The page was begun and failed; the page may not be the cause.
BROKEN = frozenset({
    "model_server_failed", "worker_failed", "worker_crashed", "out_of_memory", "engine_failed",
    "deadline_exceeded",
})  # fmt: skip
PASSING = REFUSALS | BROKEN

_OF_PAGES = tree(PageError)
_OF_JOBS = (NotFinished, JobCancelled, JobFailed, BadJobRequest, BadWebhookUrl)
_NO_OUTCOMES = (ServiceError, Relayed, DocumentError, *_OF_PAGES, *_OF_JOBS)
# Of two classes with one code, such as PagesNotRead, the first one in the tree counts.
_STATUSES = {error.code: error.status for error in reversed(tree(ServiceError))} | RELAYED
TEXTS = {error.code: error.text for error in reversed(tree(ServiceError))} | _TEXTS  # what each code means
OUTCOMES = {(error.status, error.code) for error in tree(ServiceError) if error not in _NO_OUTCOMES} | {
    (status, code) for code, status in RELAYED.items()
}
# Errors of one page of a document.
_MAY_FAIL_A_PAGE: list[type[ServiceError]] = [
    *_OF_PAGES[1:], DamagedDocument, DeadlineExceeded, ModelServerUnreachable, ModelServerFailed,
]  # fmt: skip
PAGE_ERRORS = {error.code for error in _MAY_FAIL_A_PAGE} | {*RELAYED}
PAGE_OUTCOMES = {"ocr", "embedded", "mixed"} | PAGE_ERRORS


@contextlib.contextmanager
def disk_errors() -> Iterator[None]:
    """Translate the errors of a full disk and of an exhausted disk budget.

    Raises:
        NoSpace.
    """
    try:
        yield
    except Full:
        raise NoSpace(retry_after=10) from None
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        log.error("the disk is full", extra={"cause": repr(error)})  # noqa: TRY400
        raise NoSpace(retry_after=10) from None

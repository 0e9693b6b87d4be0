"""What can go wrong with a page, each cause once. Clients see `{"error": text, "code": code}`.

ServiceError
├── BadRequest            400  the body is not what V1 or V2 ask for
│   ├── UnknownLanguage   400
│   └── BadPsm            400
├── NotFound              404  no such model or route
├── MethodNotAllowed      405
├── UnsupportedMediaType  415  the call is not JSON
├── ImageTooLarge         413  too many bytes
├── ImageError
│   ├── EmptyImage        422
│   ├── NotAnImage        415  nothing we know begins like this
│   ├── UnsupportedImage  415  an image, but of a kind that is not read
│   ├── DamagedImage      422  begins like an image and does not go on like one
│   └── TooManyPixels     422
├── Overloaded            429  it would have to wait longer than it has time
├── NotReady              503  no worker can be had
├── WorkerFailed          503  the engine did not survive the page, or gave no trustworthy answer
│   ├── WorkerCrashed     503
│   ├── OutOfMemory       503
│   └── EngineFailed      503  it complained of failed allocations: text may be missing
└── service_kit.errors: PayloadTooLarge, UploadTooSlow, DeadlineExceeded, BadTimeout, ClientGone, Unforeseen
"""

from __future__ import annotations

from service_kit.errors import ServiceError


class BadRequest(ServiceError):
    status = 400
    code = "bad_request"
    text = "The request is not what the protocol asks for."


class UnknownLanguage(BadRequest):
    code = "unknown_language"
    text = "A language is not offered."


class BadPsm(BadRequest):
    code = "bad_psm"
    text = "psm takes a page segmentation mode: 1, or 3 to 13."


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


class UnsupportedMediaType(ServiceError):
    status = 415
    code = "unsupported_media_type"
    text = "Send JSON, as application/json."


class ImageTooLarge(ServiceError):
    status = 413
    code = "image_too_large"
    text = "The image has too many bytes."


class ImageError(ServiceError):
    """The picture itself is at fault."""


class EmptyImage(ImageError):
    status = 422
    code = "empty_image"
    text = "The image has no bytes."


class NotAnImage(ImageError):
    status = 415
    code = "not_an_image"
    text = "These bytes are no image of a known format."


class UnsupportedImage(ImageError):
    status = 415
    code = "unsupported_format"
    text = "Images of this kind are not read."


class DamagedImage(ImageError):
    status = 422
    code = "damaged_image"
    text = "The image is damaged or cut short."


class TooManyPixels(ImageError):
    status = 422
    code = "too_many_pixels"
    text = "The image has too many pixels."


class Overloaded(ServiceError):
    status = 429
    code = "overloaded"
    text = "Too many pages are waiting. Try again later."


class NotReady(ServiceError):
    status = 503
    code = "not_ready"
    text = "No worker can take the page. Try again later."


class WorkerFailed(ServiceError):
    status = 503
    code = "worker_failed"
    text = "The worker failed on this page."


class WorkerCrashed(WorkerFailed):
    code = "worker_crashed"
    text = "The worker crashed on this page."


class OutOfMemory(WorkerFailed):
    code = "out_of_memory"
    text = "The page needed more memory than a worker may have."


class EngineFailed(WorkerFailed):
    code = "engine_failed"
    text = "The engine could not read the whole page."


def by_code(code: str) -> type[ServiceError]:
    """The class behind a code that a worker sent."""
    return _BY_CODE.get(code, WorkerFailed)


def _tree(root: type[ServiceError]) -> list[type[ServiceError]]:
    return [root, *(found for child in root.__subclasses__() for found in _tree(child))]


_BY_CODE = {error.code: error for error in _tree(ServiceError)}
OUTCOMES = ("ok", "cancelled", *_BY_CODE)

"""Errors of single pages, in addition to service_kit.errors. Clients see `{"error": text, "code": code}`.

ServiceError
├── ImageTooLarge         413  too many bytes
├── ImageError
│   ├── EmptyImage        422
│   ├── NotAnImage        415  unknown file format
│   ├── UnsupportedImage  415  a known format, but an unsupported kind
│   ├── DamagedImage      422  a valid beginning, but invalid or missing data after it
│   └── TooManyPixels     422
└── WorkerFailed          503  the worker crashed, or its answer cannot be trusted
    ├── WorkerCrashed     503
    ├── OutOfMemory       503
    └── EngineFailed      503  an engine failed, or reported failed allocations: text may be missing
"""

from __future__ import annotations

from service_kit.errors import ServiceError, tree


class ImageTooLarge(ServiceError):
    status = 413
    code = "image_too_large"
    text = "The image has too many bytes."


class ImageError(ServiceError):
    """The image itself is the cause."""


class EmptyImage(ImageError):
    status = 422
    code = "empty_image"
    text = "The image has no bytes."


class NotAnImage(ImageError):
    status = 415
    code = "not_an_image"
    text = "Unknown file format. Supported: PNG, JPEG, TIFF, WebP, BMP, GIF, PNM, HEIC, AVIF."


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
    """The error class of a code that a worker sent."""
    return _BY_CODE.get(code, WorkerFailed)


_BY_CODE = {error.code: error for error in tree(ServiceError)}
OUTCOMES = ("ok", "cancelled", *_BY_CODE)

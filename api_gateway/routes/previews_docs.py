"""What /docs says of POST /gateway/previews."""

from __future__ import annotations

from typing import Any

from api_gateway.http_answer import TOTAL_HEADER
from api_gateway.preview_answer import MEDIA_TYPE

DESCRIPTION = (
    "Each page as a JPEG, for clients that show what was read: documents, and pictures that browsers do not show. "
    "Boxes of words refer to this page: it is turned by its EXIF or by the PDF, not by `rotation` or `skew`. "
    "Multiply a box by the preview's `width` divided by the page's `width` in the answer of `POST /gateway/ocr`. "
    "Nothing is kept after the answer."
)
ANSWER: dict[str, Any] = {
    "description": "One line of JSON per page, as soon as it is drawn, and a last line with the totals.",
    "headers": {
        TOTAL_HEADER: {
            "description": "Number of the pages in the answer.",
            "schema": {"type": "integer", "minimum": 1},
        },
    },
    "content": {
        MEDIA_TYPE: {
            "schema": {
                "type": "string",
                "description": "A page: `page` is its number in the file; `status` is `ok`, with `width` and "
                "`height` in pixels and `image`, a JPEG in base64; or `failed`, with `code` and `detail` as for a "
                "page of `POST /gateway/ocr`. The last line: `request_id`, `status` (`complete` or `partial`), "
                "`page_count`, `pages_ok` and `pages_failed`.",
            },
            "example": '{"page":1,"status":"ok","width":1000,"height":1414,"image":"/9j/4AAQ..."}\n'
            '{"page":2,"status":"failed","code":"damaged_page","detail":"The page is damaged."}\n'
            '{"request_id":"7d0c","status":"partial","page_count":2,"pages_ok":1,"pages_failed":1}\n',
        }
    },
}
ERRORS = {
    400: "bad_request, bad_parameter, bad_multipart, no_file, bad_pages, bad_timeout",
    401: "unauthorized",
    408: "upload_too_slow",
    413: "payload_too_large, image_too_large, document_too_large",
    415: "unsupported_media_type, not_an_image",
    422: "empty_image; damaged_document, password_required, wrong_password, xfa_form, too_many_pages, "
    "no_such_page; of a picture also damaged_image, too_many_pixels, damaged_page, page_too_complex",
    429: "overloaded: too many previews, documents or uploads at once; Retry-After says when to try again",
    500: "internal_error",
    503: "not_ready, no_space",
    504: "deadline_exceeded",
}

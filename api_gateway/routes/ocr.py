"""POST /gateway/ocr."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query, Request, Response

from api_gateway.exchange import Exchange
from api_gateway.formats import FORMATS
from api_gateway.http_answer import FAILED_HEADER
from api_gateway.metrics import OCR_PATH
from api_gateway.negotiation import negotiate
from api_gateway.order import Order
from api_gateway.problem import responses
from api_gateway.schemas import OcrAnswer, OcrQuery
from api_gateway.uploads.multipart import FIELD, PASSWORD_FIELD
from service_kit.context import current

if TYPE_CHECKING:
    from api_gateway.exchange import Services
    from api_gateway.upstream.languages import InstalledLanguages

_BODY = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "additionalProperties": False,
                "required": [FIELD],
                "properties": {
                    FIELD: {
                        "type": "string",
                        "format": "binary",
                        "description": "A picture (PNG, JPEG, TIFF, WebP, BMP, GIF, PNM, HEIC or AVIF), or a "
                        "document (PDF, TIFF of several pages).",
                    },
                    PASSWORD_FIELD: {
                        "type": "string",
                        "description": "Password of an encrypted PDF. It is not logged.",
                    },
                },
            }
        }
    },
}
_HEADERS = [
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
_ANSWER = {
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
    },
    "content": {
        known.media_type: {"schema": {"type": "string", "description": known.description}}
        for known in FORMATS.values()
    }
    | {FORMATS["json"].media_type: {"schema": OcrAnswer.model_json_schema()}},
}
_ERRORS = {
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


def make_router(services: Services, installed: InstalledLanguages) -> APIRouter:
    router = APIRouter(tags=["OCR"])

    @router.post(
        OCR_PATH,
        summary="Read the text on a picture or in a document",
        response_class=Response,
        responses={
            200: _ANSWER,
            **responses(_ERRORS),
        },
        openapi_extra={"requestBody": _BODY, "parameters": _HEADERS},
    )
    async def ocr(request: Request, query: Annotated[OcrQuery, Query()]) -> Response:
        order = Order(
            parameters=query.parameters,
            format=negotiate(query.format, request.headers.get("accept")),
            pages=query.pages,
            dpi=query.dpi,
            may_lower_dpi="dpi" not in query.model_fields_set,
            embedded_text=query.text_layer == "auto",
            allow_partial=query.allow_partial,
        )
        await installed.check(order.parameters)
        return Exchange(services, request, order, current())

    return router

"""POST /gateway/ocr."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from api_gateway.documents import composer
from api_gateway.documents.response import FAILED_HEADER, DocumentResponse
from api_gateway.documents.results import model
from api_gateway.documents.selection import choose
from api_gateway.formats import FORMATS
from api_gateway.metrics import OCR_PATH
from api_gateway.negotiation import negotiate
from api_gateway.problem import responses
from api_gateway.schemas import OcrAnswer, OcrQuery
from api_gateway.upload import FIELD, PASSWORD_FIELD, Document, Limits, read_upload
from service_kit.context import current
from service_kit.deadline import TIMEOUT_HEADER, Deadline

if TYPE_CHECKING:
    from api_gateway.documents.incoming import Incoming
    from api_gateway.documents.job import Documents
    from api_gateway.room import Room
    from api_gateway.settings import Settings
    from api_gateway.upstream import ModelServer

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
                    PASSWORD_FIELD: {"type": "string", "description": "Of an encrypted PDF. It is not logged."},
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
        "description": "1 to 128 of A-Z a-z 0-9 . _ -: kept as the request's id; anything else is replaced.",
    },
    {
        "name": "X-Request-Timeout",
        "in": "header",
        "required": False,
        "schema": {"type": "number", "exclusiveMinimum": 0},
        "description": "Time budget in seconds, if less than the service's own will do.",
    },
]
_ANSWER = {
    "description": "The text, in the format that was asked for.",
    "headers": {
        "Content-Disposition": {
            "description": "A name to save it under, such as `ocr.hocr`.",
            "schema": {"type": "string", "examples": [known.content_disposition for known in FORMATS.values()]},
        },
        FAILED_HEADER: {
            "description": "Pages that have no text here because they could not be read, with allow_partial.",
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
    400: "bad_request, bad_parameter, bad_multipart, no_file, unknown_language, bad_psm, bad_pages, bad_timeout",
    401: "unauthorized",
    406: "not_acceptable",
    408: "upload_too_slow",
    413: "payload_too_large, image_too_large, document_too_large",
    415: "unsupported_media_type, not_an_image, unsupported_format",
    422: "empty_image, damaged_image, too_many_pixels; damaged_document, password_required, wrong_password, "
    "too_many_pages, no_such_page; pages_failed: `pages` says which and why",
    429: "overloaded: nothing was begun; Retry-After says when to come back",
    500: "internal_error",
    502: "model_server_failed: it broke off, and whether it had read the picture is not known",
    503: "model_server_unreachable, not_ready, no_space, worker_failed, worker_crashed, out_of_memory, "
    "engine_failed; pages_failed where each page failed for such a reason",
    504: "deadline_exceeded",
}


def make_router(settings: Settings, room: Room, model_server: ModelServer, documents: Documents) -> APIRouter:
    router = APIRouter(tags=["OCR"])
    limits = Limits(settings.max_upload_bytes, settings.max_document_bytes)

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
        context = current()
        wanted = negotiate(query.format, request.headers.get("accept"))
        declared = min(int(request.headers.get("content-length", 0)), settings.max_upload_bytes)
        budget = context.deadline

        def incoming() -> Incoming:
            context.deadline = Deadline.from_header(
                request.headers.get(TIMEOUT_HEADER), settings.document_timeout_seconds
            )
            return documents.incoming()

        with room.enter(declared, budget) as hold:
            upload = await read_upload(request, limits, hold, incoming)
            if isinstance(upload, Document):
                return DocumentResponse(documents, upload, query, wanted, settings, context)
            context.deadline = budget
            choose(query.pages, 1, most=1)
            prediction = await model_server.read(upload, query.model_parameters, context)
            answer = _answer(context.id, settings.model_name, prediction)
            context.facts.update(
                pages=len(answer["pages"]),
                words=len(prediction["words"]),
                recognition_seconds=round(prediction["duration_seconds"], 4),
            )
            form = FORMATS[wanted]
            headers = {"content-disposition": form.content_disposition}
            if form.render is not None:
                return Response(form.render(answer), media_type=form.media_type, headers=headers)
            file = await documents.composer.picture(upload, answer, context.deadline)
            return StreamingResponse(composer.pieces(file), media_type=form.media_type, headers=headers)

    return router


def _answer(request_id: str, model_name: str, prediction: dict[str, Any]) -> dict[str, Any]:
    page = {
        "page": 1,
        "status": "ok",
        "source": "ocr",
        "width": prediction["width"],
        "height": prediction["height"],
        "dpi": None,
        "text": prediction["text"],
        "confidence": prediction["confidence"],
        "words": prediction["words"],
        "duration_seconds": prediction["duration_seconds"],
        "attempts": 1,
    }
    return {
        "request_id": request_id,
        "status": "complete",
        "text": prediction["text"],
        "confidence": prediction["confidence"],
        "pages": [page],
        "page_count": prediction["page_count"],
        "model": model(model_name, prediction["engine"]),
    }

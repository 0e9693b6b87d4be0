"""POST /gateway/ocr."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from api_gateway.formats import FORMATS
from api_gateway.metrics import OCR_PATH
from api_gateway.negotiation import negotiate
from api_gateway.problem import responses
from api_gateway.schemas import OcrAnswer, OcrQuery
from api_gateway.upload import FIELD, read_picture
from service_kit.context import current

if TYPE_CHECKING:
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
                        "description": "PNG, JPEG, TIFF, WebP, BMP, GIF, PNM, HEIC or AVIF.",
                    }
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
        }
    },
    "content": {
        known.media_type: {"schema": {"type": "string", "description": known.description}}
        for known in FORMATS.values()
    }
    | {FORMATS["json"].media_type: {"schema": OcrAnswer.model_json_schema()}},
}
_ERRORS = {
    400: "bad_request, bad_parameter, bad_multipart, no_file, unknown_language, bad_psm, bad_timeout",
    401: "unauthorized",
    406: "not_acceptable",
    408: "upload_too_slow",
    413: "payload_too_large, image_too_large",
    415: "unsupported_media_type, not_an_image, unsupported_format",
    422: "empty_image, damaged_image, too_many_pixels",
    429: "overloaded: nothing was begun; Retry-After says when to come back",
    500: "internal_error",
    502: "model_server_failed: it broke off, and whether it had read the picture is not known",
    503: "model_server_unreachable, not_ready, worker_failed, worker_crashed, out_of_memory, engine_failed",
    504: "deadline_exceeded",
}


def make_router(settings: Settings, room: Room, model_server: ModelServer) -> APIRouter:
    router = APIRouter(tags=["OCR"])

    @router.post(
        OCR_PATH,
        summary="Read the text on a picture",
        response_class=Response,
        responses={
            200: _ANSWER,
            **responses(_ERRORS),
        },
        openapi_extra={"requestBody": _BODY, "parameters": _HEADERS},
    )
    async def ocr(request: Request, query: Annotated[OcrQuery, Query()]) -> Response:
        context = current()
        wanted = FORMATS[negotiate(query.format, request.headers.get("accept"))]
        with room.enter(int(request.headers.get("content-length", 0)), context.deadline.seconds) as hold:
            picture = await read_picture(request, settings.max_upload_bytes, hold)
            prediction = await model_server.read(picture, query.model_parameters, context)
        answer = _answer(context.id, settings.model_name, prediction)
        context.facts.update(
            pages=len(answer["pages"]),
            words=len(prediction["words"]),
            recognition_seconds=round(prediction["duration_seconds"], 4),
        )
        headers = {"content-disposition": wanted.content_disposition}
        return Response(wanted.render(answer), media_type=wanted.media_type, headers=headers)

    return router


def _answer(request_id: str, model_name: str, prediction: dict[str, Any]) -> dict[str, Any]:
    page = {"page": 1, "status": "ok"}
    page |= {
        key: prediction[key] for key in ("width", "height", "text", "confidence", "words", "duration_seconds")
    }
    engine = prediction["engine"]
    return {
        "request_id": request_id,
        "text": prediction["text"],
        "confidence": prediction["confidence"],
        "pages": [page],
        "page_count": prediction["page_count"],
        "model": {
            "name": model_name,
            "engine": engine["name"],
            "tesseract": engine["tesseract"],
            "languages": engine["languages"],
            "traineddata": engine["traineddata"],
        },
    }

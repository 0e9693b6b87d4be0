"""Mistral's OCR, POST /v1/ocr: https://docs.mistral.ai/api/endpoint/ocr ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Request, Response

from api_gateway.auth import tenant_of
from api_gateway.contracts.mistral_ocr import MistralOcr
from api_gateway.routes import contract_docs as docs
from service_kit.context import current

if TYPE_CHECKING:
    from api_gateway.exchange import Services
    from api_gateway.jobs.store import JobStore
    from api_gateway.jobs.watching import JobWatch

_BODY = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["document"],
                "properties": {
                    "model": {"type": "string", "description": "Any name; there is one model."},
                    "document": {
                        "type": "object",
                        "description": "`document_url` or `image_url`: a data URL with base64, or the address of "
                        "an uploaded file; or `file_id`.",
                    },
                    "pages": {"description": "Numbers from 0, as a list of integers or as text such as `0-3,7`."},
                },
            }
        }
    },
}


def make_router(services: Services, store: JobStore | None = None, watch: JobWatch | None = None) -> APIRouter:
    """Without jobs, only the file in the body can be read."""
    router = APIRouter(tags=["Mistral OCR"])

    @router.post(
        "/v1/ocr",
        summary="The text of a picture or a document, page by page",
        description="The file is in the body, or was uploaded with `POST /v1/files`.",
        response_class=Response,
        responses={
            **docs.answer("application/json", "`pages`, each with its text as `markdown`."),
            **docs.errors_of_call("mistral"),
        },
        openapi_extra={"requestBody": _BODY, "parameters": docs.FILE["parameters"]},
    )
    async def ocr(request: Request, tenant: Annotated[str, Depends(tenant_of)]) -> Response:
        return MistralOcr(services, request, current(), tenant, store, watch)

    return router

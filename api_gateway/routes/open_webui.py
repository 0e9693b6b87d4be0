"""Open WebUI's external document loader: PUT /process with each file that its users add."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from api_gateway.contracts.plain_text import read_text, says_text
from api_gateway.exchange import Exchange
from api_gateway.order import Order
from api_gateway.routes import contract_docs as docs
from api_gateway.uploads.bodies import WholeBody
from service_kit.body import declared_bytes
from service_kit.context import current
from service_kit.page import ANY_LANGUAGE, Parameters

if TYPE_CHECKING:
    from api_gateway.exchange import Services

_ORDER = Order(Parameters((ANY_LANGUAGE,)), "open_webui", may_lower_dpi=True)


def make_router(services: Services) -> APIRouter:
    router = APIRouter(tags=["Open WebUI"])
    settings, admission = services.settings, services.admission

    @router.put(
        "/process",
        summary="The text of a picture, a document, or a file of plain text",
        description="Open WebUI sends each file that its users add, if its document loader is `external`.",
        response_class=Response,
        responses={
            **docs.answer("application/json", '`{"page_content": text, "metadata": {}}`'),
            **docs.errors_of_call("openwebui"),
        },
        openapi_extra=docs.FILE,
    )
    async def process(request: Request) -> Response:
        context = current()
        name = unquote(request.headers.get("x-filename", ""))
        if not says_text(request.headers.get("content-type"), name):
            return Exchange(services, request, _ORDER, context, WholeBody)
        most = settings.max_upload_bytes
        with admission.request(min(declared_bytes(request.scope) or 0, most), context.deadline) as memory:
            text = await read_text(request, memory, most)
            return JSONResponse({"page_content": text, "metadata": {}})

    return router

"""POST /gateway/ocr."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from api_gateway.auth import tenant_of
from api_gateway.exchange import Exchange
from api_gateway.jobs.prefer import prefers_async
from api_gateway.jobs.submission import check_idempotency_key
from api_gateway.metrics import OCR_PATH
from api_gateway.negotiation import negotiate
from api_gateway.problem import responses
from api_gateway.routes import ocr_docs as docs
from api_gateway.routes.orders import order_of
from api_gateway.routes.submitting import IDEMPOTENCY_HEADER, SUBMITTED
from api_gateway.schemas import OcrQuery
from service_kit.context import current

if TYPE_CHECKING:
    from api_gateway.exchange import Services
    from api_gateway.routes.submitting import Submitting
    from api_gateway.upstream.languages import InstalledLanguages


def make_router(
    services: Services, installed: InstalledLanguages, submitting: Submitting | None = None
) -> APIRouter:
    """With `submitting`, a request may prefer a job."""
    router = APIRouter(tags=["OCR"])
    has_jobs = submitting is not None

    @router.post(
        OCR_PATH,
        summary="Read the text on a picture or in a document",
        description="The answer comes when all pages are read; with `format=ndjson`, each page when it is.",
        response_class=Response,
        responses={
            200: docs.ANSWER,
            **({202: SUBMITTED} if has_jobs else {}),
            **responses(docs.errors(with_jobs=has_jobs)),
        },
        openapi_extra={"requestBody": docs.BODY, "parameters": docs.headers(with_jobs=has_jobs)},
    )
    async def ocr(
        request: Request, query: Annotated[OcrQuery, Query()], tenant: Annotated[str, Depends(tenant_of)]
    ) -> Response:
        order = order_of(query, negotiate(query.format, request.headers.get("accept")))
        await installed.check(order.parameters)
        if has_jobs:
            check_idempotency_key(request.headers.get(IDEMPOTENCY_HEADER))
        if submitting is not None and prefers_async(request.headers.getlist("prefer")):
            return await submitting.answer(request, order, tenant, most_files=1, is_preferred=True)
        return Exchange(services, request, order, current())

    return router

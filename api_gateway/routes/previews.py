"""POST /gateway/previews."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from api_gateway.metrics import PREVIEWS_PATH
from api_gateway.preview_answer import PreviewAnswer
from api_gateway.problem import responses
from api_gateway.routes import ocr_docs, previews_docs
from api_gateway.schemas import PAGES_TEXT, PageNumbers
from service_kit.context import current

if TYPE_CHECKING:
    from api_gateway.exchange import Services


class PreviewQuery(BaseModel):
    """Query parameters of a request for previews."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pages: Annotated[PageNumbers | None, Field(description=PAGES_TEXT, examples=["1-3,7"])] = None
    width: Annotated[
        int,
        Field(
            description="Width of each preview in pixels. A very long page gets fewer; a picture is not enlarged.",
            ge=100,
            le=2000,
        ),
    ] = 1000


def make_router(services: Services) -> APIRouter:
    router = APIRouter(tags=["OCR"])

    @router.post(
        PREVIEWS_PATH,
        summary="Draw the pages of a picture or a document, for people",
        description=previews_docs.DESCRIPTION,
        response_class=Response,
        responses={200: previews_docs.ANSWER, **responses(previews_docs.ERRORS)},
        openapi_extra={"requestBody": ocr_docs.BODY, "parameters": ocr_docs.HEADERS},
    )
    async def previews(request: Request, query: Annotated[PreviewQuery, Query()]) -> Response:
        return PreviewAnswer(services, request, current(), pages=query.pages, width=query.width)

    return router

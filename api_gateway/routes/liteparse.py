"""LiteParse's OCR server: a picture of a page in, its words with their boxes out."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response

from api_gateway.exchange import Exchange
from api_gateway.order import Order
from api_gateway.routes import contract_docs as docs
from api_gateway.uploads.multipart import Fields, Form
from service_kit.context import current
from service_kit.locales import of_names
from service_kit.page import ANY_LANGUAGE, Parameters

if TYPE_CHECKING:
    from collections.abc import Mapping

    from api_gateway.exchange import Services
    from api_gateway.upstream.languages import InstalledLanguages

_FIELDS = Fields("file", None)
_ORDER = Order(Parameters((ANY_LANGUAGE,)), "liteparse")


def make_router(services: Services, installed: InstalledLanguages) -> APIRouter:
    router = APIRouter(tags=["LiteParse"])

    async def refine(order: Order, fields: Mapping[str, Any]) -> Order:
        """The form's language stands before or after the file."""
        parameters = replace(order.parameters, languages=of_names(fields.get("language")))
        await installed.check(parameters)
        return replace(order, parameters=parameters)

    @router.post(
        "/liteparse/ocr",
        summary="The words of a picture",
        description="LiteParse sends each page of a document as a picture, and puts the words at their places.",
        response_class=Response,
        responses={
            **docs.answer("application/json", '`{"results": [{"text", "bbox", "confidence"}]}`'),
            **docs.errors_of_call("liteparse"),
        },
        openapi_extra=docs.form("file", {"language": "Language on the picture, such as `en` or `deu`."}),
    )
    async def ocr(request: Request) -> Response:
        body = partial(Form, request.headers.get("content-type"), fields=_FIELDS)
        return Exchange(services, request, _ORDER, current(), body, refine)

    return router

"""Open WebUI, Tika and LiteParse: a file in, its text out, each in its own shape."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated
from urllib.parse import unquote

import orjson
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from api_gateway.contracts.locales import of_name
from api_gateway.contracts.plain_text import read_text, says_text
from api_gateway.exchange import Exchange
from api_gateway.order import Order
from api_gateway.uploads.bodies import WholeBody, refuse_office
from service_kit.context import current
from service_kit.page import ANY_LANGUAGE, Parameters

if TYPE_CHECKING:
    from api_gateway.exchange import Services
    from api_gateway.formats import ContractFormat
    from api_gateway.upstream.languages import InstalledLanguages

_FILE = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


def _order(name: ContractFormat, language: str = ANY_LANGUAGE) -> Order:
    return Order(Parameters((language,)), name, may_lower_dpi=True)


def make_open_webui(services: Services) -> APIRouter:
    router = APIRouter(tags=["Open WebUI"])

    @router.put("/process", summary="The text of a file", response_class=Response, openapi_extra=_FILE)
    async def process(request: Request) -> Response:
        name = unquote(request.headers.get("x-filename", ""))
        if says_text(request.headers.get("content-type"), name):
            text = await read_text(request, services)
            return JSONResponse({"page_content": text, "metadata": {}})
        body = partial(refuse_office, WholeBody)
        return Exchange(services, request, _order("open_webui"), current(), body)

    return router


def make_tika(services: Services) -> APIRouter:
    router = APIRouter(tags=["Apache Tika"])

    def exchange(request: Request, name: ContractFormat) -> Response:
        return Exchange(services, request, _order(name), current(), partial(refuse_office, WholeBody))

    @router.get("/version", summary="What clients ask for at their start")
    async def version() -> Response:
        return PlainTextResponse("Apache Tika 3.3.2 (OCR gateway)")

    @router.get("/tika", summary="Whether the service is there")
    async def hello() -> Response:
        return PlainTextResponse("This is Tika Server (OCR gateway). Please PUT\n")

    @router.put("/tika", summary="The text of a file", response_class=Response, openapi_extra=_FILE)
    async def tika(request: Request) -> Response:
        is_json = "application/json" in request.headers.get("accept", "")
        return exchange(request, "tika_json" if is_json else "tika_text")

    @router.put("/tika/text", summary="Metadata and text", response_class=Response, openapi_extra=_FILE)
    async def text(request: Request) -> Response:
        return exchange(request, "tika_json")

    @router.put("/rmeta/text", summary="The same in a list", response_class=Response, openapi_extra=_FILE)
    async def rmeta(request: Request) -> Response:
        return exchange(request, "tika_rmeta")

    return router


def make_liteparse(services: Services, installed: InstalledLanguages) -> APIRouter:
    router = APIRouter(tags=["LiteParse"])

    @router.post("/liteparse/ocr", summary="The words of a picture", response_class=Response)
    async def ocr(request: Request, language: Annotated[str | None, Query(max_length=40)] = None) -> Response:
        order = _order("liteparse", of_name(language))
        await installed.check(order.parameters)
        return Exchange(services, request, order, current())

    return router


_ = orjson

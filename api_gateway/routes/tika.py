"""Apache Tika's server, as far as its clients ask it for text.

https://cwiki.apache.org/confluence/display/TIKA/TikaServer
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse

from api_gateway.contracts.tika_meta import TikaMeta
from api_gateway.exchange import Exchange
from api_gateway.order import Order
from api_gateway.routes import contract_docs as docs
from api_gateway.uploads.bodies import WholeBody
from api_gateway.uploads.multipart import Fields, Form
from service_kit.context import current
from service_kit.locales import of_names
from service_kit.page import ANY_LANGUAGE, Parameters

if TYPE_CHECKING:
    from api_gateway.admission import RequestAdmission
    from api_gateway.exchange import Services
    from api_gateway.formats import ContractFormat
    from api_gateway.uploads.bodies import BodyOf
    from api_gateway.upstream.languages import InstalledLanguages

_ORDER = Order(Parameters((ANY_LANGUAGE,)), "tika_text", may_lower_dpi=True)
_FIELDS = Fields(None, None)
_JSON = "application/json"
_META = "Only the first bytes of the file are looked at; nothing is read on it."
# What is asked for, and whether it is always JSON.
_TEXTS: tuple[tuple[str, ContractFormat, str], ...] = (
    ("/tika", "tika_text", "The text of a file"),
    ("/tika/text", "tika_json", "Metadata and text of a file"),
    ("/rmeta/text", "tika_rmeta", "Metadata and text of a file, in a list"),
    ("/rmeta", "tika_rmeta", "Metadata and text of a file, in a list"),
)
_TOLD = {
    "tika_text": "The text of all pages; with `Accept: application/json` as JSON.",
    "tika_json": "An object with Tika's metadata, and the text as `X-TIKA:content`.",
    "tika_rmeta": "A list with one object: Tika's metadata, and the text as `X-TIKA:content`.",
}
_LANGUAGE = "The language of each page is found, unless the header `X-Tika-OCRLanguage` names it."


def make_router(services: Services, installed: InstalledLanguages) -> APIRouter:
    router = APIRouter(tags=["Apache Tika"])

    async def read(request: Request, name: ContractFormat, body: BodyOf) -> Response:
        if name == "tika_text" and _JSON in request.headers.get("accept", ""):
            name = "tika_json"
        languages = of_names(request.headers.get("x-tika-ocrlanguage"))
        order = replace(_ORDER, format=name, parameters=replace(_ORDER.parameters, languages=languages))
        await installed.check(order.parameters)
        return Exchange(services, request, order, current(), body)

    def add(path: str, name: ContractFormat, summary: str) -> None:
        media_type = "text/plain" if name == "tika_text" else _JSON
        described = partial(
            router.add_api_route,
            response_class=Response,
            responses={**docs.answer(media_type, _TOLD[name]), **docs.errors_of_call("tika")},
            summary=summary,
            description=_LANGUAGE,
        )

        async def whole(request: Request) -> Response:
            return await read(request, name, WholeBody)

        async def of_form(request: Request) -> Response:
            return await read(request, name, _form(request))

        described(path, whole, methods=["PUT"], openapi_extra=docs.FILE)
        start, _, rest = path[1:].partition("/")
        described(
            f"/{start}/form{rest and '/'}{rest}", of_form, methods=["POST"], openapi_extra=docs.form("upload")
        )

    for path, name, summary in _TEXTS:
        add(path, name, summary)

    _add_others(router, services.admission)
    return router


def _add_others(router: APIRouter, admission: RequestAdmission) -> None:
    metadata = {
        **docs.answer(_JSON, "The Content-Type, by the file's first bytes."),
        **docs.errors_of_call("tika"),
    }

    @router.put(
        "/meta", summary="The type of a file", description=_META, responses=metadata, openapi_extra=docs.FILE
    )
    async def meta(request: Request) -> Response:
        return TikaMeta(admission, request, current(), WholeBody)

    @router.post(
        "/meta/form",
        summary="The type of a file in a form",
        description=_META,
        responses=metadata,
        openapi_extra=docs.form("upload"),
    )
    async def meta_of_form(request: Request) -> Response:
        return TikaMeta(admission, request, current(), _form(request))

    @router.get(
        "/version",
        summary="The version of Tika that clients see",
        description="Clients ask for it at their start.",
        response_description="Name and version, as text.",
        response_class=PlainTextResponse,
    )
    async def version() -> Response:
        return PlainTextResponse("Apache Tika 3.3.2 (OCR gateway)")

    @router.get(
        "/tika",
        summary="Whether the service is there",
        description="Clients ask for it before they send files.",
        response_description="A greeting, as Tika has it.",
        response_class=PlainTextResponse,
    )
    async def hello() -> Response:
        return PlainTextResponse("This is Tika Server (OCR gateway). Please PUT\n")


def _form(request: Request) -> BodyOf:
    return partial(Form, request.headers.get("content-type"), fields=_FIELDS)

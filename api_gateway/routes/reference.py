"""/docs: the interface, described by Swagger UI from packaged files. It needs no API key and no other host."""

from __future__ import annotations

import asyncio
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from fastapi import APIRouter, Request, Response

from api_gateway.routes.page import WebFile
from service_kit.errors import NotFound

_OWN = Path(__file__).parents[1] / "reference"
_NAMES = ("swagger-ui.css", "swagger-ui-bundle.js", "start.js")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def make_router() -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.api_route("/docs", methods=["GET", "HEAD"])
    async def index(request: Request) -> Response:
        return await _answer(request, "index.html")

    @router.api_route("/docs/{name}", methods=["GET", "HEAD"])
    async def file(request: Request, name: str) -> Response:
        if name not in _NAMES:
            raise NotFound
        return await _answer(request, name)

    return router


async def _answer(request: Request, name: str) -> Response:
    answer = (await asyncio.to_thread(_file, name)).answer(request)
    answer.headers["content-security-policy"] = POLICY
    return answer


@cache
def _file(name: str) -> WebFile:
    """Read and compressed at first use: few gateways are asked for it, and it takes two megabytes."""
    own = _OWN / name
    found = own if own.exists() else _packaged(name)
    return WebFile.of(Path(name).suffix, found.read_bytes())


def _packaged(name: str) -> Path:
    """A file of Swagger UI; the package's code is not imported."""
    package = find_spec("fastapi_swagger")
    assert package is not None  # noqa: S101 - narrows the type: it is in the lock
    assert package.origin is not None  # noqa: S101
    return Path(package.origin).parent / "resources" / name

"""The application's factory: all that it is made of is listed here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from api_gateway import errors
from api_gateway.auth import key_check
from api_gateway.documents.job import Documents
from api_gateway.documents.spool import sweep
from api_gateway.door import Door
from api_gateway.metrics import Metrics
from api_gateway.problem import render
from api_gateway.room import Room
from api_gateway.routes import health, languages, ocr
from api_gateway.schemas import OcrQuery
from api_gateway.upstream import ModelServer
from service_kit.errors import ServiceError
from service_kit.intake import Intake
from service_kit.scope import RequestScope
from service_kit.server import Drain, serve
from service_kit.settings import MIB

if TYPE_CHECKING:
    from api_gateway.settings import Settings


def run(settings: Settings) -> None:
    """Serve until told to stop."""
    drain = Drain()
    serve(
        make_app(settings, drain),
        host=settings.host,
        port=settings.port,
        drain=drain,
        header_timeout_seconds=settings.header_timeout_seconds,
        delay_seconds=settings.shutdown_delay_seconds,
        grace_seconds=settings.shutdown_grace_seconds,
    )


def make_app(settings: Settings, drain: Drain) -> FastAPI:
    metrics = Metrics()
    model_server = ModelServer(settings, metrics)
    room = Room(settings.max_in_flight, settings.max_held_mib * MIB, settings.max_documents)
    documents = Documents(settings, room, model_server, metrics)
    sweep(settings.spool)

    app = FastAPI(
        title="OCR gateway",
        summary="Send a picture or a document, get its text.",
        version="0.1.0",
        redoc_url=None,
        middleware=[  # outermost first
            Middleware(
                RequestScope,
                observer=metrics,
                render=render,
                longest_seconds=settings.request_timeout_seconds,
                is_draining=drain,
            ),
            Middleware(Door, room=room),
            Middleware(
                Intake,
                max_body_bytes=settings.max_body_bytes,
                idle_seconds=settings.body_idle_timeout_seconds,
            ),
        ],
        exception_handlers={HTTPException: _from_http, RequestValidationError: _from_validation},
    )
    keys = [Depends(key_check(settings.keys))] if settings.keys else []
    app.include_router(ocr.make_router(settings, room, model_server, documents), dependencies=keys)
    app.include_router(languages.make_router(model_server), dependencies=keys)
    app.include_router(health.make_router(model_server, drain))
    return app


async def _from_http(_request: object, error: Exception) -> Any:
    if isinstance(error.__cause__, ServiceError):
        raise error.__cause__
    assert isinstance(error, HTTPException)  # noqa: S101 - narrows the type
    if error.status_code == 405:
        raise errors.MethodNotAllowed((error.headers or {}).get("Allow", ""))
    raise errors.NotFound if error.status_code == 404 else errors.BadRequest


# What a bad value of a query parameter is called; any other is `bad_parameter`.
_PARAMETER_ERRORS = {"psm": errors.BadPsm, "languages": errors.UnknownLanguage, "pages": errors.BadPages}


async def _from_validation(_request: object, error: Exception) -> Any:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - narrows the type
    fault = error.errors()[0]
    name = str(fault["loc"][-1])
    if fault["type"] == "extra_forbidden":
        raise errors.BadParameter(f"Query parameters: {', '.join(OcrQuery.model_fields)}.")
    raise _PARAMETER_ERRORS.get(name, errors.BadParameter)

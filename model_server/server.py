"""KServe's application with our layers around it. All routes, middleware and error handlers are listed here."""

from __future__ import annotations

import contextlib
import logging
import re
import warnings
from typing import TYPE_CHECKING, Any

import kserve
import kserve.errors
import kserve.model_server
import orjson
from fastapi.exceptions import FastAPIDeprecationWarning, RequestValidationError
from kserve.protocol.rest.server import RESTServer
from starlette.exceptions import HTTPException

from model_server import errors
from model_server.cpus import allowed_cpus
from model_server.header import FORMATS
from model_server.metrics import Metrics
from model_server.model import OcrModel
from model_server.pool import Pool
from service_kit.errors import ServiceError
from service_kit.intake import Intake
from service_kit.scope import RequestScope
from service_kit.server import Drain, serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from fastapi import FastAPI
    from starlette.types import ASGIApp, Receive, Scope, Send

    from model_server.settings import Settings
    from service_kit.context import RequestContext

log = logging.getLogger("model_server")
warnings.filterwarnings("ignore", category=FastAPIDeprecationWarning)  # of KServe's routes, on each request

_BINARY_EXTENSION = b"inference-header-content-length"  # of V2: breaks inside KServe
# KServe offers these to anybody: unloading a model can't be undone, and this model does not explain.
_CLOSED = re.compile(r"/v2/repository/|/v[12]/.*:explain$|/docs|/openapi\.json$")


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
    """KServe's own application object (it has one a process), wired to one pool."""
    metrics = Metrics()
    pool = Pool(settings, settings.workers or allowed_cpus(), metrics)
    model = OcrModel(settings, pool)
    server = kserve.ModelServer(http_port=settings.port, enable_grpc=False)
    server.register_model(model)
    server.dataplane.decode = _or_bad_request(server.dataplane.decode)
    app: FastAPI = kserve.model_server.app

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        try:
            await pool.start()
            log.info("ready", extra={"workers": pool.size, "engine": pool.engine, "languages": model.languages})
            yield
        finally:
            await pool.stop()

    app.router.lifespan_context = lifespan
    app.add_api_route("/engine", _describe(settings, pool, model), methods=["GET"])
    _Rest(settings, server, metrics, drain).create_application()
    return app


def _or_bad_request(decode: Callable[..., Any]) -> Callable[..., Any]:
    """KServe and its CloudEvents library break in many ways on a body that is not what it says: its fault."""

    def careful(*args: Any, **kwargs: Any) -> Any:
        try:
            return decode(*args, **kwargs)
        except kserve.errors.InvalidInput:
            raise
        except Exception as error:
            raise errors.BadRequest from error

    return careful


class _Rest(RESTServer):  # type: ignore[misc]
    """KServe's routes, our middleware and error handlers."""

    def __init__(self, settings: Settings, server: kserve.ModelServer, metrics: Metrics, drain: Drain) -> None:
        super().__init__(
            "kserve.model_server:app", server.dataplane, server.model_repository_extension, settings.port
        )
        self._settings = settings
        self._metrics = metrics
        self._drain = drain

    def _add_middlewares(self, app: FastAPI) -> None:
        """Innermost first."""
        settings = self._settings
        app.add_middleware(_Doors, drain=self._drain, model_name=settings.model_name)
        app.add_middleware(
            Intake, max_body_bytes=settings.max_body_bytes, idle_seconds=settings.body_idle_timeout_seconds
        )
        app.add_middleware(
            RequestScope,
            observer=self._metrics,
            render=render,
            longest_seconds=settings.request_timeout_seconds,
            is_draining=self._drain,
        )

    def _add_exception_handlers(self, app: FastAPI) -> None:
        for foreign, translate in _TRANSLATIONS.items():
            app.add_exception_handler(foreign, _raising(translate))


class _Doors:
    """Closes what KServe leaves open, and readiness while the process is on its way out."""

    def __init__(self, app: ASGIApp, drain: Drain, model_name: str) -> None:
        self._app = app
        self._drain = drain
        self._readiness = {f"/v1/models/{model_name}", f"/v2/models/{model_name}/ready", "/v2/health/ready"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            if _CLOSED.match(scope["path"]):
                raise errors.NotFound
            if any(name == _BINARY_EXTENSION for name, _ in scope["headers"]):
                raise errors.BadRequest("The binary extension of V2 is not served: send base64 in JSON.")
            if self._drain.started and scope["path"] in self._readiness:
                raise errors.NotReady("The server is shutting down.", retry_after=1)
        await self._app(scope, receive, send)


def render(error: ServiceError, request: RequestContext) -> tuple[str, bytes]:
    """An error as KServe's clients expect it, with a stable code."""
    body = {"error": str(error), "code": error.code, "request_id": request.id}
    return "application/json", orjson.dumps(body)


def _describe(settings: Settings, pool: Pool, model: OcrModel) -> Callable[[], Any]:
    async def engine() -> dict[str, Any]:
        """What reads here, in which languages, within which limits."""
        data = pool.engine.get("languages", {})
        return {
            "name": pool.engine.get("name"),
            "version": pool.engine.get("version"),
            "languages": {name: data[name] for name in model.languages},
            "formats": FORMATS,
            "max_megapixels": settings.max_megapixels,
            "max_image_mib": settings.max_image_mib,
            "workers": pool.size,
        }

    return engine


def _from_http(error: Exception) -> ServiceError:
    if isinstance(error.__cause__, ServiceError):  # FastAPI hides what happened while it read the body
        return error.__cause__
    status = error.status_code if isinstance(error, HTTPException) else 400
    if isinstance(error, HTTPException) and status == 405:
        return errors.MethodNotAllowed((error.headers or {}).get("Allow", ""))
    return errors.NotFound() if status == 404 else errors.BadRequest()


# The one table of foreign errors. What is not in it is answered as unforeseen.
_TRANSLATIONS: dict[type[Exception], Callable[[Exception], ServiceError]] = {
    HTTPException: _from_http,
    RequestValidationError: lambda _: errors.BadRequest(),
    kserve.errors.InvalidInput: lambda error: errors.BadRequest(str(error)),
    kserve.errors.ModelNotFound: lambda _: errors.NotFound("There is no such model here."),
    kserve.errors.ModelNotReady: lambda _: errors.NotReady(retry_after=1),
    kserve.errors.UnsupportedProtocol: lambda _: errors.BadRequest(),
    NotImplementedError: lambda _: errors.NotFound(),
}


def _raising(translate: Callable[[Exception], ServiceError]) -> Callable[..., Any]:
    async def handler(_request: object, error: Exception) -> None:
        raise translate(error) from error

    return handler

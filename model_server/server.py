"""KServe's application with our middleware. Lists all routes, middleware and error handlers."""

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

from model_server.bodies import BodyAdmission, BodyBudget
from model_server.grpc_server import GrpcServer
from model_server.image_header import FORMATS
from model_server.metrics import ModelServerMetrics
from model_server.model import OcrModel
from model_server.probes import Probes
from model_server.tensor_route import TensorRoute
from model_server.workers import Workers
from service_kit import errors
from service_kit.body import BodyLimits
from service_kit.errors import ServiceError
from service_kit.followed import Followed
from service_kit.listener import listen
from service_kit.outcome import RequestScope
from service_kit.second_port import SecondPort
from service_kit.server import Drain, serve
from service_kit.settings import MIB
from service_kit.tls import listening_context

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from fastapi import FastAPI
    from starlette.types import ASGIApp, Receive, Scope, Send

    from model_server.settings import ModelServerSettings
    from service_kit.context import RequestContext

log = logging.getLogger("model_server")
warnings.filterwarnings("ignore", category=FastAPIDeprecationWarning)  # by KServe's routes, on each request

# KServe exposes these to all clients: unloading a model can't be undone, and this model does not explain.
_CLOSED = re.compile(r"/v2/repository/|/v[12]/.*:explain$|/docs|/openapi\.json$")


def run(settings: ModelServerSettings) -> None:
    """Serve until a signal arrives."""
    drain = Drain()
    app, grpc_server = make_app(settings, drain)
    second = SecondPort(settings.probe_port, Probes(app, settings.model_name)) if settings.probe_port else None
    files = settings.tls_files
    tls = Followed("TLS", files.paths, lambda: listening_context(files)) if settings.tls_cert_file else None
    if settings.grpc_port:
        listen(settings.host, settings.grpc_port).close()  # says at once that the port is not available
    serve(app, settings, drain, settings.shutdown_grace_seconds, second, tls, stop_too=grpc_server.stop)


def make_app(settings: ModelServerSettings, drain: Drain) -> tuple[FastAPI, GrpcServer]:
    """KServe's own application object (one per process) and the gRPC server, with one set of workers."""
    metrics = ModelServerMetrics()
    workers = Workers(settings, metrics)
    model = OcrModel(settings, workers)
    server = kserve.ModelServer(http_port=settings.port, enable_grpc=False)
    server.register_model(model)
    server.dataplane.decode = _or_bad_request(server.dataplane.decode)
    app: FastAPI = kserve.model_server.app
    bodies = BodyBudget(settings.max_bodies_mib * MIB, workers.size, workers.queue, settings.max_queue)
    grpc_server = GrpcServer(settings, model, bodies, metrics, drain)

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        try:
            await workers.start()
            facts = {"workers": workers.size, "engine": workers.engine, "memory_mib": settings.memory_rows()}
            log.info("ready", extra={**facts, "languages": model.offered.languages})
            for note in workers.engine.get("notes", ()):
                log.warning("something is missing", extra={"note": note})
            await grpc_server.start()
            yield
        finally:
            await grpc_server.stop(0)
            await workers.stop()

    app.router.lifespan_context = lifespan
    app.add_api_route("/engine", _describe(settings, workers, model), methods=["GET"])
    _Rest(settings, server, model, bodies, metrics, drain).create_application()
    return app, grpc_server


def _or_bad_request(decode: Callable[..., Any]) -> Callable[..., Any]:
    """Answer 400: KServe and its CloudEvents library raise many exceptions on malformed bodies."""

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

    def __init__(
        self,
        settings: ModelServerSettings,
        server: kserve.ModelServer,
        model: OcrModel,
        bodies: BodyBudget,
        metrics: ModelServerMetrics,
        drain: Drain,
    ) -> None:
        super().__init__(
            "kserve.model_server:app", server.dataplane, server.model_repository_extension, settings.port
        )
        self._settings = settings
        self._model = model
        self._bodies = bodies
        self._metrics = metrics
        self._drain = drain

    def _add_middlewares(self, app: FastAPI) -> None:
        """Add middleware, innermost first."""
        settings = self._settings
        app.add_middleware(_ClosedRoutes, drain=self._drain, model_name=settings.model_name)
        app.add_middleware(BodyLimits, settings=settings, max_body_bytes=settings.max_body_bytes)
        app.add_middleware(
            BodyAdmission,
            bodies=self._bodies,
            max_body_bytes=settings.max_body_bytes,
            counts=self._metrics.counts,
        )
        app.add_middleware(TensorRoute, settings=settings, model=self._model, bodies=self._bodies)
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


class _ClosedRoutes:
    """Blocks routes that KServe should not expose, and readiness during shutdown."""

    def __init__(self, app: ASGIApp, drain: Drain, model_name: str) -> None:
        self._app = app
        self._drain = drain
        self._readiness = {f"/v1/models/{model_name}", f"/v2/models/{model_name}/ready", "/v2/health/ready"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            if _CLOSED.match(scope["path"]):
                raise errors.NotFound
            if self._drain.started and scope["path"] in self._readiness:
                raise errors.NotReady("The server is shutting down.", retry_after=1)
        await self._app(scope, receive, send)


def render(error: ServiceError, request: RequestContext) -> tuple[str, bytes]:
    """An error in KServe's format, with a stable code."""
    body = {"error": str(error), "code": error.code, "request_id": request.id}
    return "application/json", orjson.dumps(body)


def _describe(settings: ModelServerSettings, workers: Workers, model: OcrModel) -> Callable[[], Any]:
    async def engine() -> dict[str, Any]:
        """The engines, their languages and data, and the limits."""
        found, offered = workers.engine, model.offered
        neural = found.get("neural")
        return {
            "name": offered.default,
            "engines": offered.engines,
            "version": found.get("version"),
            "languages": {name: found["languages"][name] for name in offered.tesseract},
            "neural": {**neural, "languages": offered.neural} if neural else None,
            "orientation": found.get("orientation"),
            "formats": FORMATS,
            "max_megapixels": settings.max_megapixels,
            "max_image_mib": settings.max_image_mib,
            "workers": workers.size,
        }

    return engine


def _from_http(error: Exception) -> ServiceError:
    if isinstance(error.__cause__, ServiceError):  # FastAPI wraps errors raised while it reads the body
        return error.__cause__
    status = error.status_code if isinstance(error, HTTPException) else 400
    if isinstance(error, HTTPException) and status == 405:
        return errors.MethodNotAllowed((error.headers or {}).get("Allow", ""))
    return errors.NotFound() if status == 404 else errors.BadRequest()


# All translations of foreign errors. Other exceptions become Unforeseen.
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

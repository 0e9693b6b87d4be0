"""The application's factory. It lists all routes, middleware and error handlers."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from api_gateway import errors
from api_gateway.admission import EarlyRefusal, RequestAdmission
from api_gateway.auth import digests, key_check
from api_gateway.contracts.table import contract_of, is_call, render
from api_gateway.documents.composer import Composer
from api_gateway.documents.document import Documents
from api_gateway.exchange import Services
from api_gateway.metrics import GatewayMetrics
from api_gateway.openapi import TAGS, DescribedApi
from api_gateway.routes import (
    azure,
    backlog,
    health,
    job,
    languages,
    liteparse,
    mistral,
    mistral_files,
    ocr,
    open_webui,
    page,
    previews,
    prometheus,
    reference,
    tika,
)
from api_gateway.routes import jobs as jobs_route
from api_gateway.routes.submitting import JOBS_PATH, Submitting
from api_gateway.uploads.spool import sweep
from api_gateway.upstream.client import ModelServer
from api_gateway.upstream.concurrency import Concurrency
from api_gateway.upstream.languages import InstalledLanguages
from service_kit.body import BodyLimits
from service_kit.errors import (
    BadEngine,
    BadPsm,
    BadRequest,
    MethodNotAllowed,
    NotFound,
    ServiceError,
    UnknownLanguage,
)
from service_kit.followed import Followed, following
from service_kit.outcome import RequestScope
from service_kit.second_port import SecondPort
from service_kit.server import Drain, serve
from service_kit.settings import MIB

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from api_gateway.jobs.service import JobService
    from api_gateway.settings import GatewaySettings


def run(settings: GatewaySettings) -> None:
    """Serve until SIGTERM or SIGINT."""
    drain = Drain()
    app = make_app(settings, drain)
    second = SecondPort(settings.metrics_port, make_metrics_app(app)) if settings.metrics_port else None
    serve(app, settings, drain, settings.grace_seconds, second)


def make_metrics_app(main: FastAPI) -> FastAPI:
    """What a metrics port of its own serves, for the application on the main port."""
    app = FastAPI(openapi_url=None)
    app.include_router(prometheus.make_router())
    if latest := main.state.backlog:
        app.include_router(backlog.make_router(latest))
    return app


def make_app(settings: GatewaySettings, drain: Drain) -> FastAPI:
    metrics = GatewayMetrics()
    model_server = ModelServer(settings, metrics)
    admission = RequestAdmission(settings)
    concurrency = Concurrency()
    services = Services(
        settings=settings,
        admission=admission,
        model_server=model_server,
        documents=Documents(settings, admission, model_server, concurrency, metrics),
        composer=Composer(
            common=admission.children,
            disk=admission.disk,
            env=settings.child_environment(),
            kill_bytes=settings.splitter_kill_mib * MIB,
        ),
        metrics=metrics,
    )
    jobs = None
    if settings.has_jobs:
        from api_gateway.jobs.service import JobService  # noqa: PLC0415 - SQLAlchemy and asyncpg take 30 MiB

        job_documents = Documents(settings, admission, model_server, concurrency, metrics, for_jobs=True)
        jobs = JobService(settings, job_documents, admission, services.composer, drain)
    keys = Followed("API keys", [settings.api_keys_file], lambda: digests(settings.keys), metrics.keys_reloaded)
    sweep(settings.spool)

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with (
            following(keys, model_server.certificates),
            jobs.running() if jobs else contextlib.nullcontext(),
        ):
            yield

    app = DescribedApi(
        title="OCR gateway",
        summary="Send a picture or a document, get its text.",
        openapi_tags=TAGS,
        version="0.1.0",
        openapi_url=None if settings.jobs_role == "worker" else "/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        middleware=[  # outermost first
            Middleware(
                RequestScope,
                observer=metrics,
                render=render,
                longest_seconds=settings.request_timeout_seconds,
                is_draining=drain,
                logs=lambda method, path: (
                    (method in ("POST", "DELETE") and path.startswith(JOBS_PATH)) or is_call(method, path)
                ),
            ),
            Middleware(
                BodyLimits,
                settings=settings,
                max_body_bytes=settings.max_body_bytes,
                max_bytes_of=_longest_body(settings),
            ),
            Middleware(EarlyRefusal, admission=admission, has_jobs=jobs is not None),
        ],
        exception_handlers={HTTPException: _from_http, RequestValidationError: _from_validation},
    )
    if jobs is not None and not settings.metrics_port:  # before the routes of a job, whose id may be any text
        app.include_router(backlog.make_router(jobs.backlog.seen))
    if settings.jobs_role != "worker":
        guard = [Depends(key_check(lambda: keys.value))] if keys.value else []
        for router in _guarded(services, InstalledLanguages(model_server), jobs):
            app.include_router(router, dependencies=guard)
        app.include_router(reference.make_router())
        if settings.page:
            app.include_router(page.make_router(settings))
    app.state.backlog = jobs.backlog.seen if jobs else None
    app.include_router(health.make_router(model_server, drain))
    if not settings.metrics_port:
        app.include_router(prometheus.make_router())
    return app


def _longest_body(settings: GatewaySettings) -> Callable[[str], int]:
    """Maximum bytes of the body of a request to a path."""

    def of(path: str) -> int:
        if path == JOBS_PATH and settings.has_jobs:
            return settings.max_jobs_bytes
        return settings.max_base64_bytes if contract_of(path) else settings.max_body_bytes

    return of


def _guarded(services: Services, installed: InstalledLanguages, jobs: JobService | None) -> Iterator[APIRouter]:
    """The routes that need an API key if there are any."""
    submitting = Submitting(services, jobs.store, jobs.wake) if jobs else None
    yield ocr.make_router(services, installed, submitting)
    yield languages.make_router(services.model_server)
    if services.settings.page:
        yield previews.make_router(services)
    offered = services.settings.contracts
    if jobs is not None and submitting is not None:
        yield jobs_route.make_router(installed, submitting)
        yield job.make_router(services, jobs.store, jobs.watch, jobs.cancelled)
        if "azure" in offered:
            yield azure.make_router(services, installed, submitting, jobs.watch, jobs.cancelled)
        if "mistral" in offered:
            yield mistral.make_router(services, jobs.store, jobs.watch)
            yield mistral_files.make_router(services, submitting, jobs.watch, jobs.cancelled)
    elif "mistral" in offered:
        yield mistral.make_router(services)
    if "openwebui" in offered:
        yield open_webui.make_router(services)
    if "liteparse" in offered:
        yield liteparse.make_router(services, installed)
    if "tika" in offered:
        yield tika.make_router(services, installed)


async def _from_http(_request: object, error: Exception) -> Any:
    if isinstance(error.__cause__, ServiceError):
        raise error.__cause__
    assert isinstance(error, HTTPException)  # noqa: S101 - narrows the type
    if error.status_code == 405:
        raise MethodNotAllowed((error.headers or {}).get("Allow", ""))
    raise NotFound if error.status_code == 404 else BadRequest


# Errors for bad values of query parameters; for all others `bad_parameter`.
_PARAMETER_ERRORS = {
    "psm": BadPsm,
    "languages": UnknownLanguage,
    "engine": BadEngine,
    "pages": errors.BadPages,
    "ttl": errors.BadJobRequest,
    "webhook_url": errors.BadWebhookUrl,
}


async def _from_validation(request: Any, error: Exception) -> Any:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - narrows the type
    fault = error.errors()[0]
    name = str(fault["loc"][-1])
    if fault["type"] == "extra_forbidden":
        (query,) = request.scope["route"].dependant.query_params
        raise errors.BadParameter(f"Query parameters: {', '.join(query.field_info.annotation.model_fields)}.")
    raise _PARAMETER_ERRORS.get(name, errors.BadParameter)

"""Azure Document Intelligence: analyze, ask until it is done, fetch the searchable PDF. An operation is a job."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlencode

import orjson
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import JSONResponse

from api_gateway.auth import tenant_of
from api_gateway.contracts.azure_errors import error_json
from api_gateway.contracts.azure_query import AnalyzeQuery
from api_gateway.contracts.outside import outside_url
from api_gateway.contracts.wording import of_pages, reworded
from api_gateway.errors import BadParameter, PagesFailed, status_of
from api_gateway.formats.azure import Shape
from api_gateway.jobs.azure_result import AzureResult
from api_gateway.jobs.owned import remove_whole
from api_gateway.jobs.result import JobResult
from api_gateway.jobs.stored import failed_pages
from api_gateway.jobs.submission import Terms
from api_gateway.order import Order
from api_gateway.routes import contract_docs as docs
from api_gateway.uploads.bodies import Base64Body, WholeBody
from service_kit.context import current
from service_kit.errors import NotFound, UnsupportedMediaType
from service_kit.locales import of_locale
from service_kit.page import Parameters

if TYPE_CHECKING:
    from collections.abc import Callable

    from api_gateway.exchange import Services
    from api_gateway.jobs.job import Job
    from api_gateway.jobs.store import JobStore
    from api_gateway.jobs.watching import JobWatch
    from api_gateway.routes.submitting import Submitting
    from api_gateway.uploads.bodies import BodyOf
    from api_gateway.upstream.languages import InstalledLanguages

PREFIXES = ("/documentintelligence", "/formrecognizer")
MODELS = ("prebuilt-read", "prebuilt-layout")
_FIELD = "base64Source"
_ID = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}")
# Features that this service has anyway, or that change nothing about the text.
_FEATURES = frozenset({"ocrHighResolution", "languages", "styleFont"})
Tenant = Annotated[str, Depends(tenant_of)]
Model = Annotated[str, Path(description=f"Name of the model: {' or '.join(MODELS)}.", examples=[MODELS[0]])]
ResultId = Annotated[str, Path(description="Id of the operation, from its Operation-Location.")]


def make_router(
    services: Services,
    installed: InstalledLanguages,
    submitting: Submitting,
    watch: JobWatch,
    cancelled: Callable[[str], None],
) -> APIRouter:
    """`cancelled` is told of each job that a client cancels."""
    router = APIRouter(tags=["Azure Document Intelligence"])
    store, settings = submitting.store, services.settings
    proxies = settings.proxy_networks

    async def found(tenant: str, model: str, result_id: str) -> Job:
        job_id = result_id.replace("-", "")
        job = await store.job(tenant, job_id) if model in MODELS and _ID.fullmatch(result_id) else None
        if job is None:
            raise NotFound("There is no such operation.")
        return job

    async def analyze(
        request: Request, model: Model, query: Annotated[AnalyzeQuery, Query()], tenant: Tenant
    ) -> Response:
        _check(model, query)
        order = Order(
            Parameters((of_locale(query.locale),)),
            "pdf" if query.output == "pdf" else "json",
            query.pages,
            may_lower_dpi=True,
        )
        await installed.check(order.parameters)
        body = _body_of(request.headers.get("content-type"))
        outside = outside_url(request, settings.public_url, proxies)
        submitted = await submitting.submit(request, order, Terms(tenant), body=body)
        prefix = request.url.path.partition("/documentModels/")[0]
        asked = {
            "api-version": query.api_version,
            "stringIndexType": query.string_index,
            "outputContentFormat": query.content,
        }
        where = (
            f"{outside}{prefix}/documentModels/{model}/analyzeResults/{submitted.jobs[0].id}?{urlencode(asked)}"
        )
        return Response(status_code=202, headers={"Operation-Location": where, "Retry-After": "1"})

    async def result(
        model: Model, result_id: ResultId, query: Annotated[AnalyzeQuery, Query()], tenant: Tenant
    ) -> Response:
        job = await found(tenant, model, result_id)
        if job.state != "complete":
            headers = {} if job.is_final else {"Retry-After": "1"}
            return JSONResponse({**_operation(job), **await _error(store, job)}, headers=headers)
        shape = Shape(model, query.api_version, query.string_index, query.content, inches=job.kind == "pdf")
        head = orjson.dumps(_operation(job))[:-1] + b',"analyzeResult":'
        return AzureResult(settings, services.admission, store, job, shape, head)

    async def pdf(model: Model, result_id: ResultId, tenant: Tenant) -> Response:
        job = await found(tenant, model, result_id)
        return JobResult(
            settings, services.admission, services.composer, store, job, current(), name="pdf", allow_partial=False
        )

    async def remove(model: Model, result_id: ResultId, tenant: Tenant) -> Response:
        job = await found(tenant, model, result_id)
        await remove_whole(store, job, cancelled)
        watch.wake()
        return Response(status_code=204)

    asked = docs.errors_of_job("azure")
    for prefix in PREFIXES:
        add = partial(router.add_api_route, response_class=Response)
        results = f"{prefix}/documentModels/{{model}}/analyzeResults/{{result_id}}"
        add(f"{prefix}/documentModels/{{model}}:analyze", analyze, methods=["POST"], status_code=202,
            summary="Analyze a document", description=_ANALYZE,
            responses={202: _ACCEPTED, **docs.errors_of_call("azure")},
            openapi_extra={"requestBody": _BODY, "parameters": docs.FILE["parameters"]})  # fmt: skip
        add(results, result, methods=["GET"], summary="The state of an operation, and its result",
            description="While the operation runs, `Retry-After` says when to ask again.",
            responses={**docs.answer("application/json", _OPERATION), **asked})  # fmt: skip
        add(f"{results}/pdf", pdf, methods=["GET"], summary="The document as a searchable PDF",
            description="The pages as they were sent, with invisible text over their pictures.",
            responses={**docs.answer("application/pdf", "The searchable PDF."),
                       **docs.errors_of_result("azure")})  # fmt: skip
        add(results, remove, methods=["DELETE"], status_code=204, responses=asked,
            summary="Remove an operation and its result",
            description="An operation that is still running is cancelled.",
            response_description="The operation, its file and its result are removed.")  # fmt: skip
    return router


_ANALYZE = "The client asks for the result at `Operation-Location` until its status is final."
_OPERATION = "The operation: `status`, and `analyzeResult` or `error` when it has ended."
_ACCEPTED = {
    "description": "The operation is queued, and can be asked for.",
    "headers": {
        "Operation-Location": {
            "description": "Where the operation and its result are.",
            "schema": {"type": "string"},
        }
    },
}
_BODY = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": [_FIELD],
                "properties": {_FIELD: {"type": "string", "format": "byte", "description": "The file in base64."}},
            }
        },
        "application/octet-stream": {
            "schema": {"type": "string", "format": "binary", "description": "The file itself."}
        },
    },
}


def _check(model: str, query: AnalyzeQuery) -> None:
    if model not in MODELS:
        raise NotFound(f"There is no model {model[:80]!r} here; there are {' and '.join(MODELS)}.")
    unknown = {*(query.features or "").split(",")} - _FEATURES - {""}
    if unknown:
        raise BadParameter(f"features: {', '.join(sorted(unknown))[:200]} is not supported.")
    if query.output not in (None, "", "pdf"):
        raise BadParameter("output takes pdf.")


def _body_of(content_type: str | None) -> BodyOf:
    media_type = (content_type or "").partition(";")[0].strip().lower()
    if media_type == "application/json":
        return partial(Base64Body, _FIELD)
    if media_type.startswith(("image/", "application/")):
        return WholeBody
    raise UnsupportedMediaType("Send the file itself (application/octet-stream), or JSON with base64Source.")


def _operation(job: Job) -> dict[str, Any]:
    """Without the result. `running` also while it waits: some clients fail at `notStarted`."""
    at = job.finished or job.started or job.created
    return {
        "status": {
            "complete": "succeeded",
            "queued": "running",
            "running": "running",
            "cancelled": "canceled",
        }.get(job.state, "failed"),
        "createdDateTime": _time(job.created),
        "lastUpdatedDateTime": _time(at),
    }


async def _error(store: JobStore, job: Job) -> dict[str, Any]:
    """Why the operation failed, if it did."""
    if job.state not in ("partial", "failed"):
        return {}
    code = job.code or PagesFailed.code
    which = await failed_pages(store, job) if code == PagesFailed.code else None
    text = reworded(job.detail or "") if which is None else of_pages(which)
    return {"error": error_json(status_of(code), code, text)}


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")

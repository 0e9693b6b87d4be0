"""/gateway/jobs/{id}: the status of a job, its result, its progress, its removal."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from fastapi.responses import JSONResponse

from api_gateway.auth import tenant_of
from api_gateway.jobs.events import JobEvents
from api_gateway.jobs.owned import owned_job
from api_gateway.jobs.result import JobResult
from api_gateway.jobs.schemas import JobSchema, ResultQuery, job_json
from api_gateway.negotiation import negotiate
from api_gateway.problem import responses
from api_gateway.routes import jobs_docs as docs
from api_gateway.routes.submitting import JOBS_PATH
from service_kit.context import current
from service_kit.deadline import TIMEOUT_HEADER, Deadline
from service_kit.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Callable

    from api_gateway.exchange import Services
    from api_gateway.jobs.job import Job
    from api_gateway.jobs.store import JobStore
    from api_gateway.jobs.watching import JobWatch

_PATH = f"{JOBS_PATH}/{{job_id}}"
_ID = re.compile(r"[0-9a-f]{32}")  # a database may refuse other characters
_NO_JOB = "There is no such job."
Tenant = Annotated[str, Depends(tenant_of)]
JobId = Annotated[str, Path(description="The job's `id`.")]


def make_router(
    services: Services, store: JobStore, watch: JobWatch, cancelled: Callable[[str], None]
) -> APIRouter:
    """`cancelled` is told of each job that a client cancels."""
    router = APIRouter(tags=["Jobs"])

    async def found(tenant: str, job_id: str) -> Job:
        return await owned_job(store, tenant, job_id, _NO_JOB)

    @router.get(
        f"{_PATH}",
        summary="The status of a job",
        description="Its progress in pages, and what became of it.",
        response_model=JobSchema,
        responses={200: docs.STATUS, **responses(docs.JOB_ERRORS)},
    )
    async def status(job_id: JobId, tenant: Tenant) -> Response:
        job = await found(tenant, job_id)
        return JSONResponse(job_json(job), headers={} if job.is_final else {"Retry-After": "1"})

    @router.get(
        f"{_PATH}/result",
        summary="The text of a job, in any format",
        description="The format may be another one than was asked for when the job was submitted.",
        response_class=Response,
        responses={200: docs.RESULT, **responses(docs.RESULT_ERRORS)},
    )
    async def result(
        request: Request, job_id: JobId, query: Annotated[ResultQuery, Query()], tenant: Tenant
    ) -> Response:
        job = await found(tenant, job_id)
        context, settings = current(), services.settings
        context.deadline = Deadline.from_header(
            request.headers.get(TIMEOUT_HEADER), settings.document_timeout_seconds
        )
        return JobResult(
            settings,
            services.admission,
            services.composer,
            store,
            job,
            context,
            name=negotiate(query.format, request.headers.get("accept"), job.order.format),
            allow_partial=job.order.allow_partial if query.allow_partial is None else query.allow_partial,
        )

    @router.get(
        f"{_PATH}/events",
        summary="The progress of a job, as server-sent events",
        description="The connection stays open until the job has ended. A client that lost its connection sends "
        "the id of the last event that arrived, and goes on behind it.",
        response_class=Response,
        responses={200: docs.EVENTS, **responses(docs.EVENTS_ERRORS)},
    )
    async def progress(
        job_id: JobId,
        tenant: Tenant,
        last_event_id: Annotated[str | None, Header(description="The id of the last event that arrived.")] = None,
    ) -> Response:
        job = await found(tenant, job_id)
        return JobEvents(watch, job, last_event_id)

    @router.delete(
        f"{_PATH}",
        status_code=204,
        summary="Cancel or remove a job",
        description="A job that is queued or running is cancelled, and stays in the list. One that has ended is "
        "removed with its file and its pages.",
        response_description="The job is cancelled or removed.",
        response_class=Response,
        responses=responses(docs.JOB_ERRORS),
    )
    async def remove(job_id: JobId, tenant: Tenant) -> Response:
        done = await store.remove(tenant, job_id) if _ID.fullmatch(job_id) else None
        if done is None:
            raise NotFound(_NO_JOB)
        if done == "cancelled":
            cancelled(job_id)
        watch.wake()
        return Response(status_code=204)

    return router

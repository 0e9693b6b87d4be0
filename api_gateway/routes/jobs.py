"""POST and GET /gateway/jobs: submit documents, list jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse

from api_gateway.auth import tenant_of
from api_gateway.jobs.schemas import JobList, JobQuery, ListQuery, job_json
from api_gateway.problem import responses
from api_gateway.routes import jobs_docs as docs
from api_gateway.routes.orders import order_of
from api_gateway.routes.submitting import JOBS_PATH, SUBMITTED

if TYPE_CHECKING:
    from api_gateway.routes.submitting import Submitting
    from api_gateway.upstream.languages import InstalledLanguages

Tenant = Annotated[str, Depends(tenant_of)]


def make_router(installed: InstalledLanguages, submitting: Submitting) -> APIRouter:
    router = APIRouter(tags=["Jobs"])
    store = submitting.store

    @router.post(
        JOBS_PATH,
        status_code=202,
        summary="Submit one or several pictures or documents, to be read later",
        description="All files of a request are stored, or none. The answer comes before they are read: a "
        "webhook, `GET /gateway/jobs/{job_id}` or its events tell when they are.",
        response_class=JSONResponse,
        responses={202: SUBMITTED, **responses(docs.SUBMIT_ERRORS)},
        openapi_extra={"requestBody": docs.BODY, "parameters": docs.SUBMIT_HEADERS},
    )
    async def submit(request: Request, query: Annotated[JobQuery, Query()], tenant: Tenant) -> Response:
        order = order_of(query, query.format or "json")
        await installed.check(order.parameters)
        return await submitting.answer(
            request,
            order,
            tenant,
            ttl=query.ttl,
            webhook_url=query.webhook_url,
            input_url=query.input_url,
            result_url=query.result_url,
        )

    @router.get(
        JOBS_PATH,
        summary="List jobs, the newest first",
        description="Only the jobs of the request's API key.",
        response_description="One page of the list.",
        response_model=JobList,
        responses=responses(docs.LIST_ERRORS),
    )
    async def list_jobs(query: Annotated[ListQuery, Query()], tenant: Tenant) -> Response:
        jobs = await store.jobs(
            tenant, states=query.status, batch=query.batch, limit=query.limit + 1, after=query.after
        )
        shown = jobs[: query.limit]
        more = shown[-1].id if len(jobs) > query.limit else None
        return JSONResponse({"jobs": [job_json(job) for job in shown], "next": more})

    return router

"""Mistral's /v1/files: files that are uploaded before POST /v1/ocr reads them. Such a file is a job."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.responses import JSONResponse

from api_gateway.auth import tenant_of
from api_gateway.contracts.outside import outside_url
from api_gateway.jobs.owned import owned_job, remove_whole
from api_gateway.jobs.submission import Terms
from api_gateway.order import Order
from api_gateway.routes import contract_docs as docs
from api_gateway.uploads.multipart import Fields, Form
from service_kit.page import ANY_LANGUAGE, Parameters

if TYPE_CHECKING:
    from collections.abc import Callable

    from api_gateway.exchange import Services
    from api_gateway.jobs.job import Job
    from api_gateway.jobs.watching import JobWatch
    from api_gateway.routes.submitting import Submitting

_PATH = "/v1/files"
_FIELDS = Fields("file", None)
_TTL_SECONDS = 3600.0
_ORDER = Order(Parameters((ANY_LANGUAGE,)), "json", may_lower_dpi=True)
Tenant = Annotated[str, Depends(tenant_of)]
FileId = Annotated[str, Path(description="The file's `id`.")]


def make_router(
    services: Services, submitting: Submitting, watch: JobWatch, cancelled: Callable[[str], None]
) -> APIRouter:
    """`cancelled` is told of each job that a client cancels."""
    router = APIRouter(tags=["Mistral OCR"])
    store, settings = submitting.store, services.settings
    proxies = settings.proxy_networks
    stored = docs.errors_of_job("mistral")

    async def found(tenant: str, file_id: str) -> Job:
        return await owned_job(store, tenant, file_id, "There is no such file.")

    @router.post(
        _PATH,
        summary="Upload a file for POST /v1/ocr",
        description=f"It is read at once, and kept for {_TTL_SECONDS / 60:.0f} minutes after that.",
        responses={
            **docs.answer("application/json", "The uploaded file, with its id."),
            **docs.errors_of_call("mistral"),
        },
        openapi_extra=docs.form("file", {"purpose": "Any text, such as `ocr`; it changes nothing."}),
    )
    async def upload(request: Request, tenant: Tenant) -> Response:
        body = partial(Form, request.headers.get("content-type"), fields=_FIELDS)
        submitted = await submitting.submit(request, _ORDER, Terms(tenant, _TTL_SECONDS), 1, body)
        return JSONResponse(_file(submitted.jobs[0]))

    @router.get(
        f"{_PATH}/{{file_id}}",
        summary="What is known of a file",
        responses=stored,
        description="Its id, its size and when it was uploaded.",
        response_description="The file, without its content.",
    )
    async def file(file_id: FileId, tenant: Tenant) -> Response:
        return JSONResponse(_file(await found(tenant, file_id)))

    @router.get(
        f"{_PATH}/{{file_id}}/url",
        summary="The file's address, for POST /v1/ocr",
        responses=stored,
        description="Only this gateway reads the file at this address; it is no download.",
        response_description="The address, as `url`.",
    )
    async def url(request: Request, file_id: FileId, tenant: Tenant) -> Response:
        job = await found(tenant, file_id)
        outside = outside_url(request, settings.public_url, proxies)
        return JSONResponse({"url": f"{outside}{_PATH}/{job.id}/content"})

    @router.delete(
        f"{_PATH}/{{file_id}}",
        summary="Remove a file and its text",
        responses=stored,
        description="A file that is being read is not read to its end.",
        response_description="The file is removed.",
    )
    async def remove(file_id: FileId, tenant: Tenant) -> Response:
        await remove_whole(store, await found(tenant, file_id), cancelled)
        watch.wake()
        return JSONResponse({"id": file_id, "object": "file", "deleted": True})

    return router


def _file(job: Job) -> dict[str, Any]:
    return {
        "id": job.id,
        "object": "file",
        "bytes": job.size,
        "created_at": int(job.created),
        "filename": job.id,
        "purpose": "ocr",
        "sample_type": "ocr_request",
        "source": "upload",
        "deleted": False,
    }

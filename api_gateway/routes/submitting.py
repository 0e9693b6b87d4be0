"""The answer 202 to a request that submits jobs: POST /gateway/jobs, and POST /gateway/ocr that prefers it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi.responses import JSONResponse

from api_gateway.jobs.prefer import RESPOND_ASYNC
from api_gateway.jobs.schemas import BatchSchema, JobSchema, job_json
from api_gateway.jobs.submission import Submission, Submitted, Terms
from service_kit.context import current

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import Request, Response

    from api_gateway.exchange import Services
    from api_gateway.jobs.store import JobStore
    from api_gateway.order import Order
    from api_gateway.uploads.bodies import BodyOf

JOBS_PATH = "/gateway/jobs"
IDEMPOTENCY_HEADER = "Idempotency-Key"
REPLAYED_HEADER = "Idempotency-Replayed"

_TEXT = {"type": "string"}
SUBMITTED: dict[str, Any] = {
    "description": "The job; with several files a batch of them.",
    "headers": {
        "Location": {"description": "Where the job is, or the list of the batch's jobs.", "schema": _TEXT},
        "Operation-Location": {"description": "The same as Location.", "schema": _TEXT},
        "Retry-After": {
            "description": "Seconds until the status is worth asking for.",
            "schema": {"type": "integer", "minimum": 1},
        },
        "Preference-Applied": {"description": "`respond-async` if the client preferred it.", "schema": _TEXT},
        REPLAYED_HEADER: {
            "description": "`true` if the jobs were known by their Idempotency-Key.", "schema": _TEXT,
        },
    },
    "content": {
        "application/json": {
            "schema": {"oneOf": [JobSchema.model_json_schema(), BatchSchema.model_json_schema()]}
        }
    },
}  # fmt: skip


class Submitting:
    """What requests need to submit jobs."""

    def __init__(self, services: Services, store: JobStore, wake: Callable[[], None]) -> None:
        """`wake` is called when there are new jobs."""
        self.store = store
        self._services = services
        self._wake = wake

    async def submit(
        self,
        request: Request,
        order: Order,
        terms: Terms,
        most_files: int | None = None,
        body: BodyOf | None = None,
    ) -> Submitted:
        """Submit what the request contains, and wake the worker.

        Raises:
            what `Submission` raises.
        """
        context, services = current(), self._services
        submission = Submission(
            services.settings, services.admission, self.store, context, order, terms, most_files, body
        )
        submitted = await submission.submit(request)
        self._wake()
        jobs = submitted.jobs
        context.facts.update(jobs=len(jobs), job=jobs[0].id, replayed=submitted.is_replay)
        return submitted

    async def answer(
        self,
        request: Request,
        order: Order,
        tenant: str,
        *,
        ttl: float | None = None,
        webhook_url: str | None = None,
        input_url: str | None = None,
        result_url: str | None = None,
        most_files: int | None = None,
        is_preferred: bool = False,
    ) -> Response:
        """Submit what the request contains; `is_preferred`: its client asked for it with the header Prefer.

        Raises:
            what `Submission` raises.
        """
        terms = Terms(tenant, ttl, webhook_url, input_url, result_url, request.headers.get(IDEMPOTENCY_HEADER))
        submitted = await self.submit(request, order, terms, most_files)
        jobs, several = submitted.jobs, len(submitted.jobs) > 1
        body = {"batch": jobs[0].batch, "jobs": [*map(job_json, jobs)]} if several else job_json(jobs[0])
        location = f"{JOBS_PATH}?batch={jobs[0].batch}" if several else f"{JOBS_PATH}/{jobs[0].id}"
        headers = {"Location": location, "Operation-Location": location, "Retry-After": "1"}
        if submitted.is_replay:
            headers[REPLAYED_HEADER] = "true"
        if is_preferred:
            headers["Preference-Applied"] = RESPOND_ASYNC
        return JSONResponse(body, 202, headers)

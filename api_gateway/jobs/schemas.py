"""The requests and answers of jobs as /docs describes them, and the one constructor of a job's JSON."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from api_gateway.formats import Name
from api_gateway.jobs.job import DeliveryState, State
from api_gateway.schemas import OcrQuery

if TYPE_CHECKING:
    from api_gateway.jobs.job import Job

_ID = "0a6a1e6fd08e4d4fa1f2c3e7a7f0a9d1"
_ID_PATTERN = "^[0-9a-f]{32}$"
_TIME = "2026-11-29T00:30:07.412Z"


class JobQuery(OcrQuery):
    """Query parameters of a request that submits jobs."""

    ttl: Annotated[
        float | None,
        Field(
            description="Seconds from the end of a job until the job, its file and its pages are removed.",
            ge=1,
            examples=[3600],
        ),
    ] = None
    webhook_url: Annotated[
        str | None,
        Field(
            description="Where a signed webhook goes when a job ends; an https URL of a public host.",
            min_length=1,
            max_length=2048,
            examples=["https://hooks.example.com/ocr"],
        ),
    ] = None
    input_url: Annotated[
        str | None,
        Field(
            description="Where the document is, in place of a body; on a host that the operator has allowed.",
            min_length=1,
            max_length=8192,
            examples=["https://bucket.s3.example.com/scan.pdf?X-Amz-Signature=…"],
        ),
    ] = None
    result_url: Annotated[
        str | None,
        Field(
            description="Where the result is put when there is one; on a host that the operator has allowed.",
            min_length=1,
            max_length=8192,
            examples=["https://bucket.s3.example.com/scan.json?X-Amz-Signature=…"],
        ),
    ] = None


class ResultQuery(BaseModel):
    """Query parameters of a job's result."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Annotated[
        Name | None,
        Field(
            description="As for `POST /gateway/ocr`. Without it the Accept header decides, else the job's format."
        ),
    ] = None
    allow_partial: Annotated[
        bool | None,
        Field(description="As for `POST /gateway/ocr`; without it the job's own value."),
    ] = None


class ListQuery(BaseModel):
    """Query parameters of the list of jobs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    status: Annotated[list[State], Field(description="Only jobs with one of these statuses.", max_length=6)] = []
    batch: Annotated[
        str | None, Field(description="Only jobs of the batch with this id.", pattern=_ID_PATTERN)
    ] = None
    limit: Annotated[int, Field(description="Most jobs in one answer.", ge=1, le=100)] = 20
    after: Annotated[
        str | None, Field(description="`next` of the answer before: the jobs behind it.", pattern=_ID_PATTERN)
    ] = None


class JobSchema(BaseModel):
    """A job: a document that is read in the background."""

    __qualname__ = "Job"  # in the OpenAPI document
    model_config = ConfigDict(extra="forbid", title=__qualname__)

    id: str = Field(description="Id of the job, for its other addresses.", examples=[_ID])
    status: State = Field(
        description="`queued`, `running`; final: `complete`, `partial` (pages failed), `failed`, `cancelled`."
    )
    batch: str | None = Field(
        description="The same for all files of one request; null for a single file.", examples=[None]
    )
    pages_total: int | None = Field(
        ge=0, description="Pages to read; null until the file was opened.", examples=[12]
    )
    pages_done: int = Field(ge=0, description="Pages with an outcome, also the failed ones.")
    pages_failed: int = Field(ge=0, description="Pages that could not be read.")
    position: int | None = Field(
        ge=0, description="Queued jobs before this one; null if it is not queued, and in lists and events."
    )
    attempts: int = Field(ge=0, description="Workers that were lost in this job before a page was stored.")
    created: str = Field(description="When it was submitted: RFC 3339, UTC.", examples=[_TIME])
    started: str | None = Field(description="When a worker began it; null before.", examples=[_TIME])
    finished: str | None = Field(description="When it ended; null before the end.", examples=[_TIME])
    expires: str | None = Field(
        description="When job, file and pages are removed; null before the end.", examples=[_TIME]
    )
    webhook: DeliveryState | None = Field(description="How the webhook was delivered; null if there is none yet.")
    result_put: DeliveryState | None = Field(
        default=None, description="Only with `result_url`: how the result was put there; null if it was not yet."
    )
    code: str | None = Field(default=None, description="Only if it failed: a code of `POST /gateway/ocr`.")
    detail: str | None = Field(default=None, description="Only if it failed: the reason, for people.")


class BatchSchema(BaseModel):
    """The jobs of one request with several files, in the order of the files."""

    __qualname__ = "Batch"  # in the OpenAPI document
    model_config = ConfigDict(extra="forbid", title=__qualname__)

    batch: str = Field(description="Id of the batch, for `GET /gateway/jobs?batch=`.", examples=[_ID])
    jobs: list[JobSchema] = Field(description="One job for each file.")


class JobList(BaseModel):
    """Jobs, the newest first."""

    model_config = ConfigDict(extra="forbid")

    jobs: list[JobSchema] = Field(description="Jobs of this API key, the newest first.")
    next: str | None = Field(description="`after` of the next request; null if there are no more.")


def job_json(job: Job) -> dict[str, Any]:
    """What `JobSchema` describes."""
    found: dict[str, Any] = {
        "id": job.id,
        "status": job.state,
        "batch": job.batch,
        "pages_total": job.pages_total,
        "pages_done": job.pages_done,
        "pages_failed": job.pages_failed,
        "position": job.position,
        "attempts": job.attempts,
        "created": _time(job.created),
        "started": _time(job.started),
        "finished": _time(job.finished),
        "expires": _time(job.expires),
        "webhook": job.webhook_state,
    }
    if job.result_url is not None:
        found["result_put"] = job.result_state
    if job.code is not None:
        found |= {"code": job.code, "detail": job.detail}
    return found


def _time(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

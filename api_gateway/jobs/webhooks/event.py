"""The body of a webhook: how a job ended and where its result is. It has no text of the document."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from api_gateway.jobs.job import Job


def event_body(job: Job, public_url: str) -> bytes:
    """JSON about a job in a final state.

    Raises:
        ValueError: the job has no final state, or no time at which it ended.
    """
    if not job.is_final or job.finished is None:
        raise ValueError(f"job {job.id} is {job.state}")
    data: dict[str, Any] = {
        "id": job.id,
        "status": job.state,
        "batch": job.batch,
        "pages_total": job.pages_total,
        "pages_done": job.pages_done,
        "pages_failed": job.pages_failed,
    }
    if job.code is not None:
        data["code"] = job.code
    data["url"] = f"{public_url.rstrip('/')}/gateway/jobs/{job.id}"
    ended = dt.datetime.fromtimestamp(job.finished, dt.UTC).isoformat(timespec="milliseconds")
    event = {"type": f"ocr.job.{job.state}", "timestamp": ended.replace("+00:00", "Z"), "data": data}
    return orjson.dumps(event)

"""A job's progress as server-sent events."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
from fastapi.sse import KEEPALIVE_COMMENT, EventSourceResponse, format_sse_event

from api_gateway.jobs.schemas import job_json
from api_gateway.jobs.waking import woken
from api_gateway.jobs.watching import Listener

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import Receive, Scope, Send

    from api_gateway.jobs.job import Job
    from api_gateway.jobs.watching import JobWatch

_PING_SECONDS = 15.0
_RETRY_MILLISECONDS = 1000  # after a cut connection


class JobEvents(EventSourceResponse):
    """An event `progress` with each change, and `end` at the end. The id of an event is the number of pages done.

    The job's removal is an `end` without a status.
    """

    def __init__(self, watch: JobWatch, job: Job, last_id: str | None) -> None:
        """`last_id` is the id of the last event that the client has."""
        super().__init__(self._events(), headers={"X-Accel-Buffering": "no"})  # nginx passes events on at once
        self._watch = watch
        self._job = job
        self._listener = Listener(job)
        self._shown = _signs(job) if last_id == str(job.pages_done) else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events until the job ends, the client goes, or the process shuts down.

        Raises:
            Overloaded: there are too many listeners.
        """
        with self._watch.listen(self._listener):
            await super().__call__(scope, receive, send)

    async def _events(self) -> AsyncIterator[bytes]:
        listener = self._listener
        while (job := listener.job) is not None and not job.is_final:
            if _signs(job) != self._shown:
                self._shown = _signs(job)
                yield _event("progress", job)
            if listener.is_over:
                return
            if not await woken(listener.changed, _PING_SECONDS):
                yield KEEPALIVE_COMMENT
            listener.changed.clear()
        yield _event("end", job)


def _signs(job: Job) -> tuple[object, ...]:
    return job.state, job.pages_total, job.pages_done, job.pages_failed, job.attempts


def _event(name: str, job: Job | None) -> bytes:
    data = orjson.dumps(None if job is None else job_json(job)).decode()
    number = None if job is None else str(job.pages_done)
    return format_sse_event(event=name, data_str=data, id=number, retry=_RETRY_MILLISECONDS)

"""GET /gateway/jobs/backlog: sums for autoscalers. Like /metrics, it never requires an API key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from api_gateway.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from api_gateway.jobs.job import Backlog

BACKLOG_PATH = "/gateway/jobs/backlog"


def make_router(latest: Callable[[], Backlog | None]) -> APIRouter:
    """`latest` is what was seen last; None, the store did not answer, is 503: old figures are not for scaling."""
    router = APIRouter(tags=["Operation"])

    @router.get(
        BACKLOG_PATH,
        summary="Queued and running jobs and unread pages, of all API keys together",
        description="For autoscalers such as KEDA. No API key is needed.",
        response_description="The sums: `queued`, `running`, `unfinished` (both together) and `pages_unread`.",
        responses={503: {"description": "The database of jobs does not answer."}},
    )
    async def backlog() -> JSONResponse:
        found = latest()
        if found is None:
            return JSONResponse(
                {
                    "status": StoreUnavailable.status,
                    "code": StoreUnavailable.code,
                    "detail": StoreUnavailable.text,
                },
                StoreUnavailable.status,
                {"Retry-After": "5"},
                "application/problem+json",
            )
        return JSONResponse(
            {
                "queued": found.queued,
                "running": found.running,
                "unfinished": found.queued + found.running,  # KEDA takes one value and adds nothing up
                "pages_unread": found.pages_unread,
            }
        )

    return router

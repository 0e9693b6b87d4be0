"""GET /metrics: it never requires an API key."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from prometheus_client import REGISTRY, exposition


def make_router() -> APIRouter:
    router = APIRouter(tags=["Operation"])

    @router.get(
        "/metrics",
        summary="Counters for Prometheus",
        response_class=Response,
        description="All series exist from the start. No API key is needed.",
        response_description="Prometheus' text format.",
    )
    async def metrics(request: Request) -> Response:
        encoder, media_type = exposition.choose_encoder(request.headers.get("accept", ""))
        return Response(encoder(REGISTRY), headers={"content-type": media_type})

    return router

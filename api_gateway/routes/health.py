"""GET /health/live, /health/serving and /health/ready: these never require an API key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter

from api_gateway.problem import responses
from api_gateway.schemas import Health
from service_kit.errors import NotReady

if TYPE_CHECKING:
    from api_gateway.upstream.client import ModelServer
    from service_kit.server import Drain


def make_router(model_server: ModelServer, drain: Drain) -> APIRouter:
    router = APIRouter(tags=["Operation"])

    @router.get(
        "/health/live",
        summary="Whether the process answers",
        response_description="The process answers.",
        description="For liveness probes: a gateway that does not answer should be restarted.",
    )
    async def live() -> Health:
        return Health(status="alive")

    @router.get(
        "/health/serving",
        summary="Whether requests are accepted",
        description="For readiness probes. It does not ask the model server.",
        response_description="Requests are accepted.",
        responses=responses({503: "not_ready: shutting down"}),
    )
    async def serving() -> Health:
        if drain.started:
            raise NotReady("The gateway is shutting down.", retry_after=1)
        return Health(status="serving")

    @router.get(
        "/health/ready",
        summary="Whether pictures can be read now",
        description="It asks the model server. Use it to wait until a new installation works.",
        response_description="Pictures can be read now.",
        responses=responses({503: "not_ready: shutting down, or the model server is not ready"}),
    )
    async def ready() -> Health:
        await serving()
        if not await model_server.is_ready():
            raise NotReady("The model server is not ready.", retry_after=1)
        return Health(status="ready")

    return router

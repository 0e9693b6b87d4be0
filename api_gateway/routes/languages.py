"""GET /gateway/languages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter

from api_gateway.problem import responses
from api_gateway.schemas import Languages

if TYPE_CHECKING:
    from api_gateway.upstream.client import ModelServer


def make_router(model_server: ModelServer) -> APIRouter:
    router = APIRouter(tags=["OCR"])

    @router.get(
        "/gateway/languages",
        summary="Supported languages and formats, and their limits",
        responses=responses({401: "unauthorized", 503: "model_server_unreachable, not_ready"}),
    )
    async def languages() -> Languages:
        engine = await model_server.engine()
        return Languages(
            languages=sorted(engine["languages"]),
            formats=engine["formats"],
            max_megapixels=engine["max_megapixels"],
            max_image_mib=engine["max_image_mib"],
        )

    return router

"""GET /gateway/languages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter

from api_gateway.problem import responses
from api_gateway.schemas import Languages, NeuralOffer, TesseractSchema
from api_gateway.upstream.languages import offered

if TYPE_CHECKING:
    from api_gateway.upstream.client import ModelServer


def make_router(model_server: ModelServer) -> APIRouter:
    router = APIRouter(tags=["OCR"])

    @router.get(
        "/gateway/languages",
        summary="Engines and their languages, supported formats and limits",
        description="What this server can read, with the SHA-256 of its data: enough to know that two are alike.",
        response_description="What the model server can read.",
        responses=responses({401: "unauthorized", 503: "model_server_unreachable, not_ready"}),
    )
    async def languages() -> Languages:
        engine = await model_server.engine()
        found = offered(engine)
        return Languages(
            languages=found.languages,
            engines_of={name: found.readers(name) for name in found.languages},
            engine=found.default,
            engines=found.engines,
            tesseract=TesseractSchema(version=engine["version"], languages=engine["languages"]),
            neural=NeuralOffer(**engine["neural"]) if engine["neural"] else None,
            orientation=engine["orientation"],
            formats=engine["formats"],
            max_megapixels=engine["max_megapixels"],
            max_image_mib=engine["max_image_mib"],
        )

    return router

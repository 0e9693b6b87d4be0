"""The kserve.Model: turns a call into pages, and pages into an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import kserve

from model_server.admission import PRIORITY_HEADER, Priority, QueuedPage
from model_server.contracts import v1, v2
from model_server.contracts.fields import Offer, PageRequest
from model_server.errors import ImageTooLarge, TooManyPixels
from model_server.image_header import read_header
from service_kit.context import current
from service_kit.errors import BadRequest
from service_kit.offered import Offered

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from model_server.settings import ModelServerSettings
    from model_server.workers import Workers


class OcrModel(kserve.Model):  # type: ignore[misc]
    def __init__(self, settings: ModelServerSettings, workers: Workers) -> None:
        super().__init__(settings.model_name)
        self._settings = settings
        self._workers = workers
        self.ready = True  # KServe's own flag; `healthy` gives the actual state

    @property
    def offered(self) -> Offered:
        """Engines, and their languages that the settings allow."""
        engine = self._workers.engine
        neural = engine.get("neural")
        return Offered(
            self._allowed(engine.get("languages", ())),
            self._allowed(neural["languages"]) if neural else None,
            self._settings.engine,
        )

    def _allowed(self, installed: Collection[str]) -> list[str]:
        return [name for name in self._settings.languages or installed if name in installed]

    async def healthy(self) -> bool:
        return self._workers.ready

    async def predict(
        self,
        payload: Any,  # V1: the parsed body, or its bytes; V2: an InferRequest
        headers: Mapping[str, str] | None = None,
        response_headers: dict[str, str] | None = None,  # noqa: ARG002 - KServe's signature
    ) -> Any:
        contract = v2 if isinstance(payload, kserve.InferRequest) else v1
        priority = _priority(headers or {})
        requests = contract.decode(payload, headers or {}, Offer(self.offered, self._settings.max_instances))
        queued = [self._queued(request, priority) for request in requests]
        pages = await self._workers.read(queued, current().deadline)
        current().facts.update(
            pages=len(pages),
            words=sum(len(page["words"]) for page in pages),
            recognition_seconds=round(sum(page["duration_seconds"] for page in pages), 4),
        )
        return contract.encode(payload, self.name, pages)

    def get_input_types(self) -> list[dict[str, Any]]:
        return v2.INPUT_TYPES

    def get_output_types(self) -> list[dict[str, Any]]:
        return v2.OUTPUT_TYPES

    async def explain(self, payload: Any, headers: Mapping[str, str] | None = None) -> Any:  # noqa: ARG002
        raise BadRequest("This model does not explain.")

    def _queued(self, request: PageRequest, priority: Priority) -> QueuedPage:
        """Check the size of the image by its header, and make a page of it.

        Raises:
            ImageTooLarge, TooManyPixels, or an error of `read_header`.
        """
        settings = self._settings
        if len(request.data) > settings.max_image_bytes:
            raise ImageTooLarge(f"The image is larger than {settings.max_image_mib:g} MiB.")
        header = read_header(request.data)
        if header.pixels > settings.max_pixels:
            raise TooManyPixels(
                f"The image is {header.width} by {header.height} pixels; at most "
                f"{settings.max_megapixels:g} megapixels are read."
            )
        return QueuedPage(request.data, header, request.parameters, current().deadline, current().id, priority)


def _priority(headers: Mapping[str, str]) -> Priority:
    try:
        return Priority(headers.get(PRIORITY_HEADER, Priority.INTERACTIVE))
    except ValueError:
        raise BadRequest(f"{PRIORITY_HEADER} takes {' or '.join(Priority)}.") from None

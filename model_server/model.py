"""The kserve.Model: turns a call into pages, and pages into an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import kserve

from model_server.admission import PRIORITY_HEADER, Priority, QueuedPage
from model_server.contracts import docling, v1, v2
from model_server.contracts.fields import Offer, PageRequest
from model_server.errors import ImageTooLarge, TooManyPixels
from model_server.image_header import read_header
from service_kit.context import current
from service_kit.errors import BadRequest, NotFound
from service_kit.frames import pieces_of
from service_kit.offered import Offered

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from model_server.contracts.tensors import InferCall, OutputTensor
    from model_server.prediction import Prediction
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
        contract = _contract(payload)
        requests = contract.decode(payload, headers or {}, self._offer())
        pages = await self._read(requests, _priority(headers or {}), patient=contract is docling)
        return contract.encode(payload, self.name, pages)

    async def infer(self, call: InferCall, headers: Mapping[str, str]) -> list[OutputTensor]:
        """Read docling's tensors; the call waits for a worker until its deadline."""
        request = docling.page_request(call, self._offer())
        (page,) = await self._read([request], _priority(headers), patient=True)
        return call.chosen(docling.lines_of(page))

    def check(self, name: str, version: str) -> None:
        """Whether this is the model that a call names; without a version, it is.

        Raises:
            NotFound.
        """
        if name != self.name:
            raise NotFound("There is no such model here.")
        if version not in ("", docling.VERSION):
            raise NotFound(f"The model has one version, {docling.VERSION}.")

    async def _read(
        self, requests: Sequence[PageRequest], priority: Priority, *, patient: bool = False
    ) -> list[Prediction]:
        queued = [self._queued(request, priority, patient=patient) for request in requests]
        pages = await self._workers.read(queued, current().deadline)
        current().facts.update(
            pages=len(pages),
            words=sum(len(page["words"]) for page in pages),
            recognition_seconds=round(sum(page["duration_seconds"] for page in pages), 4),
        )
        return pages

    def _offer(self) -> Offer:
        return Offer(self.offered, self._settings.max_instances)

    def get_input_types(self) -> list[dict[str, Any]]:
        return v2.INPUT_TYPES

    def get_output_types(self) -> list[dict[str, Any]]:
        return v2.OUTPUT_TYPES

    async def explain(self, payload: Any, headers: Mapping[str, str] | None = None) -> Any:  # noqa: ARG002
        raise BadRequest("This model does not explain.")

    def _queued(self, request: PageRequest, priority: Priority, *, patient: bool) -> QueuedPage:
        """Check the size of the image by its header, and make a page of it.

        Raises:
            ImageTooLarge, TooManyPixels, or an error of `read_header`.
        """
        settings = self._settings
        if isinstance(request.data, bytes) and len(request.data) > settings.max_image_bytes:
            raise ImageTooLarge(f"The image is larger than {settings.max_image_mib:g} MiB.")
        header = read_header(bytes(pieces_of(request.data)[0]))
        if header.pixels > settings.max_pixels:
            raise TooManyPixels(
                f"The image is {header.width} by {header.height} pixels; at most "
                f"{settings.max_megapixels:g} megapixels are read."
            )
        return QueuedPage(
            request.data, header, request.parameters, current().deadline, current().id, priority, patient=patient
        )


def _contract(payload: Any) -> Any:
    if not isinstance(payload, kserve.InferRequest):
        return v1
    return docling if docling.is_docling(payload) else v2


def _priority(headers: Mapping[str, str]) -> Priority:
    try:
        return Priority(headers.get(PRIORITY_HEADER, Priority.INTERACTIVE))
    except ValueError:
        raise BadRequest(f"{PRIORITY_HEADER} takes {' or '.join(Priority)}.") from None

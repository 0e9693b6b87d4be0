"""The kserve.Model: from a call to pages to an answer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import kserve

from model_server import protocol
from model_server.admission import PRIORITY_HEADER, Job, Priority
from model_server.errors import BadRequest, ImageTooLarge, TooManyPixels
from model_server.header import read_header
from service_kit.context import current

if TYPE_CHECKING:
    from collections.abc import Mapping

    from model_server.pool import Pool
    from model_server.settings import Settings


class OcrModel(kserve.Model):  # type: ignore[misc]
    def __init__(self, settings: Settings, pool: Pool) -> None:
        super().__init__(settings.model_name)
        self._settings = settings
        self._pool = pool
        self.ready = True  # KServe's own flag; what is true is asked of `healthy`

    @property
    def languages(self) -> list[str]:
        """What may be asked for: what is installed, or the part of it that the settings allow."""
        installed = self._pool.engine.get("languages", {})
        return [name for name in self._settings.languages or installed if name in installed]

    async def healthy(self) -> bool:
        return self._pool.ready

    async def predict(
        self,
        payload: protocol.Payload,
        headers: Mapping[str, str] | None = None,
        response_headers: dict[str, str] | None = None,  # noqa: ARG002 - KServe's signature
    ) -> Any:
        decoder = protocol.Decoder(self.languages, self._settings.max_instances)
        priority = _priority(headers or {})
        jobs = [self._job(request, priority) for request in decoder.decode(payload, headers)]
        pages = await self._read_all(jobs)
        current().facts.update(
            pages=len(pages),
            words=sum(len(page["words"]) for page in pages),
            recognition_seconds=round(sum(page["duration_seconds"] for page in pages), 4),
        )
        return protocol.encode(payload, self.name, pages)

    def get_input_types(self) -> list[dict[str, Any]]:
        return protocol.INPUT_TYPES

    def get_output_types(self) -> list[dict[str, Any]]:
        return protocol.OUTPUT_TYPES

    async def explain(self, payload: Any, headers: Mapping[str, str] | None = None) -> Any:  # noqa: ARG002
        raise BadRequest("This model does not explain.")

    def _job(self, request: protocol.PageRequest, priority: Priority) -> Job:
        """What the page will cost, from its header; refused here where that is too much.

        Raises:
            ImageTooLarge, TooManyPixels, or what `read_header` finds.
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
        return Job(request.data, header, request.parameters, current().deadline, current().id, priority)

    async def _read_all(self, jobs: list[Job]) -> list[dict[str, Any]]:
        """All pages, in order; the first failure ends the others."""
        if len(jobs) == 1:
            return [await self._pool.read(jobs[0])]
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._pool.read(job)) for job in jobs]
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None
        return [task.result() for task in tasks]


def _priority(headers: Mapping[str, str]) -> Priority:
    try:
        return Priority(headers.get(PRIORITY_HEADER, Priority.INTERACTIVE))
    except ValueError:
        raise BadRequest(f"{PRIORITY_HEADER} takes {' or '.join(Priority)}.") from None

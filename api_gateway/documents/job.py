"""Documents from their files to their pages, with what all of them share: room, window, memory."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, NamedTuple

from api_gateway.documents import selection, splitter
from api_gateway.documents.composer import Composer
from api_gateway.documents.fanout import Fanout, Read, Task
from api_gateway.documents.incoming import Incoming
from api_gateway.documents.pages_held import PagesHeld
from api_gateway.documents.window import Window
from service_kit.settings import MIB

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from api_gateway.metrics import Metrics
    from api_gateway.room import Room
    from api_gateway.schemas import OcrQuery
    from api_gateway.settings import Settings
    from api_gateway.upload import Document
    from api_gateway.upstream import ModelServer
    from service_kit.context import RequestContext

_COMPOSER_MEMORY = 2  # times what the splitter may use: it is address space, of which libraries take their part


class Job(NamedTuple):
    """A document that is open. `pages` gives each page in the order asked for, as soon as it is there."""

    page_count: int
    pages: AsyncIterator[Read]


class Documents:
    def __init__(self, settings: Settings, room: Room, model_server: ModelServer, metrics: Metrics) -> None:
        self._settings = settings
        self._room = room
        self._model_server = model_server
        self._metrics = metrics
        self._window = Window()
        self.composer = Composer(settings.spool, _COMPOSER_MEMORY * settings.splitter_kill_mib * MIB)
        self._held = PagesHeld(settings.max_pages_held_mib * MIB)
        self._limits = splitter.Limits(
            seconds=settings.splitter_timeout_seconds,
            kill_bytes=settings.splitter_kill_mib * MIB,
            max_points=settings.max_page_points,
            max_pixels=int(settings.max_page_megapixels * 1_000_000),
            max_image_bytes=settings.max_upload_bytes,
            module=settings.test_splitter or splitter.MODULE,
        )

    def incoming(self) -> Incoming:
        """For an upload that may be a document."""
        return Incoming(self._room, self._settings.spool, self._limits)

    @contextlib.asynccontextmanager
    async def opened(self, document: Document, query: OcrQuery, request: RequestContext) -> AsyncIterator[Job]:
        """The document, open; in the end it is gone, and all that was going on for it.

        Raises:
            DocumentError, DeadlineExceeded.
        """
        incoming = document.incoming
        try:
            await incoming.splitter.open(document.path, document.kind, document.password, request.deadline)
            page_count = incoming.splitter.page_count
            task = Task(
                numbers=selection.choose(query.pages, page_count, self._settings.max_pages),
                dpi=query.dpi,
                embedded_text=query.text_layer == "auto",
                parameters=query.model_parameters,
                page_seconds=self._settings.request_timeout_seconds,
                request=request,
            )
            fanout = Fanout(task, incoming.splitter, self._model_server, self._window, self._held)
            try:
                with self._metrics.document():
                    yield Job(page_count, self._counted(fanout))
            finally:
                await fanout.close()
        finally:
            await incoming.close()

    async def _counted(self, fanout: Fanout) -> AsyncIterator[Read]:
        async for read in fanout.pages():
            page = read.page
            self._metrics.page(page["code"] if page["status"] == "failed" else page["source"])
            yield read

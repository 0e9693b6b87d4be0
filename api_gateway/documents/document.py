"""One document while it is read: its place in the budget, its splitter, its pages."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Self

from api_gateway.documents import splitter
from api_gateway.documents.fanout import UNSENT, Fanout, PageSources
from api_gateway.documents.selection import choose
from service_kit.errors import DeadlineExceeded
from service_kit.settings import MIB

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence
    from pathlib import Path

    from api_gateway.admission import RequestAdmission
    from api_gateway.documents.fanout import PageSink
    from api_gateway.metrics import GatewayMetrics
    from api_gateway.order import Order
    from api_gateway.settings import GatewaySettings
    from api_gateway.upstream.client import ModelServer
    from api_gateway.upstream.concurrency import Concurrency
    from service_kit.deadline import Deadline

_PREVIEW_COPIES = 3  # bytes, text and the line of the answer
_PREVIEW_BYTES = 10 * MIB  # for the largest preview and its copies; usual ones have a tenth


class Documents:
    """The objects that all documents of a gateway share."""

    def __init__(
        self,
        settings: GatewaySettings,
        admission: RequestAdmission,
        model_server: ModelServer,
        concurrency: Concurrency,
        metrics: GatewayMetrics,
        *,
        for_jobs: bool = False,
    ) -> None:
        """`for_jobs`: documents take no place of those of requests, and their pages wait behind all others."""
        self._for_jobs = for_jobs
        self._admission = admission
        self._metrics = metrics
        self.max_pages = settings.max_pages
        self.environment = settings.child_environment()
        self.limits = splitter.SplitterLimits(
            seconds=settings.splitter_timeout_seconds,
            kill_bytes=settings.splitter_kill_mib * MIB,
            max_points=settings.max_page_points,
            max_pixels=int(settings.max_page_megapixels * 1_000_000),
            max_image_bytes=settings.max_upload_bytes,
            common=admission.children,
            module=settings.test_splitter or splitter.MODULE,
        )
        self.sources = PageSources(
            model_server=model_server,
            concurrency=concurrency,
            pages=admission.pages,
            page_bytes=settings.max_upload_bytes * 4 // 3,
            page_seconds=settings.request_timeout_seconds,
            model_name=settings.model_name,
            metrics=metrics,
            later=for_jobs,
        )

    @contextlib.contextmanager
    def place(self) -> Iterator[None]:
        """A place for one document.

        Raises:
            Overloaded: none is free.
        """
        if self._for_jobs:
            yield
            return
        with self._admission.document(), self._metrics.document():
            yield


class Document:
    """`async with`: entering takes a place and starts the splitter; leaving stops all its work."""

    def __init__(self, shared: Documents, request_id: str, deadline: Deadline) -> None:
        self._shared = shared
        self._request_id = request_id
        self._deadline = deadline
        self._held = contextlib.AsyncExitStack()
        self._splitter = splitter.Splitter(shared.limits, shared.environment)
        self.page_count = 0

    async def __aenter__(self) -> Self:
        """Called while the file is still arriving.

        Raises:
            Overloaded: no place is free.
        """
        async with contextlib.AsyncExitStack() as held:
            held.enter_context(self._shared.place())
            held.push_async_callback(self._splitter.close)
            self._splitter.start()
            self._held = held.pop_all()
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self._held.aclose()

    async def open(
        self, path: Path, kind: splitter.Kind, password: str | None, pages: str | None
    ) -> Sequence[int]:
        """Open the file, of which `pages` are requested; return their numbers.

        Raises:
            DocumentError, NotReady, DeadlineExceeded.
        """
        self.page_count = await self._splitter.open(path, kind, password, self._deadline)
        return choose(pages, self.page_count, self._shared.max_pages)

    @contextlib.asynccontextmanager
    async def preview(self, number: int, width: int) -> AsyncIterator[splitter.PreviewImage]:
        """A page drawn for people; its memory is counted while the context lasts.

        Raises:
            As `Splitter.preview`.
        """
        deadline = self._deadline
        with await self._shared.sources.pages.wait(_PREVIEW_BYTES, deadline=deadline) as share:
            if not deadline.left():  # otherwise a splitter would be started and killed for each remaining page
                raise DeadlineExceeded
            drawn = await self._splitter.preview(number, deadline, width)
            share.resize(min(share.amount, _PREVIEW_COPIES * len(drawn.jpeg_b64)))
            yield drawn

    @contextlib.asynccontextmanager
    async def pages(self, order: Order, record: PageSink, *, most_unsent: int = UNSENT) -> AsyncIterator[Fanout]:
        """Reads the pages into the record while the context lasts; leaving it ends the splitter."""
        reading = Fanout(
            order,
            self._splitter,
            record,
            self._shared.sources,
            self._request_id,
            self._deadline,
            most_unsent=most_unsent,
        )
        try:
            async with reading:
                yield reading
        finally:
            await self._splitter.close()

"""One request from its body to the last byte of its answer: reserves the resources it needs, and frees them."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import pybase64
from starlette.responses import Response

from api_gateway.answer import read_page, total
from api_gateway.documents.composer import Source
from api_gateway.documents.document import Document
from api_gateway.documents.selection import choose
from api_gateway.http_answer import HttpAnswer
from api_gateway.uploads.receive import Upload, UploadLimits
from api_gateway.uploads.spool import RequestFolder
from service_kit.body import declared_bytes
from service_kit.deadline import TIMEOUT_HEADER, Deadline
from service_kit.tracing import span

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Awaitable, Callable, Iterator, Mapping

    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

    from api_gateway.admission import RequestAdmission
    from api_gateway.documents.composer import Composer
    from api_gateway.documents.document import Documents
    from api_gateway.documents.record import Record
    from api_gateway.metrics import GatewayMetrics
    from api_gateway.order import Order
    from api_gateway.settings import GatewaySettings
    from api_gateway.uploads.bodies import BodyOf
    from api_gateway.upstream.client import ModelServer
    from service_kit.budget import Share
    from service_kit.context import RequestContext


# Changes an order, except its format, by the fields of the whole body.
Refine: TypeAlias = "Callable[[Order, Mapping[str, Any]], Awaitable[Order]]"


@dataclass(frozen=True, slots=True)
class Services:
    """The objects that all requests of a gateway share."""

    settings: GatewaySettings
    admission: RequestAdmission
    model_server: ModelServer
    documents: Documents
    composer: Composer
    metrics: GatewayMetrics


@contextlib.contextmanager
def receiving(
    services: Services,
    request: Request,
    context: RequestContext,
    folder: RequestFolder,
    body: BodyOf | None = None,
) -> Iterator[tuple[Upload, Share]]:
    """The request's upload, and its share of the memory; it has its place, memory and disk while this lasts.

    `body` makes the body's parser, without it that of a form.

    Raises:
        Overloaded, and what `Upload` raises.
    """
    settings, admission = services.settings, services.admission
    declared = min(declared_bytes(request.scope) or 0, settings.max_upload_bytes)
    limits = UploadLimits(settings.max_upload_bytes, settings.max_document_bytes)
    with admission.disk.take(0) as disk, admission.request(declared, context.deadline) as memory:
        yield Upload(request, limits, memory, disk, folder, body), memory


def document_deadline(services: Services, request: Request) -> Deadline:
    return Deadline.from_header(request.headers.get(TIMEOUT_HEADER), services.settings.document_timeout_seconds)


class Exchange(Response):
    """A response that reads the request's body, works, and sends the answer.

    A failure before the first byte of the answer is answered with an error.
    """

    def __init__(
        self,
        services: Services,
        request: Request,
        order: Order,
        context: RequestContext,
        body: BodyOf | None = None,
        refine: Refine | None = None,
    ) -> None:
        """`body` makes the body's parser, without it that of a form."""
        # no call to super: there is no body yet
        self._services = services
        self._request = request
        self._order = order
        self._context = context
        self._body = body
        self._refine = refine
        self._folder = RequestFolder(services.settings.spool)
        self.background = None

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        services, name = self._services, self._order.format
        disk = services.admission.disk
        with (
            contextlib.closing(self._folder),
            HttpAnswer(name, services.composer, disk, self._folder, self._context, send) as answer,
            receiving(services, self._request, self._context, self._folder, self._body) as (upload, memory),
        ):
            with span("upload.begin"):
                kind = await upload.identify()
            if kind == "picture":
                await self._picture(upload, memory, answer)
            else:
                await self._document(upload, answer)

    async def _picture(self, upload: Upload, memory: Share, answer: HttpAnswer) -> None:
        context = self._context
        with span("upload.rest"):
            picture = await upload.picture()
        order = await self._refined(upload)
        choose(order.pages, 1, most=1)
        began = time.monotonic()
        try:
            page = await self._services.model_server.read(
                pybase64.b64encode(picture), order.parameters, context.id, context.deadline
            )
        finally:
            context.facts["upstream_seconds"] = round(time.monotonic() - began, 4)
        context.facts.update(
            pages=1, words=len(page["words"]), recognition_seconds=round(page["duration_seconds"], 4)
        )
        read = read_page(1, page, dpi=upload.dpi, attempts=1, model_name=self._services.settings.model_name)
        self._services.metrics.page_warnings(read)
        if order.format != "pdf":
            del picture
            memory.give_back()
            await answer.send_page(total([read]).answer(context.id, page["page_count"]), read)
            return
        source = Source(await upload.keep(picture), "picture")
        del picture
        memory.give_back()
        record = answer.record([1])
        await record.put(read)
        await answer.send(await answer.made(source, record, page["page_count"]))

    async def _document(self, upload: Upload, answer: HttpAnswer) -> None:
        context = self._context
        context.deadline = document_deadline(self._services, self._request)
        async with Document(self._services.documents, context.id, context.deadline) as document:
            with span("upload.rest"):
                path = await upload.document()
            assert upload.kind in ("pdf", "tiff")  # noqa: S101 - narrows the type
            order = await self._refined(upload)
            record = answer.record(await document.open(path, upload.kind, upload.password, order.pages))
            try:
                async with document.pages(order, record) as pages:
                    await self._read_all(pages, record, answer)
            finally:
                totals = record.totals
                context.facts.update(pages=totals.pages, pages_failed=len(totals.failed), words=totals.words)
            if self._order.format != "ndjson":
                answer.check(record, allow_partial=self._order.allow_partial)
                source = Source(path, upload.kind, upload.password)
                made = await answer.made(source, record, document.page_count)
        # From here on the document's place is free: a client with a complete answer may send the next document.
        if self._order.format == "ndjson":
            await answer.send_total(record, document.page_count)
        else:
            await answer.send(made, [page["page"] for page in record.failed])

    async def _refined(self, upload: Upload) -> Order:
        return self._order if self._refine is None else await self._refine(self._order, upload.fields)

    async def _read_all(self, pages: AsyncIterable[int], record: Record, answer: HttpAnswer) -> None:
        """Have all pages read; for NDJSON, send each page as soon as it is read."""
        async for number in pages:
            if self._order.format == "ndjson":
                await answer.send_line(record.line(number))

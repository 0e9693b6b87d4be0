"""One request from its body to the last byte of its answer: reserves the resources it needs, and frees them."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pybase64
from starlette.concurrency import iterate_in_threadpool
from starlette.responses import Response

from api_gateway.answer import read_page, total
from api_gateway.documents.composer import Source
from api_gateway.documents.document import Document
from api_gateway.documents.record import Record
from api_gateway.documents.selection import choose
from api_gateway.formats import FORMATS, ndjson
from api_gateway.uploads.receive import Upload, UploadLimits
from api_gateway.uploads.spool import RequestFolder
from service_kit.body import declared_bytes
from service_kit.deadline import TIMEOUT_HEADER, Deadline

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Sequence

    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

    from api_gateway.admission import RequestAdmission
    from api_gateway.answer import Answer, AnswerPage
    from api_gateway.documents.composer import Composer
    from api_gateway.documents.document import Documents
    from api_gateway.metrics import GatewayMetrics
    from api_gateway.order import Order
    from api_gateway.settings import GatewaySettings
    from api_gateway.upstream.client import ModelServer
    from service_kit.budget import Share
    from service_kit.context import RequestContext

FAILED_HEADER = "x-failed-pages"


@dataclass(frozen=True, slots=True)
class Services:
    """The objects that all requests of a gateway share."""

    settings: GatewaySettings
    admission: RequestAdmission
    model_server: ModelServer
    documents: Documents
    composer: Composer
    metrics: GatewayMetrics


class Exchange(Response):
    """A response that reads the request's body, works, and sends the answer.

    A failure before the first byte of the answer is answered with an error.
    """

    def __init__(self, services: Services, request: Request, order: Order, context: RequestContext) -> None:
        # no call to super: there is no body yet
        self._services = services
        self._settings = services.settings
        self._request = request
        self._order = order
        self._context = context
        self._folder = RequestFolder(services.settings.spool)
        self._until_sent = contextlib.ExitStack()
        self.background = None

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        settings, admission = self._settings, self._services.admission
        declared = min(declared_bytes(self._request.scope) or 0, settings.max_upload_bytes)
        limits = UploadLimits(settings.max_upload_bytes, settings.max_document_bytes)
        with (
            contextlib.closing(self._folder),
            self._until_sent,
            admission.disk.take(0) as disk,
            admission.request(declared, self._context.deadline) as memory,
        ):
            upload = Upload(self._request, limits, memory, disk, self._folder)
            if await upload.identify() == "picture":
                await self._picture(upload, memory, send)
            else:
                await self._document(upload, send)

    async def _picture(self, upload: Upload, memory: Share, send: Send) -> None:
        context, order = self._context, self._order
        picture = await upload.picture()
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
        read = read_page(1, page, dpi=upload.dpi, attempts=1, model_name=self._settings.model_name)
        self._services.metrics.page_warnings(read)
        if order.format != "pdf":
            del picture
            memory.give_back()
            answer = total([read]).answer(context.id, page["page_count"])
            await self._send_page(answer, read, send)
            return
        source = Source(await upload.keep(picture), "picture")
        del picture
        memory.give_back()
        record = self._record([1])
        await record.put(read)
        await self._send_pieces(await self._composed(source, record, page["page_count"]), (), send)

    async def _document(self, upload: Upload, send: Send) -> None:
        context, settings = self._context, self._settings
        context.deadline = Deadline.from_header(
            self._request.headers.get(TIMEOUT_HEADER), settings.document_timeout_seconds
        )
        async with Document(self._services.documents, self._order, context.id, context.deadline) as document:
            path = await upload.document()
            assert upload.kind in ("pdf", "tiff")  # noqa: S101 - narrows the type
            record = self._record(await document.open(path, upload.kind, upload.password))
            try:
                async with document.pages(record) as pages:
                    await self._read_all(pages, record, send)
            finally:
                totals = record.totals
                context.facts.update(pages=totals.pages, pages_failed=len(totals.failed), words=totals.words)
            source = Source(path, upload.kind, upload.password)
            rest = await self._rest(source, record, document.page_count)
        # From here on the document's place is free: a client with a complete answer may send the next document.
        if self._order.format == "ndjson":
            await self._pieces(rest, send)
        else:
            await self._send_pieces(rest, [page["page"] for page in record.failed], send)

    async def _read_all(self, pages: AsyncIterable[int], record: Record, send: Send) -> None:
        """Have all pages read; for NDJSON, send each page as soon as it is read."""
        started = False
        async for number in pages:
            if self._order.format != "ndjson":
                continue
            if not started:
                await self._start(send)
                started = True
            await _piece(send, record.line(number))
        if self._order.format != "ndjson":
            record.check(allow_partial=self._order.allow_partial or self._order.format == "json")

    async def _rest(self, source: Source, record: Record, page_count: int) -> AsyncIterator[bytes]:
        """The part of the answer that is sent when all pages are read."""
        answer = record.totals.answer(self._context.id, page_count)
        if self._order.format == "ndjson":
            return iterate_in_threadpool([ndjson.line(answer)])
        render = FORMATS[self._order.format].render
        if render is None:
            return await self._composed(source, record, page_count)
        return iterate_in_threadpool(render(answer, record))

    def _record(self, numbers: Sequence[int]) -> Record:
        disk = self._services.admission.disk
        return self._until_sent.enter_context(Record(self._folder.path / "pages", disk, numbers))

    async def _composed(self, source: Source, record: Record, page_count: int) -> AsyncIterator[bytes]:
        composed = await self._services.composer.compose(
            source, record, self._folder.path, page_count, self._context.deadline
        )
        return iterate_in_threadpool(self._until_sent.enter_context(composed).pieces())

    async def _send_page(self, answer: Answer, page: AnswerPage, send: Send) -> None:
        """The usual answer: one page, with a Content-Length."""
        form = FORMATS[self._order.format]
        assert form.render is not None  # noqa: S101 - narrows the type
        rendered = form.render(answer, [page])
        body = b"".join(rendered) if form.light else await asyncio.to_thread(b"".join, rendered)
        await self._start(send, {"content-length": str(len(body))})
        await _piece(send, body, last=True)

    async def _send_pieces(self, pieces: AsyncIterator[bytes], failed: Sequence[int], send: Send) -> None:
        await self._start(send, {FAILED_HEADER: ",".join(map(str, failed))} if failed else {})
        await self._pieces(pieces, send)

    async def _pieces(self, pieces: AsyncIterator[bytes], send: Send) -> None:
        async for piece in pieces:
            await _piece(send, piece)
        await _piece(send, b"", last=True)

    async def _start(self, send: Send, headers: dict[str, str] | None = None) -> None:
        form = FORMATS[self._order.format]
        charset = "; charset=utf-8" if form.media_type.startswith("text/") else ""
        sent = {
            "content-type": form.media_type + charset,
            "content-disposition": form.content_disposition,
            **(headers or {}),
        }
        raw = [(name.encode(), value.encode()) for name, value in sent.items()]
        await send({"type": "http.response.start", "status": 200, "headers": raw})


async def _piece(send: Send, body: bytes, *, last: bool = False) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": not last})

"""One request for previews, from its body to the last line: each page is sent as soon as it is drawn."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import orjson
from starlette.responses import Response

from api_gateway.documents.document import Document
from api_gateway.exchange import document_deadline, receiving
from api_gateway.http_answer import TOTAL_HEADER
from api_gateway.uploads.spool import RequestFolder
from service_kit.errors import ServiceError

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

    from api_gateway.exchange import Services
    from api_gateway.uploads.receive import Upload
    from service_kit.budget import Share
    from service_kit.context import RequestContext

MEDIA_TYPE = "application/x-ndjson"


class PreviewAnswer(Response):
    """A response like `Exchange`, which has pages drawn instead of read.

    The next page is drawn when the line of the one before has been written to the connection.
    """

    def __init__(
        self, services: Services, request: Request, context: RequestContext, *, pages: str | None, width: int
    ) -> None:
        # no call to super: there is no body yet
        self._services = services
        self._request = request
        self._context = context
        self._pages = pages
        self._width = width
        self._folder = RequestFolder(services.settings.spool)
        self._started = False
        self._head = {"content-type": MEDIA_TYPE}
        self._drawn = self._failed = 0
        self.background = None

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        services, context = self._services, self._context
        with (
            contextlib.closing(self._folder),
            services.admission.preview(),
            receiving(services, self._request, context, self._folder) as (upload, memory),
        ):
            kind = await upload.identify()
            if kind != "picture":
                context.deadline = document_deadline(services, self._request)
            async with Document(services.documents, context.id, context.deadline) as document:
                path = await _stored(upload, memory)
                numbers = await document.open(path, kind, upload.password, self._pages)
                self._head[TOTAL_HEADER] = str(len(numbers))
                try:
                    for number in numbers:
                        await self._send_page(document, number, send, may_fail=kind != "picture")
                finally:
                    context.facts.update(pages=self._drawn + self._failed, pages_failed=self._failed)
        total = {
            "request_id": context.id,
            "status": "partial" if self._failed else "complete",
            "page_count": document.page_count,
            "pages_ok": self._drawn,
            "pages_failed": self._failed,
        }
        await self._send_line(total, send, last=True)

    async def _send_page(self, document: Document, number: int, send: Send, *, may_fail: bool) -> None:
        """Draw the page and send its line. If it may not fail, the request fails with it."""
        line: dict[str, Any]
        async with contextlib.AsyncExitStack() as held:
            try:
                drawn = await held.enter_async_context(document.preview(number, self._width))
            except ServiceError as failure:
                if not may_fail:
                    raise
                line = {"page": number, "status": "failed", "code": failure.code, "detail": str(failure)}
                self._failed += 1
            else:
                line = {"page": number, "status": "ok", "width": drawn.width, "height": drawn.height}
                line["image"] = drawn.jpeg_b64.decode()
                self._drawn += 1
            await self._send_line(line, send)

    async def _send_line(self, value: dict[str, Any], send: Send, *, last: bool = False) -> None:
        if not self._started:
            self._started = True
            headers = [(name.encode(), text.encode()) for name, text in self._head.items()]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
        body = orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)
        await send({"type": "http.response.body", "body": body, "more_body": not last})


async def _stored(upload: Upload, memory: Share) -> Path:
    """The whole upload on disk."""
    if upload.kind != "picture":
        return await upload.document()
    path = await upload.keep(await upload.picture())
    memory.give_back()
    return path

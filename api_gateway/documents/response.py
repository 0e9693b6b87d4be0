"""A document's answer: streamed a line a page, or made of all pages when they are there."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from api_gateway.documents import composer
from api_gateway.documents.results import Results
from api_gateway.formats import FORMATS, Name, ndjson
from service_kit.errors import DeadlineExceeded

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from starlette.types import Receive, Scope, Send

    from api_gateway.documents.job import Documents, Job
    from api_gateway.schemas import OcrQuery
    from api_gateway.settings import Settings
    from api_gateway.upload import Document
    from service_kit.context import RequestContext

FAILED_HEADER = "x-failed-pages"

_LAST_WORDS_SECONDS = 10.0  # for a slow reader to take the rest, beyond the deadline


class DocumentResponse(Response):
    """Works while it is sent: what fails before the first byte is an answer of its own."""

    def __init__(  # no call to super: there is no body yet
        self,
        documents: Documents,
        document: Document,
        query: OcrQuery,
        wanted: Name,
        settings: Settings,
        request: RequestContext,
    ) -> None:
        self._documents = documents
        self._document = document
        self._query = query
        self._wanted = wanted
        self._settings = settings
        self._request = request
        self.background = None

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        with contextlib.ExitStack() as stack:
            async with self._documents.opened(self._document, self._query, self._request) as job:
                results = stack.enter_context(
                    Results(self._request.id, self._settings.model_name, job.page_count, self._settings.spool)
                )
                try:
                    if self._wanted == "ndjson":
                        await self._stream(job, results, send)
                    else:
                        await self._collect(job, results)
                finally:
                    self._request.facts.update(
                        pages=results.pages, pages_failed=len(results.failed), words=results.words
                    )
                rest = await self._rest(results)
            # From here on nothing is held but the answer: who has it all may send the next document.
            if self._wanted != "ndjson":
                await self._start(send, [page["page"] for page in results.failed])
            for piece in rest:
                await self._piece(send, piece)
            await self._piece(send, b"", last=True)

    async def _stream(self, job: Job, results: Results, send: Send) -> None:
        started = False
        async for read in job.pages:
            line = results.count(read)
            if not started:
                await self._start(send, ())
                started = True
            await self._piece(send, line)

    async def _collect(self, job: Job, results: Results) -> None:
        async for read in job.pages:
            results.keep(read)
        results.check(allow_partial=self._query.allow_partial or self._wanted == "json")

    async def _rest(self, results: Results) -> Iterable[bytes]:
        """What is sent when all pages are read."""
        if self._wanted == "ndjson":
            return [ndjson.closing_line(results.closing())]
        if self._wanted == "json":
            return results.json()
        if self._wanted == "text":
            return [results.text.encode()]  # without a look at the words
        answer = await asyncio.to_thread(results.answer)
        if (render := FORMATS[self._wanted].render) is not None:
            return [await asyncio.to_thread(render, answer)]
        document = self._document
        source = composer.Source(document.path, document.kind, document.password)
        return composer.pieces(await self._documents.composer.document(source, answer, self._request.deadline))

    async def _start(self, send: Send, failed: Sequence[int]) -> None:
        wanted = FORMATS[self._wanted]
        media_type = wanted.media_type
        if media_type.startswith("text/"):
            media_type += "; charset=utf-8"
        headers = {"content-type": media_type, "content-disposition": wanted.content_disposition}
        if failed:
            headers[FAILED_HEADER] = ",".join(map(str, failed))
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        await self._sent(send, {"type": "http.response.start", "status": 200, "headers": raw})

    async def _piece(self, send: Send, body: bytes, *, last: bool = False) -> None:
        await self._sent(send, {"type": "http.response.body", "body": body, "more_body": not last})

    async def _sent(self, send: Send, message: Any) -> None:
        """Nobody keeps a document's place for ever by not reading its answer."""
        try:
            async with asyncio.timeout(self._request.deadline.left() + _LAST_WORDS_SECONDS):
                await send(message)
        except TimeoutError:
            raise DeadlineExceeded from None

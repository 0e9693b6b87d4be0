"""An answer in one format, from a record of pages to its last byte: for a request, and for a job's result."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Self

from starlette.concurrency import iterate_in_threadpool

from api_gateway.documents.record import Record
from api_gateway.formats import ALL_FORMATS, ndjson
from service_kit.tracing import span

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from starlette.types import Send

    from api_gateway.answer import Answer, AnswerPage
    from api_gateway.documents.composer import Composer, Source
    from api_gateway.formats import AnyFormat
    from api_gateway.uploads.spool import RequestFolder
    from service_kit.budget import Budget
    from service_kit.context import RequestContext

FAILED_HEADER = "x-failed-pages"
TOTAL_HEADER = "x-pages-total"


class HttpAnswer:
    """A context manager: its record and its PDF last until it is left."""

    def __init__(
        self,
        name: AnyFormat,
        composer: Composer,
        disk: Budget,
        folder: RequestFolder,
        context: RequestContext,
        send: Send,
    ) -> None:
        """`folder` is for the record and the PDF; its owner removes it. `name` is that of the format."""
        self._name = name
        self._form = ALL_FORMATS[name]
        self._composer = composer
        self._disk = disk
        self._folder = folder
        self._context = context
        self._send = send
        self._until_sent = contextlib.ExitStack()
        self._started = False
        self._total: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._until_sent.close()

    def record(self, numbers: Sequence[int]) -> Record:
        self._total = {TOTAL_HEADER: str(len(numbers))}
        return self._until_sent.enter_context(Record(self._folder.path / "pages", self._disk, numbers))

    def check(self, record: Record, *, allow_partial: bool) -> None:
        """Refuse a record with failed pages if the format has no place for their errors.

        Raises:
            PagesFailed, PagesNotRead.
        """
        if self._name != "ndjson":
            record.check(allow_partial=allow_partial or self._name == "json")

    async def made(self, source: Source, record: Record, page_count: int) -> AsyncIterator[bytes]:
        """The answer, ready to be sent.

        Raises:
            DamagedDocument, WrongPassword, NoSpace, ComposerFailed, DeadlineExceeded.
        """
        if self._form.render is not None:
            answer = record.totals.answer(self._context.id, page_count)
            return iterate_in_threadpool(self._form.render(answer, record))
        with span("compose", pages=page_count):
            composed = await self._composer.compose(
                source, record, self._folder.path, page_count, self._context.deadline
            )
        return iterate_in_threadpool(self._until_sent.enter_context(composed).pieces())

    async def send_page(self, answer: Answer, page: AnswerPage) -> None:
        """The usual answer: one page, with a Content-Length; in any format but PDF."""
        assert self._form.render is not None  # noqa: S101 - narrows the type
        with span("render", format=self._name):
            rendered = self._form.render(answer, [page])
            body = b"".join(rendered) if self._form.light else await asyncio.to_thread(b"".join, rendered)
        await self._start({"content-length": str(len(body))})
        await self._piece(body, last=True)

    async def send(self, pieces: AsyncIterator[bytes], failed: Sequence[int] = ()) -> None:
        """The whole answer; a header names the failed pages, unless the format is NDJSON."""
        named = failed and self._name != "ndjson"
        await self._start({FAILED_HEADER: ",".join(map(str, failed))} if named else {})
        async for piece in pieces:
            await self._piece(piece)
        await self._piece(b"", last=True)

    async def send_line(self, line: bytes) -> None:
        """A page of NDJSON, as soon as it is read."""
        if not self._started:
            await self._start(self._total)
        await self._piece(line)

    async def send_total(self, record: Record, page_count: int) -> None:
        """The last line of NDJSON."""
        await self._piece(ndjson.line(record.totals.answer(self._context.id, page_count)))
        await self.end()

    async def end(self) -> None:
        """End an NDJSON answer."""
        if not self._started:
            await self._start(self._total)
        await self._piece(b"", last=True)

    async def _start(self, headers: dict[str, str]) -> None:
        self._started = True
        charset = "; charset=utf-8" if self._form.media_type.startswith("text/") else ""
        sent = {
            "content-type": self._form.media_type + charset,
            "content-disposition": self._form.content_disposition,
            **headers,
        }
        raw = [(name.encode(), value.encode()) for name, value in sent.items()]
        await self._send({"type": "http.response.start", "status": 200, "headers": raw})

    async def _piece(self, body: bytes, *, last: bool = False) -> None:
        await self._send({"type": "http.response.body", "body": body, "more_body": not last})

"""A picture as a document of one page, which its file is."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pybase64

from api_gateway.documents.splitter import SplitPage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from api_gateway.answer import AnswerPage
    from api_gateway.documents.fanout import PageSink
    from api_gateway.jobs.job import Job
    from api_gateway.jobs.store import JobStore
    from service_kit.deadline import Deadline

_TRIPLE = 3  # bytes that are four characters of base64


class PictureSource:
    """Reads the file from the store when its page is taken out, so that its memory counts as that of a page."""

    def __init__(self, store: JobStore, job: Job) -> None:
        self._store = store
        self._job = job

    async def page(self, _number: int, _deadline: Deadline, **_of_a_document: object) -> SplitPage:
        """Return the file in base64; the model server finds its size.

        Raises:
            StoreUnavailable.
        """
        began = time.monotonic()
        encoded = bytearray()
        rest = b""
        async for piece in self._store.file(self._job.id):
            whole = rest + piece if rest else piece
            end = len(whole) - len(whole) % _TRIPLE
            encoded += pybase64.b64encode(whole[:end])
            rest = whole[end:]
        encoded += pybase64.b64encode(rest)
        return SplitPage(None, None, None, self._job.dpi, encoded, round(time.monotonic() - began, 6))


class PictureSink:
    """Where the page goes. Its file's number of pictures is known only then, and noted before the job ends."""

    def __init__(self, sink: PageSink, count: Callable[[], Awaitable[None]]) -> None:
        self._sink = sink
        self._count = count

    @property
    def numbers(self) -> Sequence[int]:
        return self._sink.numbers

    async def begin(self, number: int) -> None:
        await self._sink.begin(number)

    async def put(self, page: AnswerPage) -> None:
        await self._count()
        await self._sink.put(page)

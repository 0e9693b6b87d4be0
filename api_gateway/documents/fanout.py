"""The pages of one document: extracted one by one, read in parallel, recorded as soon as each is ready."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self

from api_gateway.answer import failed_page, read_page
from api_gateway.documents.mixing import mix
from api_gateway.errors import BROKEN, REFUSALS, ModelServerUnreachable
from service_kit.budget import Budget, Share
from service_kit.context import page_id
from service_kit.deadline import Deadline
from service_kit.errors import DeadlineExceeded, ServiceError
from service_kit.tracing import note, span, wait

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from api_gateway.answer import AnswerPage, Source
    from api_gateway.documents.splitter import SplitPage
    from api_gateway.metrics import GatewayMetrics
    from api_gateway.order import Order
    from api_gateway.upstream.client import ModelServer
    from api_gateway.upstream.concurrency import Concurrency
    from service_kit.page import Page

log = logging.getLogger("documents")

_AHEAD = 3  # pages of a document that are being extracted or wait for a call
UNSENT = 128  # maximum pages from the first one that is not sent yet to the last one that is begun
_MOST_ATTEMPTS = 3
_PAUSES = (0.0, 0.2, 1.0)  # seconds after each: meanwhile Kubernetes removes a dying pod from the Service
_MOST_TIMEOUTS = 2  # a page that times out mostly does so again
_PATIENCE_SECONDS = 120.0  # of refusals without any page of the document being read; longer if the settings say so
_LONGEST_PAUSE = 5.0
_WORD_BYTES = 1000  # in memory, for an embedded word of a page that has a picture as well
_OF_THE_REQUEST = 400  # a status that concerns the whole request


@dataclass(frozen=True, slots=True)
class PageSources:
    """The objects that all documents of a gateway share to read their pages."""

    model_server: ModelServer
    concurrency: Concurrency
    pages: Budget  # bytes of page images and embedded words in memory
    page_bytes: int  # maximum for one page
    page_seconds: float  # time budget of each page
    model_name: str
    metrics: GatewayMetrics
    later: bool = False  # pages wait for memory and calls behind those of other documents


class PageSource(Protocol):
    """What pages are taken out of: a splitter, or a picture."""

    async def page(
        self, number: int, deadline: Deadline, /, *, dpi: float, embedded_text: bool, may_lower_dpi: bool = False
    ) -> SplitPage: ...


class PageSink(Protocol):
    """Where pages go. An error of `put`, or one of `begin` that is not a ServiceError, ends the reading of all."""

    @property
    def numbers(self) -> Sequence[int]:
        """The pages to read, in the requested order."""

    async def begin(self, number: int) -> None:
        """Called before the page gets memory, before it is taken out, and before each call for it.

        Only the first call may wait: the others would keep memory or a call from other documents.
        """

    async def put(self, page: AnswerPage) -> None:
        """Add a page; pages may come in any order. The page's memory is freed after that."""


class Fanout:
    """Reads the pages while the context lasts; iteration yields each number when its page can be sent."""

    def __init__(
        self,
        order: Order,
        source: PageSource,
        record: PageSink,
        shared: PageSources,
        request_id: str,
        deadline: Deadline,
        *,
        most_unsent: int = UNSENT,
    ) -> None:
        """`most_unsent`: pages from the first one that is not sent yet to the last one that is begun."""
        self._order = order
        self._source = source
        self._record = record
        self._shared = shared
        self._request_id = request_id
        self._deadline = deadline
        self._ahead = Budget(_AHEAD)
        self._splitting = Budget(1)
        self._unsent = Budget(most_unsent)
        self._places: dict[int, Share] = {}
        self._recorded = {number: asyncio.Event() for number in record.numbers}
        self._reading: asyncio.Task[None] | None = None
        self._refused_since: float | None = None
        self.in_line = 0  # pages that wait for memory or a call
        self.page_count = 1  # of the picture that was read last: an animation has several

    async def __aenter__(self) -> Self:
        self._reading = asyncio.create_task(self._read_all())
        return self

    async def __aexit__(self, *_exception: object) -> None:
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    async def __aiter__(self) -> AsyncIterator[int]:
        """The numbers in the requested order. A page counts as sent when the iterator is asked for the next one.

        Raises:
            ServiceError: the model server refused the request itself, or the record could not be written.
        """
        assert self._reading is not None  # noqa: S101 - narrows the type
        for number, recorded in self._recorded.items():
            waiting = asyncio.ensure_future(recorded.wait())
            await asyncio.wait({waiting, self._reading}, return_when=asyncio.FIRST_COMPLETED)
            if not waiting.done():
                waiting.cancel()
                self._reading.result()
            yield number
            self._places.pop(number).give_back()

    async def _read_all(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for number in self._record.numbers:
                    self._places[number] = await self._unsent.wait()  # the iterator frees it
                    ahead = await self._ahead.wait()  # the page frees it
                    group.create_task(self._page(number, ahead))
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None

    async def _page(self, number: int, ahead: Share) -> None:
        """Move one page from the document to the record, and free all that it used."""
        with ahead, contextlib.ExitStack() as held, span("page", page=number) as traced:
            try:
                page = await self._outcome(number, ahead, held)
            except ServiceError as failure:
                if failure.status == _OF_THE_REQUEST:
                    raise
                page = failed_page(number, failure)
            if page["status"] == "failed":
                traced.fail(page["code"])
            with span("record page"):
                await self._record.put(page)
            self._shared.metrics.document_page(page)
            self._recorded[number].set()

    async def _outcome(self, number: int, ahead: Share, held: contextlib.ExitStack) -> AnswerPage:
        with wait("wait for the splitter"):
            splitting = await self._splitting.wait(deadline=self._deadline)
        with splitting:
            await self._record.begin(number)
            share = held.enter_context(await self._turn(self._shared.pages, self._shared.page_bytes))
            if (
                not self._deadline.left()
            ):  # otherwise a splitter would be started and killed for each remaining page
                raise DeadlineExceeded
            await self._record.begin(number)
            with span("split"):
                split = await self._source.page(
                    number,
                    self._deadline,
                    dpi=self._order.dpi,
                    embedded_text=self._order.embedded_text,
                    may_lower_dpi=self._order.may_lower_dpi,
                )
        if split.page is not None:
            return read_page(
                number,
                split.page,
                dpi=split.dpi,
                attempts=0,
                model_name="",
                source="embedded",
                warnings=split.warnings,
            )
        share.resize(len(split.image_b64) + _WORD_BYTES * len(split.words))
        attempts = [0]
        try:
            page = await self._recognise(number, split, ahead, attempts)
        except ServiceError as failure:
            if failure.status == _OF_THE_REQUEST:
                raise
            return failed_page(
                number,
                failure,
                attempts=attempts[0],
                size=(split.width, split.height),
                dpi=split.dpi,
                duration_seconds=split.seconds,
            )
        source: Source = "ocr"
        self.page_count = page["page_count"]
        if split.words:
            with span("mix", words=len(split.words)):
                page, source = await asyncio.to_thread(mix, split.words, page)
        return read_page(
            number,
            page,
            dpi=split.dpi,
            attempts=attempts[0],
            model_name=self._shared.model_name,
            source=source,
            warnings=split.warnings,
        )

    async def _recognise(self, number: int, split: SplitPage, ahead: Share, attempts: list[int]) -> Page:
        """Call until the page is read or fails finally; `attempts` counts the calls that began it."""
        timeouts = 0
        while True:
            with await self._turn(self._shared.concurrency):
                ahead.give_back()
                await self._record.begin(number)
                try:
                    page = await self._call(number, split)
                except ServiceError as error:
                    failure = error
                else:
                    attempts[0] += 1
                    return page
            refused = failure.code in REFUSALS
            attempts[0] += not refused
            timeouts += failure.code == DeadlineExceeded.code
            if self._is_final(failure, attempts[0], timeouts):
                raise failure
            pause = min(failure.retry_after or 0.0, _LONGEST_PAUSE) if refused else _PAUSES[attempts[0]]
            if pause >= self._deadline.left():
                raise failure
            log.info("page put back", extra={"page": number, "code": failure.code, "attempts": attempts[0]})
            note("page put back", code=failure.code, attempts=attempts[0])
            if isinstance(failure, ModelServerUnreachable):
                server = self._shared.model_server
                await server.arrival.wait(min(max(pause, server.patience_seconds), self._deadline.left()))
            else:
                await asyncio.sleep(pause)

    async def _turn(self, budget: Budget, amount: float = 1) -> Share:
        self.in_line += 1
        try:
            with wait("wait for memory" if budget is self._shared.pages else "wait for a call"):
                return await budget.wait(amount, deadline=self._deadline, later=self._shared.later)
        finally:
            self.in_line -= 1

    async def _call(self, number: int, split: SplitPage) -> Page:
        shared = self._shared
        began = time.monotonic()
        try:
            page = await shared.model_server.read_document_page(
                split.image_b64,
                self._order.parameters,
                page_id(self._request_id, number),
                Deadline(min(shared.page_seconds, self._deadline.left())),
            )
        except ServiceError as error:
            if error.code in REFUSALS:
                shared.concurrency.refused()
                self._refused_since = self._refused_since or time.monotonic()
            raise
        self._refused_since = None
        shared.concurrency.answered(time.monotonic() - began, page["duration_seconds"])
        return page

    def _is_final(self, failure: ServiceError, attempts: int, timeouts: int) -> bool:
        if failure.code in REFUSALS:
            patience = max(_PATIENCE_SECONDS, self._shared.model_server.patience_seconds)
            return self._refused_since is not None and time.monotonic() - self._refused_since > patience
        return failure.code not in BROKEN or attempts >= _MOST_ATTEMPTS or timeouts >= _MOST_TIMEOUTS

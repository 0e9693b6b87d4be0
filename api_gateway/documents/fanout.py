"""The pages of one document: taken out one after the other, read many at once, given back in order."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from api_gateway.upstream import around
from service_kit.errors import DeadlineExceeded, ServiceError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from api_gateway.documents.pages_held import PagesHeld
    from api_gateway.documents.splitter import Split, Splitter
    from api_gateway.documents.window import Window
    from api_gateway.upstream import ModelServer
    from service_kit.context import RequestContext
    from service_kit.deadline import Deadline

log = logging.getLogger("documents")

_AHEAD = 2  # pages of a document that are drawn and have no place yet
_OUT_OF_ORDER = 128  # pages that are read, or on their way, while an earlier one is awaited
_MOST_ATTEMPTS = 3
_PAUSES = (0.0, 0.2, 1.0)  # seconds after each: a pod that is dying is taken out of the Service meanwhile
_MOST_TIMEOUTS = 2  # a page that takes all its time does so again, mostly
_PATIENCE_SECONDS = 120.0  # of being refused, with no page of the document read in between
_LONGEST_PAUSE = 5.0

# No word about the page: another server, or the same one later, may well read it.
REFUSALS = frozenset({"overloaded", "not_ready", "model_server_unreachable"})
# It was begun, and something broke that may have been none of its fault.
PASSING = frozenset({
    "model_server_failed", "worker_failed", "worker_crashed", "out_of_memory", "engine_failed",
    "deadline_exceeded",
})  # fmt: skip
# Of the request, and so of every page of it.
_OF_THE_REQUEST = 400


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be done."""

    numbers: Sequence[int]
    dpi: float
    embedded_text: bool
    parameters: Mapping[str, Any]
    page_seconds: float  # a page's own time budget
    request: RequestContext

    @property
    def deadline(self) -> Deadline:
        return self.request.deadline


@dataclass(frozen=True, slots=True)
class Read:
    """One page with its outcome; `engine` is what read it, None where nothing did."""

    page: dict[str, Any]
    engine: dict[str, Any] | None


class Fanout:
    """One document on its way. `pages` is used once; `close` ends what is still going on."""

    def __init__(
        self, task: Task, splitter: Splitter, model_server: ModelServer, window: Window, held: PagesHeld
    ) -> None:
        self._task = task
        self._splitter = splitter
        self._model_server = model_server
        self._window = window
        self._held = held
        self._ahead = asyncio.Semaphore(_AHEAD)
        self._out: asyncio.Queue[asyncio.Task[Read] | None] = asyncio.Queue(_OUT_OF_ORDER)
        self._reading: set[asyncio.Task[Read]] = set()
        self._drawing: asyncio.Task[None] | None = None
        self._refused_since: float | None = None

    async def pages(self) -> AsyncIterator[Read]:
        """Each page in its turn, as soon as it and those before it are there.

        Raises:
            ServiceError: the request itself was refused by the model server.
        """
        self._drawing = asyncio.create_task(self._draw())
        while (reading := await self._out.get()) is not None:
            yield await reading
        await self._drawing

    async def close(self) -> None:
        going = [task for task in (self._drawing, *self._reading) if task is not None]
        for task in going:
            task.cancel()
        await asyncio.gather(*going, return_exceptions=True)

    async def _draw(self) -> None:
        """Take the pages out, a few ahead of those that are read."""
        try:
            for number in self._task.numbers:
                await self._ahead.acquire()
                split = await self._take_out(number)
                reading = asyncio.create_task(self._read(number, split))
                self._reading.add(reading)
                reading.add_done_callback(partial(self._done, split))
                await self._out.put(reading)
        except asyncio.CancelledError:
            raise  # nobody listens any more
        except BaseException:
            await self._out.put(None)
            raise
        await self._out.put(None)

    def _done(self, split: Split | ServiceError, reading: asyncio.Task[Read]) -> None:
        """Also of a task that was cancelled before it began."""
        self._reading.discard(reading)
        if not isinstance(split, ServiceError):
            self._held.give_back(len(split.body))
        if not reading.cancelled():
            reading.exception()  # whoever waits for it sees it, or nobody has to

    async def _take_out(self, number: int) -> Split | ServiceError:
        task = self._task
        if not task.deadline.left():  # or a splitter would be started and killed for each page that is left
            return DeadlineExceeded()
        began = time.monotonic()
        try:
            split = await self._splitter.page(
                number,
                task.deadline,
                dpi=task.dpi,
                embedded_text=task.embedded_text,
                around=around(task.parameters),
            )
            async with asyncio.timeout(task.deadline.left()):
                await self._held.take(len(split.body))
        except ServiceError as error:
            return error
        except TimeoutError:
            return DeadlineExceeded()
        split.page["duration_seconds"] = round(time.monotonic() - began, 6)
        return split

    async def _read(self, number: int, split: Split | ServiceError) -> Read:
        """The page's outcome, whatever happens to it; its place ahead is given back on the way."""
        waiting = [self._ahead.release]
        try:
            if isinstance(split, ServiceError):
                return _failed(number, split, 0, {})
            if split.page["source"] == "embedded":
                return _ok(number, split.page, split.page, 0, None)
            return await self._recognise(number, split, waiting)
        finally:
            while waiting:
                waiting.pop()()

    async def _recognise(self, number: int, split: Split, waiting: list[Any]) -> Read:
        attempts = timeouts = 0
        deadline = self._task.deadline
        try:
            while True:
                async with asyncio.timeout(deadline.left()), self._window.place():
                    while waiting:
                        waiting.pop()()
                    try:
                        prediction = await self._call(number, split)
                        return _ok(number, split.page, prediction, attempts + 1, prediction["engine"])
                    except ServiceError as error:
                        failure = error
                refused = failure.code in REFUSALS
                attempts += not refused
                timeouts += failure.code == DeadlineExceeded.code
                if self._is_final(failure, attempts, timeouts):
                    break
                pause = min(failure.retry_after or 0.0, _LONGEST_PAUSE) if refused else _PAUSES[attempts]
                if pause >= deadline.left():
                    break
                log.info("page put back", extra={"page": number, "code": failure.code, "attempts": attempts})
                await asyncio.sleep(pause)
        except TimeoutError:
            failure = DeadlineExceeded()
        if failure.status == _OF_THE_REQUEST:
            raise failure
        return _failed(number, failure, attempts, split.page)

    async def _call(self, number: int, split: Split) -> dict[str, Any]:
        task = self._task
        began = time.monotonic()
        try:
            prediction = await self._model_server.read_page(split.body, task.request, number, task.page_seconds)
        except ServiceError as error:
            if error.code in REFUSALS:
                self._window.refused()
                self._refused_since = self._refused_since or time.monotonic()
            raise
        self._refused_since = None
        self._window.answered(time.monotonic() - began, prediction["duration_seconds"])
        return prediction

    def _is_final(self, failure: ServiceError, attempts: int, timeouts: int) -> bool:
        if failure.code in REFUSALS:
            return self._refused_since is not None and time.monotonic() - self._refused_since > _PATIENCE_SECONDS
        return failure.code not in PASSING or attempts >= _MOST_ATTEMPTS or timeouts >= _MOST_TIMEOUTS


def _ok(
    number: int, split: Mapping[str, Any], found: Mapping[str, Any], attempts: int, engine: dict[str, Any] | None
) -> Read:
    page = {
        "page": number,
        "status": "ok",
        "source": split["source"],
        "width": found["width"],
        "height": found["height"],
        "dpi": split["dpi"],
        "text": found["text"],
        "confidence": found["confidence"],
        "words": found["words"],
        "duration_seconds": found["duration_seconds"],
        "attempts": attempts,
    }
    return Read(page, engine)


def _failed(number: int, failure: ServiceError, attempts: int, known: Mapping[str, Any]) -> Read:
    page = {
        "page": number,
        "status": "failed",
        "source": "ocr",
        "width": known.get("width"),
        "height": known.get("height"),
        "dpi": known.get("dpi"),
        "text": "",
        "confidence": None,
        "words": [],
        "duration_seconds": known.get("duration_seconds", 0.0),
        "attempts": attempts,
        "code": failure.code,
        "detail": str(failure),
    }
    return Read(page, None)

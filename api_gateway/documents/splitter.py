"""The parent's side of the splitter: it holds the clock, watches the memory, and may kill.

A child that dies on a page is started again, once for that page: somebody else may have killed it. Where it takes
too long or too much memory, the page is given up at once. After a few such pages the rest of the document is, too.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from api_gateway import errors
from service_kit.child import Child, ChildDied
from service_kit.errors import DeadlineExceeded

if TYPE_CHECKING:
    from pathlib import Path

    from service_kit.deadline import Deadline

log = logging.getLogger("splitter")

MODULE = "api_gateway.documents.splitter_child"
_LOOK_SECONDS = 0.05  # between looks at the child's memory
_MOST_DEATHS = 3
_LAST_WALL = 8  # times the memory at which the parent kills: the child's address space


@dataclass(frozen=True, slots=True)
class Limits:
    """`seconds` for opening and for each page; `max_image_bytes` of a page's picture, before base64."""

    seconds: float
    kill_bytes: int
    max_points: float
    max_pixels: int
    max_image_bytes: int
    module: str = MODULE

    @property
    def config(self) -> dict[str, Any]:
        return {
            "max_points": self.max_points,
            "max_pixels": self.max_pixels,
            "max_image_bytes": self.max_image_bytes,
            "max_address_space": self.kill_bytes * _LAST_WALL,
        }


class Split(NamedTuple):
    """What is known of a page (`source`, `width`, `height`, `dpi`; its text where embedded), and its picture."""

    page: dict[str, Any]
    body: bytes  # base64, with what belongs around it


class _GivenUp(Exception):
    """The child had to be killed."""


class Splitter:
    """One document, taken apart. Its owner calls `close` in the end, whatever happened."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._starting: asyncio.Task[Child] | None = None
        self._ending: asyncio.Task[None] | None = None
        self._opening: dict[str, Any] = {}
        self._deaths = 0
        self.page_count = 0

    def start(self) -> None:
        """Let the child begin to start, so that it is there when the document is."""
        if self._starting is None:
            self._starting = asyncio.create_task(self._spawn())

    async def open(
        self, path: Path, kind: Literal["pdf", "tiff"], password: str | None, deadline: Deadline
    ) -> None:
        """Sets `page_count`.

        Raises:
            DamagedDocument, PasswordRequired, WrongPassword, DeadlineExceeded.
        """
        self._opening = {"open": str(path), "kind": kind, "password": password}
        try:
            answer, _ = await self._call_again_once(self._opening, deadline)
        except (ChildDied, _GivenUp):
            raise errors.DamagedDocument from None
        self.page_count = answer["page_count"]

    async def page(
        self,
        number: int,
        deadline: Deadline,
        *,
        dpi: float,
        embedded_text: bool,
        around: tuple[str, str] = ("", ""),
    ) -> Split:
        """Page `number`, counted from 1; `around` stands before and behind its picture.

        Raises:
            DamagedPage, PageTooLarge, TooManyPixels, PageTooComplex, DeadlineExceeded.
        """
        if self._deaths >= _MOST_DEATHS:
            raise errors.DamagedPage("Not tried: too many pages of this document could not be taken out of it.")
        question = {"page": number, "dpi": dpi, "embedded_text": embedded_text, "around": around}
        try:
            answer, body = await self._call_again_once(question, deadline)
        except ChildDied:
            self._deaths += 1
            raise errors.DamagedPage("The page can't be taken out of the document: reading it fails.") from None
        except _GivenUp:
            self._deaths += 1
            raise errors.PageTooComplex from None
        return Split(answer["page"], body)

    async def close(self) -> None:
        """The child ends, also where this is cancelled; `close` again then waits for it."""
        starting, self._starting = self._starting, None
        if starting is not None:
            starting.cancel()
            self._ending = asyncio.create_task(_end(starting))
        if self._ending is not None:
            await asyncio.shield(self._ending)

    async def _spawn(self) -> Child:
        child, _ = await Child.spawn(self._limits.module, self._limits.config, {})
        return child

    async def _call_again_once(self, question: dict[str, Any], deadline: Deadline) -> tuple[dict[str, Any], bytes]:
        try:
            return await self._call(question, deadline)
        except ChildDied as died:
            log.warning("splitter died", extra={"status": died.status, "last_words": died.last_words[-1000:]})
        return await self._call(question, deadline)

    async def _call(self, question: dict[str, Any], deadline: Deadline) -> tuple[dict[str, Any], bytes]:
        """The child's answer; without one, there is no child any more.

        Raises:
            ChildDied, _GivenUp, DeadlineExceeded, and what the child refuses.
        """
        fresh = self._starting is None
        try:
            self.start()
            assert self._starting is not None  # noqa: S101 - narrows the type
            child = await asyncio.shield(self._starting)
            if fresh and "open" not in question:
                _answered(await self._watched(child, self._opening, deadline))
            return _answered(await self._watched(child, question, deadline))
        except (ChildDied, _GivenUp, DeadlineExceeded, asyncio.CancelledError):
            await self.close()
            raise

    async def _watched(
        self, child: Child, question: dict[str, Any], deadline: Deadline
    ) -> tuple[dict[str, Any], bytes]:
        began = time.monotonic()
        call = asyncio.ensure_future(child.call(question))
        try:
            while not call.done():
                await asyncio.wait({call}, timeout=_LOOK_SECONDS)
                if not call.done():
                    self._check(child, time.monotonic() - began, deadline)
            return await call
        finally:
            call.cancel()

    def _check(self, child: Child, seconds: float, deadline: Deadline) -> None:
        if not deadline.left():
            raise DeadlineExceeded
        if seconds > self._limits.seconds:
            log.warning("splitter too slow", extra={"seconds": round(seconds, 2)})
            raise _GivenUp
        if (resident := child.resident_bytes()) > self._limits.kill_bytes:
            log.warning("splitter too large", extra={"resident_bytes": resident})
            raise _GivenUp


async def _end(starting: asyncio.Task[Child]) -> None:
    with contextlib.suppress(asyncio.CancelledError, ChildDied):
        await (await starting).close()


def _answered(answer: tuple[dict[str, Any], bytes]) -> tuple[dict[str, Any], bytes]:
    error = answer[0].get("error")
    if error is None:
        return answer
    if "cause" in error:
        log.warning("document not understood", extra={"cause": error["cause"]})
    raise errors.FROM_SPLITTER.get(error["code"], errors.DamagedPage)(error["text"] or None)

"""The parent's side of the splitter, the child process that splits a document into pages.

If the child dies on a page, it is started again, once for that page: something else may have killed it. If it uses
too much time, memory or output, the page fails at once. After a few such pages, the remaining pages fail too.
A child that was killed while idle is replaced, and the page does not fail.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from api_gateway import errors
from service_kit.child import CallLimits, Child, ChildLost, CommonMemory, Reply
from service_kit.deadline import Deadline
from service_kit.errors import DeadlineExceeded, NotReady
from service_kit.frames import Header
from service_kit.page import Page
from service_kit.reading_order import PlacedWord

log = logging.getLogger("splitter")

Kind = Literal["pdf", "tiff", "picture"]

MODULE = "api_gateway.children.split_main"
_START_SECONDS = 20.0
_MOST_LOSSES = 3  # pages whose child died or was killed
_ADDRESS_SPACE = 8  # times the memory at which the child is killed
_ANSWER_BYTES = 16 << 20  # in addition to a page's picture in base64: embedded words


@dataclass(frozen=True, slots=True)
class SplitterLimits:
    """`seconds` to open the document, and for each page; `max_image_bytes` of a picture, before base64."""

    seconds: float
    kill_bytes: int
    max_points: float
    max_pixels: int
    max_image_bytes: int
    common: CommonMemory
    module: str = MODULE

    @property
    def config(self) -> Header:
        return {
            "max_points": self.max_points,
            "max_pixels": self.max_pixels,
            "max_image_bytes": self.max_image_bytes,
            "max_address_space": self.kill_bytes * _ADDRESS_SPACE,
        }

    @property
    def call(self) -> CallLimits:
        return CallLimits(
            resident_bytes=self.kill_bytes,
            answer_bytes=self.max_image_bytes * 4 // 3 + _ANSWER_BYTES,
            seconds=self.seconds,
            start_seconds=_START_SECONDS,
            common=self.common,
        )


class SplitPage(NamedTuple):
    """A page image, or the page itself if its text is embedded; `seconds` is the time that it took.

    Width and height are None if only the model server finds them.

    If more text may be on the page than is embedded, there are an image and `words`, the embedded ones.
    `warnings` as in `service_kit.page.Page`.
    """

    page: Page | None
    width: int | None
    height: int | None
    dpi: float | None
    image_b64: bytes | bytearray
    seconds: float
    warnings: tuple[str, ...] = ()
    words: Sequence[PlacedWord] = ()


class PreviewImage(NamedTuple):
    """A page as JPEG, with its size in pixels."""

    width: int
    height: int
    jpeg_b64: bytes | bytearray


class Splitter:
    """Splits one document. Its owner always calls `close` at the end."""

    def __init__(self, limits: SplitterLimits, env: Mapping[str, str]) -> None:
        self._limits = limits
        self._env = env
        self._starting: asyncio.Task[Child] | None = None
        self._ending: asyncio.Task[None] | None = None
        self._opening: Header = {}
        self._losses = 0

    def start(self) -> None:
        """Start the child early, so that it is ready when the document has arrived."""
        if self._starting is None:
            limits = self._limits
            self._starting = asyncio.create_task(Child.start(limits.module, limits.config, limits.call, self._env))

    async def open(self, path: Path, kind: Kind, password: str | None, deadline: Deadline) -> int:
        """Open the document, or a picture for its preview; return its number of pages.

        Raises:
            DamagedDocument, PasswordRequired, WrongPassword, XfaForm, NotReady, DeadlineExceeded.
        """
        self._opening = {"open": str(path), "kind": kind, "password": password}
        try:
            reply = await self._call_again_once(self._opening, deadline, ("crashed", "killed", "memory"))
        except ChildLost as lost:
            raise errors.DamagedDocument from lost
        page_count: int = reply.header["page_count"]
        return page_count

    async def page(
        self, number: int, deadline: Deadline, *, dpi: float, embedded_text: bool, may_lower_dpi: bool = False
    ) -> SplitPage:
        """Extract page `number`, counted from 1; `may_lower_dpi` for a page that has too many pixels at `dpi`.

        Raises:
            DamagedPage, PageTooLarge, TooManyPixels, PageTooComplex, NotReady, DeadlineExceeded.
        """
        began = time.monotonic()
        question = {"page": number, "dpi": dpi, "may_lower_dpi": may_lower_dpi, "embedded_text": embedded_text}
        known, image_b64 = await self._taken(question, deadline)
        seconds = round(time.monotonic() - began, 6)
        return SplitPage(
            known.get("page"),
            known["width"],
            known["height"],
            known["dpi"],
            image_b64,
            seconds,
            tuple(known.get("warnings", ())),
            [PlacedWord(text, (*box,), *more) for text, box, *more in known.get("words", ())],
        )

    async def preview(self, number: int, deadline: Deadline, width: int) -> PreviewImage:
        """Draw page `number`, at most `width` pixels wide.

        Raises:
            As `page`; for a picture also its errors that the model server has.
        """
        known, jpeg_b64 = await self._taken({"page": number, "preview": width}, deadline)
        return PreviewImage(known["width"], known["height"], jpeg_b64)

    async def close(self) -> None:
        """End the child, even if this call is cancelled; a second `close` then waits for the end."""
        starting, self._starting = self._starting, None
        if starting is not None:
            starting.cancel()
            self._ending = asyncio.create_task(_end(starting))
        if self._ending is not None:
            await asyncio.shield(self._ending)

    async def _taken(self, question: Header, deadline: Deadline) -> Reply:
        """The answer to a question for a page.

        Raises:
            As `page`.
        """
        if self._losses >= _MOST_LOSSES:
            raise errors.DamagedPage("Not tried: too many pages of this document could not be taken out of it.")
        try:
            return await self._call_again_once(question, deadline, ("crashed", "killed"))
        except ChildLost as lost:
            self._losses += 1
            if lost.cause in ("crashed", "killed"):
                text = "The page can't be taken out of the document: reading it fails."
                raise errors.DamagedPage(text) from lost
            raise errors.PageTooComplex from lost

    async def _call_again_once(self, question: Header, deadline: Deadline, again: tuple[str, ...]) -> Reply:
        try:
            return await self._call(question, deadline)
        except ChildLost as lost:
            if lost.cause not in again:
                raise
        return await self._call(question, deadline)

    async def _call(self, question: Header, deadline: Deadline) -> Reply:
        """The child's answer. If none arrives, the child is ended.

        Raises:
            ChildLost, NotReady, DeadlineExceeded, and the child's own errors.
        """
        try:
            child, fresh = await self._child(deadline)
            if fresh and question is not self._opening:
                _answered(await child.call(self._opening, deadline=deadline))
            return _answered(await child.call(question, deadline=deadline))
        except ChildLost as lost:
            log.warning(
                "splitter lost",
                extra={"cause": lost.cause, "status": lost.status, "last_words": lost.last_words[-1000:]},
            )
            await self.close()
            raise
        except (NotReady, DeadlineExceeded, asyncio.CancelledError):
            await self.close()
            raise

    async def _child(self, deadline: Deadline) -> tuple[Child, bool]:
        """The child, and whether it is new.

        Raises:
            NotReady: it can't be started.
            DeadlineExceeded.
        """
        if self._starting is not None and _is_gone(self._starting):
            await self.close()
        fresh = self._starting is None
        self.start()
        assert self._starting is not None  # noqa: S101 - narrows the type
        await asyncio.wait({self._starting}, timeout=deadline.left())
        if not self._starting.done():
            raise DeadlineExceeded
        try:
            return self._starting.result(), fresh
        except (ChildLost, DeadlineExceeded) as error:
            last_words = error.last_words[-1000:] if isinstance(error, ChildLost) else ""
            log.error("splitter not started", extra={"cause": repr(error), "last_words": last_words})  # noqa: TRY400
            raise NotReady from error


def _is_gone(starting: asyncio.Task[Child]) -> bool:
    return starting.done() and starting.exception() is None and starting.result().gone.done()


async def _end(starting: asyncio.Task[Child]) -> None:
    with contextlib.suppress(asyncio.CancelledError, ChildLost, DeadlineExceeded):
        await (await starting).close()


def _answered(reply: Reply) -> Reply:
    error = reply.header.get("error")
    if error is None:
        return reply
    if "cause" in error:
        log.warning("document not understood", extra={"cause": error["cause"]})
    raise errors.of_splitter(error["code"], error["text"] or None)

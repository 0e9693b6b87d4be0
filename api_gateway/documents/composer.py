"""Searchable PDFs, made in a process of their own: the parent holds the clock and the memory's limit."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal, NamedTuple

from api_gateway import errors
from api_gateway.documents.spool import Spool
from service_kit.child import Child, ChildDied
from service_kit.errors import DeadlineExceeded

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from api_gateway.formats.layout import Answer
    from service_kit.deadline import Deadline

log = logging.getLogger("composer")

_MODULE = "api_gateway.documents.composer_child"
_PIECE = 256 * 1024
_AT_ONCE = 2


class Source(NamedTuple):
    """The upload."""

    path: Path
    kind: Literal["pdf", "tiff", "picture"]
    password: str | None = None


class Composer:
    """For all requests of this gateway: a few PDFs are made at a time, the others wait for their turn."""

    def __init__(self, folder: Path, max_address_space: int) -> None:
        self._folder = folder
        self._max_address_space = max_address_space
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def picture(self, data: bytes, answer: Answer, deadline: Deadline) -> BinaryIO:
        """The same for a picture that is in no file."""
        with contextlib.closing(Spool(self._folder)) as spool:
            spool.add(data)
            return await self.document(Source(await spool.finish(), "picture"), answer, deadline)

    async def document(self, source: Source, answer: Answer, deadline: Deadline) -> BinaryIO:
        """The upload as a PDF with an invisible text layer: an open file that has no name any more.

        Raises:
            DamagedDocument, WrongPassword, DeadlineExceeded.
        """
        try:
            async with asyncio.timeout(deadline.left()), self._turns:
                return await _compose(source, answer, self._max_address_space)
        except TimeoutError:
            raise DeadlineExceeded from None


async def _compose(source: Source, answer: Answer, max_address_space: int) -> BinaryIO:
    wanted = [page["page"] for page in answer["pages"]]
    with tempfile.TemporaryDirectory(dir=source.path.parent, prefix="composed-") as folder:
        made = Path(folder) / "ocr.pdf"
        question = {
            "from": str(source.path),
            "kind": source.kind,
            "password": source.password,
            "to": str(made),
            "all": wanted == list(range(1, answer["page_count"] + 1)),
            "pages": answer["pages"],
        }
        try:
            async with _child(max_address_space) as child:
                said, _ = await child.call(question)
        except ChildDied as died:
            log.warning("composer died", extra={"status": died.status, "last_words": died.last_words[-1000:]})
            raise errors.DamagedDocument from None
        if error := said.get("error"):
            log.warning("no PDF made", extra=error)
            raise errors.FROM_SPLITTER[error["code"]]
        return made.open("rb")


@contextlib.asynccontextmanager
async def _child(max_address_space: int) -> AsyncIterator[Child]:
    child, _ = await Child.spawn(_MODULE, {"max_address_space": max_address_space}, {})
    try:
        yield child
    finally:
        await child.close()


def pieces(file: BinaryIO) -> Iterator[bytes]:
    """The file, piece by piece; it is closed then."""
    with file:
        while piece := file.read(_PIECE):
            yield piece

"""Receives an upload: identifies it, enforces the limits, and keeps it in memory or on disk.

A picture stays in memory, and so does a TIFF until its first directory tells whether more pages follow. A document
is written to the request's folder, and its caller can start the splitter while the file is still arriving.
"""

from __future__ import annotations

import asyncio
import mmap
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from api_gateway.errors import DocumentTooLarge, EmptyFile, FileTooLarge
from api_gateway.settings import UPLOAD_COPIES
from api_gateway.uploads import sniff, tiff_directory
from api_gateway.uploads.multipart import Form, password_of
from api_gateway.uploads.spool import IN_MEMORY, Spool

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from starlette.requests import Request

    from api_gateway.uploads.bodies import BodyOf
    from api_gateway.uploads.sniff import Kind
    from api_gateway.uploads.spool import RequestFolder
    from service_kit.budget import Share

_BESIDE = 128 * 1024  # bytes that a body's parser keeps besides the file
_SPOOLING = 2 * IN_MEMORY  # bytes of a document in memory while it is written to disk


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """Maximum bytes."""

    picture: int
    document: int


class Upload:
    """Call `identify`, then `picture` or `document`. The owner frees the shares and removes the folder."""

    def __init__(
        self,
        request: Request,
        limits: UploadLimits,
        memory: Share,
        disk: Share,
        folder: RequestFolder,
        body: BodyOf | None = None,
    ) -> None:
        """`memory` is the request's share for its declared bytes; it is resized to what is kept.

        `body` makes the parser, without it that of a form.

        Raises:
            UnsupportedMediaType, BadMultipart.
        """
        self._limits = limits
        self._memory = memory
        self._spool = Spool(folder, disk)
        self._spooling = False
        self._form = (body or partial(Form, request.headers.get("content-type")))(self._add, None)
        self._pieces: AsyncIterator[bytes] = request.stream()
        self._data = bytearray()
        self._received = 0
        self._size = 0
        self._needed = sniff.LOOKED_AT  # bytes of the file that are needed to identify it
        self.kind: Kind | None = None
        self.dpi: float | None = None  # from a TIFF of one page
        self.fields: Mapping[str, Any] = {}  # of the body, besides the file; known when the upload is complete

    @property
    def password(self) -> str | None:
        """Known when the upload is complete; an empty one is none."""
        return password_of(self.fields)

    async def identify(self) -> Kind:
        """Read until the kind of file is known; the whole file if only its end shows it.

        Raises:
            BadMultipart, NoFile, EmptyFile, FileTooLarge, Full, and what reading the body raises.
        """
        async for piece in self._pieces:
            self._feed(piece)
            if self.kind is None and (len(self._data) >= self._needed or self._size > self._limits.picture):
                self._look(whole=False)
            if self.kind is not None:
                return self.kind
        self._end()
        if self.kind is None:
            self._look(whole=True)
        assert self.kind is not None  # noqa: S101 - narrows the type
        return self.kind

    async def picture(self) -> bytes:
        """Read the rest, in memory."""
        async for piece in self._pieces:
            self._feed(piece)
        self._end()
        data, self._data = bytes(self._data), bytearray()
        return data

    async def document(self) -> Path:
        """Read the rest, to disk.

        Raises:
            DocumentTooLarge, NoSpace, and what `identify` raises.
        """
        data, self._data = self._data, bytearray()
        self._spooling = True
        self._spool.add(data)
        self._memory.resize(min(self._memory.amount, _SPOOLING))
        async for piece in self._pieces:
            self._feed(piece)
            await self._spool.settle()
        self._end()
        path = await self._spool.finish()
        self._memory.give_back()
        if self.kind == "tiff" and self._size > self._limits.picture:
            await asyncio.to_thread(_check_more_pages, path, self._limits.picture)
        return path

    async def keep(self, data: bytes) -> Path:
        """Write a picture to disk.

        Raises:
            NoSpace.
        """
        self._spool.add(data)
        return await self._spool.finish()

    def _feed(self, piece: bytes) -> None:
        self._received += len(piece)
        # The file in memory is smaller than the body if that has it as base64.
        kept = UPLOAD_COPIES * min(self._received, self._size + len(piece) + _BESIDE)
        if self._spooling:
            kept = min(kept, _SPOOLING)
        if kept > self._memory.amount:
            self._memory.resize(kept)
        self._form.feed(piece)

    def _add(self, piece: memoryview) -> None:
        self._size += len(piece)
        if self._spooling:
            if self._size > self._limits.document:
                raise DocumentTooLarge(f"The document is larger than {self._limits.document} bytes.")
            self._spool.add(piece)
        elif self.kind == "picture" and self._size > self._limits.picture:
            raise FileTooLarge(f"The picture is larger than {self._limits.picture} bytes.")
        else:
            self._data += piece

    def _look(self, *, whole: bool) -> None:
        kind = sniff.look(self._data)
        sniff.refuse_others(self._data)
        if kind == "tiff":
            found = tiff_directory.look(self._data, whole=whole)
            self._needed = found.needed
            if found.more_pages is None and self._size <= self._limits.picture:
                return
            self.dpi = found.dpi
            kind = "picture" if found.more_pages is False else "tiff"
        self.kind = kind
        if kind == "picture" and self._size > self._limits.picture:
            raise FileTooLarge(f"The picture is larger than {self._limits.picture} bytes.")

    def _end(self) -> None:
        self.fields = self._form.end()
        if not self._size:
            raise EmptyFile


def _check_more_pages(path: Path, limit: int) -> None:
    """Refuse a TIFF that is too large for a picture and has only one page.

    Raises:
        FileTooLarge.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if not tiff_directory.look(data, whole=True).more_pages:
            raise FileTooLarge(f"The picture is larger than {limit} bytes.")

"""One file of a form with several: kept in memory while it is small, else on disk, and identified at its end."""

from __future__ import annotations

import asyncio
import hashlib
import mmap
from typing import TYPE_CHECKING, Self

from api_gateway.errors import DocumentTooLarge, EmptyFile, FileTooLarge
from api_gateway.uploads import sniff, tiff_directory
from api_gateway.uploads.spool import Spool

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from api_gateway.uploads.receive import UploadLimits
    from api_gateway.uploads.sniff import Kind
    from api_gateway.uploads.spool import RequestFolder
    from service_kit.budget import Share


class IncomingFile:
    """A context manager that removes the file and frees its disk space."""

    def __init__(self, limits: UploadLimits, folder: RequestFolder, disk: Share) -> None:
        """`disk` is the file's own share, and `folder` its own folder; both end with it."""
        self._limits = limits
        self._folder = folder
        self._disk = disk
        self._spool = Spool(folder, disk)
        self._digest = hashlib.sha256()
        self._head = bytearray()
        self._data = b""
        self._path: Path | None = None
        self._kind: Kind | None = None  # by the head
        self.size = 0
        self.dpi: float | None = None  # from a TIFF of one page

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._folder.close()
        self._disk.give_back()

    @property
    def kind(self) -> Kind:
        """Known after `finish`."""
        assert self._kind is not None  # noqa: S101 - narrows the type
        return self._kind

    @property
    def digest(self) -> str:
        """SHA-256, in hex."""
        return self._digest.hexdigest()

    def add(self, piece: bytes | memoryview) -> None:
        """Add a piece, which waits in memory for `settle`.

        Raises:
            FileTooLarge, DocumentTooLarge.
        """
        self.size += len(piece)
        self._digest.update(piece)
        if self._kind is None:
            self._head += piece[: sniff.LOOKED_AT]
            if len(self._head) >= sniff.LOOKED_AT:
                self._kind = self._look()
        if self._kind == "picture" and self.size > self._limits.picture:
            raise _too_large(self._limits.picture)
        if self.size > max(self._limits.picture, self._limits.document):
            raise DocumentTooLarge(f"The document is larger than {self._limits.document} bytes.")
        self._spool.add(piece)

    async def settle(self) -> None:
        """Write to disk what is too much for memory.

        Raises:
            NoSpace.
        """
        await self._spool.settle()

    async def finish(self) -> None:
        """Identify the whole file.

        Raises:
            EmptyFile, FileTooLarge, DocumentTooLarge, NoSpace.
        """
        if not self.size:
            raise EmptyFile
        self._kind = self._kind or self._look()
        if self._spool.has_written:
            self._path = await self._spool.finish()
        else:
            self._data = self._spool.take()
        if self._kind == "tiff":
            await self._look_for_pages()
        if self._kind == "picture" and self.size > self._limits.picture:
            raise _too_large(self._limits.picture)
        if self._kind != "picture" and self.size > self._limits.document:
            raise DocumentTooLarge(f"The document is larger than {self._limits.document} bytes.")

    async def pieces(self, size: int) -> AsyncIterator[bytes]:
        """The file, in pieces of `size` bytes; the last one may be smaller."""
        if self._path is None:
            for at in range(0, len(self._data), size):
                yield self._data[at : at + size]
            return
        with self._path.open("rb") as file:
            while piece := await asyncio.to_thread(file.read, size):
                yield piece

    def _look(self) -> Kind:
        sniff.refuse_others(self._head)
        return sniff.look(self._head)

    async def _look_for_pages(self) -> None:
        """A TIFF of one page is a picture."""
        found = await asyncio.to_thread(_look, self._path, self._data)
        self.dpi = found.dpi
        if not found.more_pages:
            self._kind = "picture"


def _look(path: Path | None, data: bytes) -> tiff_directory.Look:
    if path is None:
        return tiff_directory.look(data, whole=True)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        return tiff_directory.look(mapped, whole=True)


def _too_large(limit: int) -> FileTooLarge:
    return FileTooLarge(f"The picture is larger than {limit} bytes.")

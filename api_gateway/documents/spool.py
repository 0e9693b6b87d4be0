"""A document on its way in: a little of it in memory, the rest on disk."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from api_gateway.errors import NoSpace

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger("spool")

_PREFIX = "ocr-document-"
IN_MEMORY = 1 << 20  # bytes


class Spool:
    """Takes bytes; `finish` gives the file. Its owner calls `close` in the end, which removes it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._own: Path | None = None
        self._pending = bytearray()

    def add(self, piece: bytes | bytearray | memoryview) -> None:
        self._pending += piece

    @property
    def in_memory(self) -> bytearray | None:
        """All that was added, while none of it is on disk."""
        return self._pending if self._own is None else None

    async def settle(self) -> None:
        """Bring what is too much for the memory to the disk; the event loop goes on meanwhile."""
        if len(self._pending) > IN_MEMORY:
            await self.finish()

    async def finish(self) -> Path:
        """The file, with all that was added."""
        pending, self._pending = self._pending, bytearray()
        writing = asyncio.ensure_future(asyncio.to_thread(self._write, pending))
        try:
            return await asyncio.shield(writing)
        except asyncio.CancelledError:
            await asyncio.wait({writing})  # a thread can't be called back, and `close` has to see what it made
            raise

    def close(self) -> None:
        if self._own is not None:
            shutil.rmtree(self._own, ignore_errors=True)
            self._own = None

    def _write(self, data: bytearray) -> Path:
        with disk_errors():
            return self._append(data)

    def _append(self, data: bytearray) -> Path:
        if self._own is None:
            self._own = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=self._folder))
        path = self._own / "document"
        with path.open("ab") as file:
            file.write(data)
        return path


@contextlib.contextmanager
def disk_errors() -> Iterator[None]:
    """Tell a client that the disk is full.

    Raises:
        NoSpace.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        log.error("no room for documents", extra={"cause": repr(error)})  # noqa: TRY400
        raise NoSpace(retry_after=10) from None


def sweep(folder: Path) -> None:
    """Remove what a killed process left behind: one of our number, as in containers, or one that is gone."""
    for left in folder.glob(f"{_PREFIX}*"):
        number = left.name.removeprefix(_PREFIX).partition("-")[0]
        with contextlib.suppress(OSError, ValueError):
            if int(number) == os.getpid() or not Path(f"/proc/{int(number)}").exists():
                shutil.rmtree(left, ignore_errors=True)

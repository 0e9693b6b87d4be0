"""The folder of one request on disk, and the file in it that an upload is written to."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from api_gateway.errors import disk_errors

if TYPE_CHECKING:
    from service_kit.budget import Share

_PREFIX = "ocr-document-"
IN_MEMORY = 1 << 20  # bytes


class RequestFolder:
    """Created at first use and locked while in use, so that no other process removes it."""

    def __init__(self, parent: Path) -> None:
        self._parent = parent
        self._path: Path | None = None
        self._lock = -1

    @property
    def path(self) -> Path:
        """The folder.

        Raises:
            NoSpace.
        """
        if self._path is None:
            with disk_errors():
                self._path = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=self._parent))
                self._lock = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
                fcntl.flock(self._lock, fcntl.LOCK_EX)
        return self._path

    def close(self) -> None:
        if self._path is not None:
            shutil.rmtree(self._path, ignore_errors=True)
            self._path = None
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


class Spool:
    """Collects bytes, a few of them in memory, the rest on disk. `finish` returns the file."""

    def __init__(self, folder: RequestFolder, disk: Share) -> None:
        """`disk` grows with the file."""
        self._folder = folder
        self._disk = disk
        self._pending = bytearray()
        self.has_written = False

    def add(self, piece: bytes | bytearray | memoryview) -> None:
        self._pending += piece

    async def settle(self) -> None:
        """Write the bytes above the limit for memory to disk, without blocking the event loop.

        Raises:
            NoSpace.
        """
        if len(self._pending) > IN_MEMORY:
            await self.finish()

    def take(self) -> bytes:
        """All bytes, of a file of which nothing was written."""
        pending, self._pending = bytes(self._pending), bytearray()
        return pending

    async def finish(self) -> Path:
        """Write the rest and return the file.

        Raises:
            NoSpace.
        """
        self.has_written = True
        pending, self._pending = self._pending, bytearray()
        path = self._folder.path / "document"
        with disk_errors():
            self._disk.resize(self._disk.amount + len(pending))
            writing = asyncio.ensure_future(asyncio.to_thread(_append, path, pending))
            try:
                await asyncio.shield(writing)
            except asyncio.CancelledError:
                await asyncio.wait({writing})  # a thread cannot be stopped; the folder is removed after it ends
                raise
        return path


def _append(path: Path, data: bytearray) -> None:
    with path.open("ab") as file:
        file.write(data)


def sweep(parent: Path) -> None:
    """Remove the folders that killed processes left: those that no process has locked."""
    for left in parent.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            lock = os.open(left, os.O_RDONLY | os.O_CLOEXEC)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left, ignore_errors=True)
            finally:
                os.close(lock)

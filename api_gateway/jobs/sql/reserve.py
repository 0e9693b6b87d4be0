"""Disk space that is kept for the day when the disk is full.

SQLite needs some space to remove rows: it writes the change before it can use the space of what is gone. Without a
reserve, a disk that jobs have filled stays full for ever.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

RESERVE_BYTES = 16 << 20
"""What a WAL has that could not be moved to the full database, and the removal of many jobs, with a margin."""


class Reserve:
    def __init__(self, path: Path, size: int = RESERVE_BYTES) -> None:
        self._path = path
        self._size = size
        self.is_full = False

    def fill(self) -> bool:
        """Take the space; False if the disk does not have so much."""
        if not self.is_full:
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(file, 0, self._size)
                self.is_full = True
            except OSError as error:
                os.ftruncate(file, 0)
                if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                    raise
            finally:
                os.close(file)
        return self.is_full

    def free(self) -> bool:
        """Give the space to the database; False if there was none."""
        self.is_full = False
        try:
            size = self._path.stat().st_size
            self._path.unlink()
        except FileNotFoundError:
            return False
        return size > 0

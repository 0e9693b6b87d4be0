"""Standard input as a file that can be sent twice."""

from __future__ import annotations

import functools
import shutil
import sys
import tempfile
from typing import BinaryIO, cast

_MOST_IN_MEMORY = 1 << 20


@functools.cache
def copy() -> BinaryIO:
    """All of it, on disk if it is large.

    Called before the event loop runs, in which Ctrl-C could not end a read.
    """
    spool = tempfile.SpooledTemporaryFile(_MOST_IN_MEMORY)  # noqa: SIM115 - until the command ends
    shutil.copyfileobj(sys.stdin.buffer, spool)
    spool.seek(0)
    return cast("BinaryIO", spool)

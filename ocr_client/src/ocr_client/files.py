"""A file to send: a path, bytes, or an open binary file."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import tempfile
from collections.abc import Iterator
from typing import BinaryIO, cast

FileLike = str | os.PathLike[str] | bytes | BinaryIO
_MOST_IN_MEMORY = 1 << 20


@contextlib.contextmanager
def opened(file: FileLike) -> Iterator[BinaryIO]:
    """The file, able to be sent a second time. A file that cannot go back, such as a pipe, is copied to disk.

    Raises:
        OSError: it cannot be opened or read.
    """
    if isinstance(file, bytes):
        yield io.BytesIO(file)
    elif isinstance(file, str | os.PathLike):
        with open(file, "rb") as stream:  # noqa: PTH123 - a path may be a str with bytes that are not UTF-8
            yield stream
    elif file.seekable():
        yield file
    else:
        with tempfile.SpooledTemporaryFile(max_size=_MOST_IN_MEMORY) as copy:
            shutil.copyfileobj(file, copy)
            copy.seek(0)
            yield cast("BinaryIO", copy)

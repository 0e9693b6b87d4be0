"""Outputs that are there as a whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import BinaryIO, cast

from ocr_client.command.names import printable
from ocr_client.command.stopping import Exit, Stop

_PREFIX, _SUFFIX = ".ocr-", ".part"
_OLD_SECONDS = 3600.0  # the parts of a command that was killed
_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO})
_PIECE = 1 << 16


class Unwritable(OSError):
    """One output cannot be written, which says nothing about the others."""


@contextlib.contextmanager
def errors_of(path: str) -> Iterator[None]:
    """Translate the errors of writing.

    Raises:
        Stop: no output can be written there, as on a full disk.
        Unwritable: this one cannot.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        text = f"{printable(path)} cannot be written: {error.strerror}."
        if error.errno in _DISK:
            raise Stop(Exit.NO_OUTPUT, text) from None
        raise Unwritable(error.errno, text) from None


class Part:
    """A temporary file beside an output.

    A context manager: it is gone at the end, unless `keep` made it the output.
    """

    def __init__(self, output: str) -> None:
        self._output = output
        folder = os.path.dirname(output) or "."  # noqa: PTH120 - names may have any bytes
        with errors_of(output):
            os.makedirs(folder, exist_ok=True)  # noqa: PTH103
            number, self._path = tempfile.mkstemp(_SUFFIX, _PREFIX, folder)
            self._file: BinaryIO | None = os.fdopen(number, "w+b")

    def __enter__(self) -> BinaryIO:
        assert self._file is not None  # noqa: S101 - narrows the type
        return cast("BinaryIO", Guarded(self._file, self._output))

    def __exit__(self, *_exception: object) -> None:
        self._close()
        with contextlib.suppress(OSError):
            os.unlink(self._path)  # noqa: PTH108

    def keep(self) -> None:
        """Give it the output's name, in the place of an earlier one."""
        with errors_of(self._output):
            self._close(quietly=False)
            os.chmod(self._path, 0o666 & ~_UMASK)  # noqa: PTH101 - as a file that is just opened
            os.replace(self._path, self._output)  # noqa: PTH105

    def _close(self, *, quietly: bool = True) -> None:
        file, self._file = self._file, None
        if file is not None:
            with contextlib.suppress(*([OSError] if quietly else [])):
                file.close()


class Guarded:
    """A file whose errors of writing are translated."""

    def __init__(self, file: BinaryIO, path: str) -> None:
        self._file = file
        self._path = path

    def write(self, data: bytes) -> int:
        with errors_of(self._path):
            return self._file.write(data)

    def flush(self) -> None:
        with errors_of(self._path):
            self._file.flush()

    def seek(self, to: int) -> int:
        with errors_of(self._path):
            return self._file.seek(to)

    def truncate(self) -> int:
        with errors_of(self._path):
            return self._file.truncate()

    def tell(self) -> int:
        return self._file.tell()

    def read(self, size: int = -1) -> bytes:
        return self._file.read(size)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._file)


def to_stdout(file: BinaryIO) -> None:
    """Raises Stop, or BrokenPipeError if nobody reads it any more."""
    with errors_of("standard output"):
        while piece := file.read(_PIECE):
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()


def say_to_stdout(line: str) -> None:
    """At once. Raises as `to_stdout` does."""
    with errors_of("standard output"):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


def sweep(folder: str) -> None:
    """Delete the parts that a killed command left there."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(_PREFIX) and entry.name.endswith(_SUFFIX):
                with contextlib.suppress(OSError):
                    if entry.stat().st_mtime < time.time() - _OLD_SECONDS:
                        os.unlink(entry.path)  # noqa: PTH108


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


_UMASK = _umask()

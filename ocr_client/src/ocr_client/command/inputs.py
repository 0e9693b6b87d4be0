"""Which files the arguments name, and where the output of each goes."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ocr_client.command.names import STDIN, printable
from ocr_client.command.stopping import Exit, Stop

# What is read of a folder; a file that an argument names is read whatever its name is.
READ = frozenset({
    ".png", ".jpg", ".jpeg", ".jpe", ".tif", ".tiff", ".webp", ".bmp", ".gif", ".pnm", ".pbm", ".pgm", ".ppm",
    ".heic", ".heif", ".avif", ".pdf",
})  # fmt: skip
_MADE = ".ocr.pdf"  # our own output, which must not be read again


@dataclass(frozen=True, slots=True)
class Chosen:
    """A file to read. `output` None: standard output. `path` may be `-`."""

    path: str
    output: str | None

    @property
    def shown(self) -> str:
        return "standard input" if self.path == STDIN else printable(self.path)


def is_one_file(arguments: Sequence[str]) -> bool:
    """Whether they name a single file and neither a folder nor a pattern."""
    return len(arguments) == 1 and (arguments[0] == STDIN or os.path.isfile(arguments[0]))  # noqa: PTH113 - as below


def chosen(arguments: Sequence[str], folder: str | None, suffix: str, *, to_files: bool) -> list[Chosen]:
    """Each file once, in the order of the arguments; those of a folder in the order of their names.

    With `folder`, the outputs are below it, as the files are below the folder that has all of them.

    Raises:
        Stop: an argument names nothing.
    """
    files: dict[
        str, str
    ] = {}  # by absolute path, which keeps a file that two arguments name from being read twice
    tops: list[str] = []
    for argument in arguments:
        for top, path in _named(argument):
            files.setdefault(_absolute(path), path)
            tops.append(_absolute(top))
    root = os.path.commonpath(tops) if tops else ""
    found = []
    for absolute, path in files.items():
        output: str | None = None
        if path == STDIN:
            output = None if folder is None else os.path.join(folder, f"stdin{suffix}")  # noqa: PTH118
        elif folder is not None:
            output = os.path.join(folder, os.path.relpath(absolute, root)) + suffix  # noqa: PTH118
        elif to_files:
            output = path + suffix
        found.append(Chosen(path, output))
    return found


def walk(folder: str) -> Iterator[str]:
    """The pictures and documents in a folder and below it. Hidden ones and links to folders are left out."""
    for above, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            low = name.lower()
            if not name.startswith(".") and os.path.splitext(low)[1] in READ and not low.endswith(_MADE):  # noqa: PTH122
                yield os.path.join(above, name)  # noqa: PTH118


def _named(argument: str) -> Iterator[tuple[str, str]]:
    """The folder that an output's place is relative to, and the file."""
    if argument == STDIN:
        yield ".", STDIN
    elif os.path.isdir(argument):  # noqa: PTH112 - bytes that are not UTF-8 stay as they are
        yield from ((argument, path) for path in walk(argument))
    elif os.path.exists(argument):  # noqa: PTH110
        yield os.path.dirname(argument) or ".", argument  # noqa: PTH120
    else:
        matches = sorted(glob.glob(argument, recursive=True)) if glob.has_magic(argument) else []  # noqa: PTH207
        if not matches:
            raise Stop(Exit.USAGE, f"There is no file {printable(argument)}")
        for match in matches:
            yield from _named(match)


def _absolute(path: str) -> str:
    return STDIN if path == STDIN else os.path.abspath(path)  # noqa: PTH100 - links stay as they are

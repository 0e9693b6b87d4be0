"""Names of files, which may have any bytes."""

from __future__ import annotations

import os

STDIN = "-"
_MOST = 255  # bytes of a name, on every usual file system


def printable(name: str) -> str:
    """The name on a terminal: bytes that are not UTF-8, newlines and other control characters are escaped."""
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def is_too_long(path: str) -> bool:
    return len(os.fsencode(os.path.basename(path))) > _MOST  # noqa: PTH119 - Path would drop nothing, and is slower

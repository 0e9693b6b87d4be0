"""Why the command ends, and with which exit code."""

from __future__ import annotations

import enum


class Exit(enum.IntEnum):
    ALL_READ = 0
    SOME_FAILED = 1
    USAGE = 2
    NO_SERVER = 3
    NO_ACCESS = 4
    NO_OUTPUT = 5
    INTERRUPTED = 130
    PIPE_CLOSED = 141


class Stop(Exception):
    """The command cannot go on."""

    def __init__(self, code: Exit, text: str) -> None:
        super().__init__(text)
        self.code = code

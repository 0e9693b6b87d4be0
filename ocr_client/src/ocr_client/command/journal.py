"""Which outputs are complete, and of what: a hidden file in each folder of outputs.

An output counts as made if the journal has it with the same options, the same size, and a file to read of the same
size and time. It is written after the output: a command that is killed in between reads one file again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from typing import Any

from ocr_client.command.outputs import errors_of, sweep
from ocr_client.options import Format, ReadOptions, query_of

NAME = ".ocr-done.jsonl"


def digest_of(form: Format, options: ReadOptions) -> str:
    """Of all that the output depends on, but for the password."""
    return hashlib.sha256(json.dumps({**query_of(options), "format": form}, sort_keys=True).encode()).hexdigest()[
        :16
    ]


class Journals:
    """Those of all folders of a run."""

    def __init__(self, digest: str) -> None:
        self._digest = digest
        self._folders: dict[str, dict[str, Any]] = {}

    def has(self, path: str, output: str) -> bool:
        """Whether the output of this file is there, complete and with these options."""
        folder, name = os.path.split(output)
        found = self._of(folder).get(name)
        if not isinstance(found, Mapping) or found.get("options") != self._digest:
            return False
        with contextlib.suppress(OSError):
            return found.get("size") == os.stat(output).st_size and found.get("of") == state_of(path)  # noqa: PTH116
        return False

    def add(self, path_state: list[int], output: str) -> None:
        """An output that is complete. `path_state` is `state_of` the file as it was before it was read."""
        folder, name = os.path.split(output)
        entry = {"options": self._digest, "size": os.stat(output).st_size, "of": path_state}  # noqa: PTH116
        self._of(folder)[name] = entry
        line = json.dumps({"output": name, **entry}).encode() + b"\n"
        with errors_of(output), open(os.path.join(folder, NAME), "ab", buffering=0) as file:  # noqa: PTH118, PTH123
            file.write(line)  # in one piece, so that two commands may write there

    def _of(self, folder: str) -> dict[str, Any]:
        if folder not in self._folders:
            sweep(folder or ".")
            self._folders[folder] = _load(os.path.join(folder, NAME))  # noqa: PTH118
        return self._folders[folder]


def state_of(path: str) -> list[int]:
    """Size and time of change. Raises OSError."""
    found = os.stat(path)  # noqa: PTH116
    return [found.st_size, found.st_mtime_ns]


def _load(path: str) -> dict[str, Any]:
    """The last line of each output counts; a line that was cut off does not."""
    found: dict[str, Any] = {}
    with contextlib.suppress(OSError), open(path, "rb") as file:  # noqa: PTH123
        for line in file:
            with contextlib.suppress(ValueError, KeyError, TypeError):
                entry = json.loads(line)
                found[entry.pop("output")] = entry
    return found

"""Files that appear in a folder, as soon as they are completely written."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable

from ocr_client.command.inputs import Chosen, walk
from ocr_client.command.names import printable
from ocr_client.command.stopping import Exit, Stop

_State = tuple[int, int]


class Watch:
    """An asynchronous iterator of the files of a folder.

    A file is complete when its size and its time of change have stayed the same for `settle` seconds. One that
    changes later comes again. What is remembered is bounded by the files that are in the folder.
    """

    def __init__(self, folder: str, output: str | None, suffix: str, *, interval: float, settle: float) -> None:
        self._folder = folder
        self._output = output
        self._suffix = suffix
        self._interval = interval
        self._settle = settle
        self._seen: dict[str, tuple[_State, float]] = {}  # since when each file is as it is
        self._given: dict[str, _State] = {}

    async def files(self, is_idle: Callable[[], bool] = lambda: False) -> AsyncIterator[Chosen]:
        """Raises Stop: the folder is gone."""
        while True:
            for path in self._complete():
                yield Chosen(path, self._target(path))
            if is_idle():
                return
            await asyncio.sleep(self._interval)

    def _target(self, path: str) -> str:
        if self._output is None:
            return path + self._suffix
        return os.path.join(self._output, os.path.relpath(path, self._folder)) + self._suffix  # noqa: PTH118

    def _complete(self) -> list[str]:
        if not os.path.isdir(self._folder):  # noqa: PTH112 - names may have any bytes
            raise Stop(Exit.USAGE, f"There is no folder {printable(self._folder)}")
        now = time.monotonic()
        seen: dict[str, tuple[_State, float]] = {}
        for path in walk(self._folder):
            try:
                found = os.stat(path)  # noqa: PTH116
            except OSError:
                continue  # it was moved meanwhile
            state = (found.st_size, found.st_mtime_ns)
            before, since = self._seen.get(path, (None, now))
            seen[path] = (state, since if state == before else now)
        self._seen = seen
        self._given = {path: state for path, state in self._given.items() if path in seen}
        ready = [
            path
            for path, (state, since) in seen.items()
            if now - since >= self._settle and state[0] and self._given.get(path) != state
        ]
        self._given.update({path: seen[path][0] for path in ready})
        return ready

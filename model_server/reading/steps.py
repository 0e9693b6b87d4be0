"""When a worker did what with a page, for its trace: the parent process makes spans of it."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


Step = tuple[str, float, float]
"""Name, begin and end; times are of the monotonic clock, which the processes of a machine share."""


class Steps:
    """Those of one page; a worker reads one at a time."""

    def __init__(self) -> None:
        self._taken: list[Step] = []

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            self._taken.append((name, began, time.monotonic()))

    def take(self) -> list[Step]:
        """Those since the last call."""
        taken, self._taken = self._taken, []
        return taken

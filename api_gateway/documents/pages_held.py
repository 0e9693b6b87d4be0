"""The memory that pages take which are drawn and not yet read."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque


class PagesHeld:
    """Bytes of all documents together. A page larger than all that is allowed goes alone."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._held = 0
        self._queue: deque[tuple[int, asyncio.Future[None]]] = deque()

    async def take(self, size: int) -> None:
        """Wait until there is room for so many bytes."""
        if not self._queue and self._fits(size):
            self._held += size
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append((size, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give_back(size)
            else:
                with contextlib.suppress(ValueError):
                    self._queue.remove((size, turn))
                self._wake()
            raise

    def give_back(self, size: int) -> None:
        self._held -= size
        self._wake()

    def _fits(self, size: int) -> bool:
        return not self._held or self._held + size <= self._most

    def _wake(self) -> None:
        while self._queue and self._fits(self._queue[0][0]):
            size, turn = self._queue.popleft()
            if not turn.done():
                self._held += size
                turn.set_result(None)

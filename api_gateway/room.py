"""How many uploads, and how much of them, the gateway holds at once."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from api_gateway.errors import TooManyRequests

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_COPIES = 2.5  # the picture, its base64, and what of it is on the way


class Room:
    def __init__(self, max_uploads: int, max_bytes: int) -> None:
        self._max_uploads = max_uploads
        self._max_bytes = max_bytes
        self._uploads = 0
        self._bytes = 0.0

    @contextlib.contextmanager
    def enter(self, declared_bytes: int) -> Iterator[Callable[[int], None]]:
        """A place for one upload; gives what to call with the size of each piece that is kept.

        What was declared is set aside at once, what comes beyond it as it comes.

        Raises:
            TooManyRequests: here or from the call, when there is no room.
        """
        held = kept = 0

        def hold(size: int) -> None:
            nonlocal held, kept
            kept += size
            if kept > held:
                self._take(kept - held)
                held = kept

        if self._uploads >= self._max_uploads:
            raise TooManyRequests(retry_after=1)
        self._uploads += 1
        try:
            self._take(declared_bytes)
            held = declared_bytes
            yield hold
        finally:
            self._uploads -= 1
            self._bytes -= held * _COPIES

    def _take(self, size: int) -> None:
        if self._bytes + size * _COPIES > self._max_bytes:
            raise TooManyRequests(retry_after=1)
        self._bytes += size * _COPIES

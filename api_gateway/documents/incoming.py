"""What a document occupies from its first bytes to the last of its answer: a place, a file, a process."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from api_gateway.documents.splitter import Splitter
from api_gateway.documents.spool import Spool

if TYPE_CHECKING:
    from pathlib import Path

    from api_gateway.documents.splitter import Limits
    from api_gateway.room import Room


class Incoming:
    """Its owner calls `close` in the end, whatever happened."""

    def __init__(self, room: Room, folder: Path, limits: Limits) -> None:
        self._room = room
        self._place = contextlib.ExitStack()
        self.spool = Spool(folder)
        self.splitter = Splitter(limits)

    def begin(self) -> None:
        """It is a document: take the place and let the splitter start.

        Raises:
            Overloaded: there is no place.
        """
        self._place.enter_context(self._room.document())
        self.splitter.start()

    async def close(self) -> None:
        try:
            await self.splitter.close()
        finally:
            self.spool.close()
            self._place.close()

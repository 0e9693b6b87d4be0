"""Requests that wait for a model server to come, as when it is scaled from zero: one probe for all of them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractContextManager

_PAUSE = 0.5  # seconds before each probe


class Arrival:
    def __init__(
        self, is_there: Callable[[], Awaitable[bool]], counted: Callable[[], AbstractContextManager[None]]
    ) -> None:
        """`counted` counts a request while it waits."""
        self._is_there = is_there
        self._counted = counted
        self._waiting = 0
        self._probing: asyncio.Task[None] | None = None

    async def wait(self, seconds: float) -> bool:
        """Wait up to this many seconds for a model server; whether one is there."""
        self._waiting += 1
        try:
            with self._counted():
                if self._probing is None or self._probing.done():
                    self._probing = asyncio.create_task(self._probe())
                there, _ = await asyncio.wait({self._probing}, timeout=seconds)
                return bool(there)
        finally:
            self._waiting -= 1

    async def _probe(self) -> None:
        while self._waiting:
            await asyncio.sleep(_PAUSE)
            if await self._is_there():
                return

"""Lets as many requests through at once as the pace says."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from ocr_client.protocol import Lost, Reply, Send
from ocr_client.traffic import Pace


class Gate:
    """For the requests of calls that run at the same time."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._changed = asyncio.Event()

    async def through(self, send: Callable[[Send], Awaitable[Reply | Lost]], request: Send) -> Reply | Lost:
        """Wait for the request's turn, send it, and tell the pace how long the answer took."""
        while (wait := self._pace.wait(time.monotonic())) != 0:
            if wait is not None:
                await asyncio.sleep(wait)
            else:
                self._changed.clear()
                await self._changed.wait()
        self._pace.running += 1
        began = time.monotonic()
        try:
            reply = await send(request)
        finally:
            self._pace.running -= 1
            self._changed.set()
        if isinstance(reply, Reply) and reply.status < 300:
            self._pace.answered(time.monotonic() - began)
        return reply

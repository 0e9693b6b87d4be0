"""Removes expired jobs, again and again; every process that has the store does it, and that is harmless."""

from __future__ import annotations

import asyncio
import logging
import random
from typing import TYPE_CHECKING

from api_gateway.errors import NoSpace, StoreUnavailable

if TYPE_CHECKING:
    from api_gateway.jobs.store import JobStore

log = logging.getLogger("jobs")

_PAUSE_SECONDS = 20.0


async def keep_swept(store: JobStore, pause_seconds: float = _PAUSE_SECONDS) -> None:
    """Until cancelled."""
    while True:
        try:
            if removed := await store.sweep():
                log.info("expired jobs removed", extra={"jobs": removed})
        except (StoreUnavailable, NoSpace) as error:
            log.debug("not swept", extra={"code": error.code})
        await asyncio.sleep(pause_seconds * random.uniform(0.9, 1.1))  # noqa: S311 - not for secrets

"""Changes of jobs for all listeners of this process, with one question to the store at a time."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING

from api_gateway.jobs.waking import woken
from service_kit.errors import Overloaded, ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from api_gateway.jobs.job import Job
    from api_gateway.jobs.store import JobStore

log = logging.getLogger("jobs")

_POLL_SECONDS = 1.0
_LEAST_SECONDS = 0.02  # between two questions, however many pages are stored
_LEAST_SHARE = 4  # times as long as the question before took


class Listener:
    """`job` is what is known of the job; None: it was removed. `changed` is set with each change."""

    def __init__(self, job: Job) -> None:
        self.job: Job | None = job
        self.changed = asyncio.Event()
        self.is_over = False  # the process is shutting down

    def tell(self, job: Job | None) -> None:
        self.job = job
        self.changed.set()

    def end(self) -> None:
        self.is_over = True
        self.changed.set()


class JobWatch:
    """Asks the store each second while somebody listens, and at once when `wake` is called."""

    def __init__(self, store: JobStore, most_listeners: int, is_draining: Callable[[], bool]) -> None:
        self._store = store
        self._most = most_listeners
        self._is_draining = is_draining
        self._listeners: set[Listener] = set()
        self._woken = asyncio.Event()
        self._watching: asyncio.Task[None] | None = None

    def wake(self) -> None:
        """A job has changed in this process."""
        self._woken.set()

    @contextlib.contextmanager
    def listen(self, listener: Listener) -> Iterator[None]:
        """Tell the listener of changes while the context lasts.

        Raises:
            Overloaded: there are too many listeners.
        """
        if len(self._listeners) >= self._most:
            raise Overloaded("Too many clients wait for events. Ask for the status instead.", retry_after=1)
        self._listeners.add(listener)
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            self._listeners.discard(listener)

    async def _watch(self) -> None:
        while self._listeners:
            self._woken.clear()
            began = time.monotonic()
            try:
                await self._look()
            except ServiceError as error:
                log.debug("no news of jobs", extra={"code": error.code})
            except Exception:
                log.exception("unforeseen error")
            if self._is_draining():
                for listener in self._listeners:
                    listener.end()
                return
            await asyncio.sleep(max(_LEAST_SECONDS, _LEAST_SHARE * (time.monotonic() - began)))
            await woken(self._woken, _POLL_SECONDS)

    async def _look(self) -> None:
        asked = list(self._listeners)
        found = await self._store.watch({listener.job.id for listener in asked if listener.job is not None})
        for listener in asked:
            if listener.job is not None and (job := found.get(listener.job.id)) != listener.job:
                listener.tell(job)

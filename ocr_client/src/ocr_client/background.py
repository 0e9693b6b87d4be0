"""What an asynchronous iterator gives, in a thread of its own, for callers without an event loop."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from typing import Any, Generic, Self, TypeVar

_T = TypeVar("_T")
_END = object()
_AHEAD = 16  # outcomes that wait for the caller; the next one is not begun before


class Background(Generic[_T]):
    """A context manager and an iterator; leaving it cancels the work and waits for the thread."""

    def __init__(self, make: Callable[[], AsyncIterator[_T]]) -> None:
        self._make = make
        self._ready: queue.Queue[Any] = queue.Queue()
        self._room = threading.Semaphore(_AHEAD)
        self._left = threading.Event()
        self._error: BaseException | None = None
        self._loop = asyncio.new_event_loop()
        self._task: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._run, name="ocr-client", daemon=True)

    def __enter__(self) -> Self:
        self._task = self._loop.create_task(self._work())
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._left.set()
        self._room.release()
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._cancel)
        self._thread.join()

    def __iter__(self) -> Iterator[_T]:
        while (item := self._ready.get()) is not _END:
            self._room.release()
            yield item
        if self._error is not None:
            raise self._error

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._task or self._work())
        except asyncio.CancelledError:
            pass
        except BaseException as error:  # noqa: BLE001 - the caller gets it
            self._error = error
        finally:
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
            self._loop.close()
            self._ready.put(_END)

    async def _work(self) -> None:
        async for item in self._make():
            await asyncio.to_thread(self._room.acquire)
            if self._left.is_set():
                return
            self._ready.put(item)

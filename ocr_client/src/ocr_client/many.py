"""Work on many things at once, each outcome as soon as it is known."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, BinaryIO, Generic, TypeVar

from ocr_client.errors import OcrError

Source = TypeVar("Source", bound=str | os.PathLike[str] | bytes | BinaryIO)
_F = TypeVar("_F")
_A = TypeVar("_A")


@dataclass(frozen=True, slots=True)
class Outcome(Generic[_F, _A]):
    """One file, with its answer or the reason why there is none."""

    file: _F
    answer: _A | None
    error: OcrError | OSError | None

    def get(self) -> _A:
        """The answer; raises the error if there is none."""
        if self.error is not None:
            raise self.error
        assert self.answer is not None  # noqa: S101 - narrows the type: one of both is there
        return self.answer


async def as_they_come(
    things: Iterable[_F] | AsyncIterable[_F], work: Callable[[_F], Awaitable[_A]], at_once: Callable[[], int]
) -> AsyncGenerator[_A, None]:
    """What `work` returns; things are taken only when fewer than `at_once()` are worked on.

    Leaving the loop cancels what is worked on, and waits for it.
    """
    source = _each(things)
    running: set[asyncio.Task[_A]] = set()
    coming: asyncio.Task[_F] | None = None
    is_over = False
    try:
        while True:
            if coming is None and not is_over and len(running) < at_once():
                coming = asyncio.create_task(_next(source))
            waited: set[asyncio.Task[Any]] = {*running, *([coming] if coming else [])}
            if not waited:
                return
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            if coming is not None and coming.done():
                try:
                    running.add(asyncio.create_task(_worked(work, coming.result())))
                except StopAsyncIteration:
                    is_over = True
                coming = None
            done = {task for task in running if task.done()}
            running -= done
            for task in sorted(done, key=lambda task: task.exception() is not None):  # an error ends the loop
                yield task.result()
    finally:
        left: list[asyncio.Task[Any]] = [*running, *([coming] if coming else [])]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


async def _worked(work: Callable[[_F], Awaitable[_A]], thing: _F) -> _A:
    return await work(thing)


async def _next(source: AsyncIterator[_F]) -> _F:
    return await anext(source)


async def _each(things: Iterable[_F] | AsyncIterable[_F]) -> AsyncIterator[_F]:
    if isinstance(things, AsyncIterable):
        async for thing in things:
            yield thing
    else:
        for thing in things:
            yield thing

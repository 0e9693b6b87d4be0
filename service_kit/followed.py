"""What is made of files that are replaced while the service runs: API keys, certificates.

Kubernetes mounts a Secret as a folder of symbolic links through `..data`, and replaces that link when the Secret
changes. The files are looked at through the links.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

log = logging.getLogger("files")

_LOOK_SECONDS = 2.0

Made = TypeVar("Made")
Outcome = Literal["ok", "failed"]


class Unusable(ValueError):
    """Files cannot be used. The text names their settings, and quotes nothing of what is in them."""


class Followed(Generic[Made]):
    """`value` is made of files. `follow` makes it again when one of them changes.

    If that fails, the last value stays, and each further look tries again.
    """

    def __init__(
        self,
        what: str,
        files: Iterable[Path | None],
        make: Callable[[], Made],
        count: Callable[[Outcome], object] = lambda _outcome: None,
    ) -> None:
        """`make` raises Unusable; `count` is called after each attempt to make the value again."""
        self._what = what
        self._files = [file for file in files if file is not None]
        self._make = make
        self._count = count
        self._made_of = self._stamps()  # before `make`: a change in between is seen at the first look
        self._fault = ""
        self.value = make()

    async def follow(self) -> None:
        while self._files:
            await asyncio.sleep(_LOOK_SECONDS)
            await asyncio.to_thread(self.look)

    def look(self) -> None:
        """Make the value again if a file changed."""
        stamps = self._stamps()
        if stamps == self._made_of:
            self._fault = ""
            return
        try:
            self.value = self._make()
        except Unusable as error:
            if str(error) != self._fault:
                self._fault = str(error)
                log.error("files not reloaded", extra={"what": self._what, "why": self._fault})  # noqa: TRY400
            self._count("failed")
            return
        self._made_of, self._fault = stamps, ""
        log.info("files reloaded", extra={"what": self._what})
        self._count("ok")

    def _stamps(self) -> list[tuple[int, ...]]:
        return [_stamp(file) for file in self._files]


def fault_of(make: Callable[[], object]) -> Iterator[str]:
    """What is wrong with the files of which `make` makes something; nothing if they can be used."""
    try:
        make()
    except Unusable as error:
        yield str(error)


@contextlib.asynccontextmanager
async def following(*followed: Followed[Any] | None) -> AsyncIterator[None]:
    """Follow the files of all of them while the context lasts."""
    tasks = [asyncio.create_task(one.follow()) for one in followed if one is not None]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _stamp(file: Path) -> tuple[int, ...]:
    try:
        found = file.stat()
    except OSError:
        return ()
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)

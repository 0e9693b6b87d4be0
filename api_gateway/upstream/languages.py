"""The languages that the model server has, cached, so that a request for another one is refused early."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from service_kit.errors import ServiceError, UnknownLanguage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from api_gateway.upstream.client import ModelServer

_KNOWN_SECONDS = 60.0
_ASKED_SECONDS = 1.0  # between two calls because of unknown names
_PATIENCE_SECONDS = 0.25  # with a model server that does not answer: the answer to the page decides then


class InstalledLanguages:
    def __init__(self, model_server: ModelServer) -> None:
        self._model_server = model_server
        self._names: frozenset[str] = frozenset()
        self._asked = float("-inf")
        self._asking: asyncio.Task[None] | None = None

    async def check(self, names: Sequence[str]) -> None:
        """Refuse a language that is not installed.

        Raises:
            UnknownLanguage.
        """
        age = time.monotonic() - self._asked
        if age < _KNOWN_SECONDS and self._names.issuperset(names):
            return
        if age > _ASKED_SECONDS and (self._asking is None or self._asking.done()):
            self._asked = time.monotonic()
            self._asking = asyncio.create_task(self._ask())
        if self._asking is not None:
            await asyncio.wait({self._asking}, timeout=_PATIENCE_SECONDS)
        if self._names and not self._names.issuperset(names):
            raise UnknownLanguage(f"Installed languages: {', '.join(sorted(self._names))}.")

    async def _ask(self) -> None:
        try:
            self._names = frozenset((await self._model_server.engine())["languages"])
        except ServiceError:
            self._names = frozenset()

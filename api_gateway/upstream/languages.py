"""The languages that each engine has, cached, so that a request for others is refused early."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from service_kit.errors import BadRequest, ServiceError
from service_kit.offered import Offered

if TYPE_CHECKING:
    from api_gateway.upstream.client import EngineDescription, ModelServer
    from service_kit.page import Parameters

_KNOWN_SECONDS = 60.0
_ASKED_SECONDS = 1.0  # between two calls because of unknown names
_PATIENCE_SECONDS = 0.25  # with a model server that does not answer: the answer to the page decides then


def offered(engine: EngineDescription) -> Offered:
    neural = engine["neural"]
    return Offered(engine["languages"], neural["languages"] if neural else None, engine["name"])


class InstalledLanguages:
    def __init__(self, model_server: ModelServer) -> None:
        self._model_server = model_server
        self._offered: Offered | None = None
        self._asked = float("-inf")
        self._asking: asyncio.Task[None] | None = None

    async def check(self, parameters: Parameters) -> None:
        """Refuse an engine that the model server does not have, and languages that the engine does not read.

        Raises:
            UnknownLanguage, NoSuchEngine.
        """
        age = time.monotonic() - self._asked
        if age < _KNOWN_SECONDS and self._offered and not self._refusal(parameters):
            return
        if age > _ASKED_SECONDS and (self._asking is None or self._asking.done()):
            self._asked = time.monotonic()
            self._asking = asyncio.create_task(self._ask())
        if self._asking is not None:
            await asyncio.wait({self._asking}, timeout=_PATIENCE_SECONDS)
        if refusal := self._refusal(parameters):
            raise refusal

    def _refusal(self, parameters: Parameters) -> BadRequest | None:
        if self._offered is None:
            return None
        try:
            self._offered.check(parameters.languages, self._offered.engine(parameters.engine))
        except BadRequest as refusal:
            return refusal
        return None

    async def _ask(self) -> None:
        try:
            self._offered = offered(await self._model_server.engine())
        except ServiceError:
            self._offered = None

"""In front of all that costs anything: what the model server refused a moment ago is refused here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api_gateway.metrics import OCR_PATH
from service_kit.context import current

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from api_gateway.room import Room


class Door:
    """ASGI middleware. Under ten times the load most requests end here, before routes and keys are looked at."""

    def __init__(self, app: ASGIApp, *, room: Room) -> None:
        self._app = app
        self._room = room

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"] == OCR_PATH:
            self._room.knock(_declared_bytes(scope), current().deadline.seconds)
        await self._app(scope, receive, send)


def _declared_bytes(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0

"""Tika's /meta: what a file is, by its first bytes. Nothing is read on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response

from api_gateway.errors import EmptyFile
from api_gateway.uploads import sniff
from service_kit.errors import UnsupportedMediaType

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

    from api_gateway.admission import RequestAdmission
    from api_gateway.uploads.bodies import BodyOf
    from service_kit.context import RequestContext


class TikaMeta(Response):
    """Reads the body and keeps only its start."""

    def __init__(
        self, admission: RequestAdmission, request: Request, context: RequestContext, body: BodyOf
    ) -> None:
        # no call to super: there is no body yet
        self._admission = admission
        self._request = request
        self._context = context
        self._body = body
        self._head = bytearray()
        self.background = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send Tika's metadata.

        Raises:
            Overloaded, EmptyFile, UnsupportedMediaType, and what the body's parser and reading the body raise.
        """
        with self._admission.request(0, self._context.deadline):
            parser = self._body(self._add, None)
            async for piece in self._request.stream():
                parser.feed(piece)
            parser.end()
        if not self._head:
            raise EmptyFile
        sniff.refuse_others(self._head)
        found = sniff.media_type(self._head)
        if found is None:
            raise UnsupportedMediaType("This is neither a picture nor a document.")
        await JSONResponse({"Content-Type": found, "X-TIKA:Parsed-By": ["ocr"]})(scope, receive, send)

    def _add(self, piece: memoryview) -> None:
        self._head += piece[: sniff.LOOKED_AT - len(self._head)]

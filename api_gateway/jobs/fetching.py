"""A document that the gateway downloads from `input_url`, within the limits of an upload."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

from api_gateway.errors import BadInputUrl, InputUrlFailed
from api_gateway.jobs.webhooks.transport import CallFailed, CallRefused
from api_gateway.uploads.incoming import IncomingFile
from api_gateway.uploads.spool import RequestFolder
from service_kit.deadline import Deadline, LeastRate

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    import httpcore
    from starlette.requests import Request

    from api_gateway.jobs.webhooks.transport import CheckedTransport
    from api_gateway.uploads.receive import UploadLimits
    from service_kit.budget import Budget

_OK = 200


class FetchedFile:
    """Iterate as over `IncomingFiles`: there is one file."""

    is_complete = True
    password = None

    def __init__(
        self,
        url: str,
        transport: CheckedTransport,
        limits: UploadLimits,
        parent: Path,
        disk: Budget,
        deadline: Deadline,
        rate: LeastRate,
    ) -> None:
        """`parent` is where the folder of the file is made; `rate` is what the server must keep up."""
        self._url = url
        self._transport = transport
        self._limits = limits
        self._parent = parent
        self._disk = disk
        self._deadline = deadline
        self._rate = rate

    async def __aiter__(self) -> AsyncGenerator[IncomingFile, None]:
        """The file, complete.

        Raises:
            BadInputUrl, InputUrlFailed, and what `IncomingFile` raises.
        """
        with IncomingFile(self._limits, RequestFolder(self._parent), self._disk.take(0)) as file:
            try:
                await self._download(file)
            except CallRefused as refusal:
                raise BadInputUrl(f"input_url is {refusal}.") from None
            except TimeoutError:
                raise InputUrlFailed("input_url could not be downloaded: its server is too slow.") from None
            except CallFailed as failure:
                raise InputUrlFailed(f"input_url could not be downloaded: {failure}.") from None
            await file.finish()
            yield file

    async def _download(self, file: IncomingFile) -> None:
        call = self._transport.call("GET", self._url, {"accept-encoding": "identity"}, None, self._deadline.left())
        async with contextlib.AsyncExitStack() as stack:
            async with asyncio.timeout(self._rate.left):
                response = await stack.enter_async_context(call)
            _check(response)
            pieces = aiter(response.aiter_stream())
            while True:
                began = time.monotonic()
                async with asyncio.timeout(self._rate.left):
                    piece = await anext(pieces, None)
                if piece is None:
                    return
                self._rate.waited(time.monotonic() - began, len(piece))
                file.add(piece)
                await file.settle()


async def refuse_body(request: Request) -> None:
    """Read to the end of a request that must have no body, so that its client is noticed when it goes.

    Raises:
        BadInputUrl, and what reading the body raises.
    """
    async for piece in request.stream():
        if piece:
            raise BadInputUrl("A request with input_url has no body: send the document, or its URL.")


def _check(response: httpcore.Response) -> None:
    """Refuse an answer that is not the whole file as it is.

    Raises:
        InputUrlFailed.
    """
    headers = {name.lower(): value for name, value in response.headers}
    if response.status != _OK:
        raise InputUrlFailed(f"The server of input_url answered {response.status}.")
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise InputUrlFailed("The server of input_url sent the document with a Content-Encoding.")
    if b"content-length" not in headers and b"transfer-encoding" not in headers:
        raise InputUrlFailed("The server of input_url did not say how long the document is.")

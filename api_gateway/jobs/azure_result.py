"""The result of a complete job in the shape of Azure Document Intelligence."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from starlette.concurrency import iterate_in_threadpool
from starlette.responses import Response

from api_gateway.documents.record import Record
from api_gateway.formats import azure
from api_gateway.jobs.stored import load, numbers_of
from api_gateway.uploads.spool import RequestFolder

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from api_gateway.admission import RequestAdmission
    from api_gateway.formats.azure import Shape
    from api_gateway.jobs.job import Job
    from api_gateway.jobs.store import JobStore
    from api_gateway.settings import GatewaySettings


class AzureResult(Response):
    """Loads the pages before its first byte, so that their removal does not cut the answer."""

    def __init__(
        self,
        settings: GatewaySettings,
        admission: RequestAdmission,
        store: JobStore,
        job: Job,
        shape: Shape,
        head: bytes,
    ) -> None:
        """`head` is the operation's JSON up to the result; a brace follows it."""
        # no call to super: there is no body yet
        self._settings = settings
        self._admission = admission
        self._store = store
        self._job = job
        self._shape = shape
        self._head = head
        self.background = None

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Send the operation with its result.

        Raises:
            NotFound, NoSpace, StoreUnavailable.
        """
        folder = RequestFolder(self._settings.spool)
        with contextlib.closing(folder):
            numbers = await numbers_of(self._store, self._job)
            with Record(folder.path / "pages", self._admission.disk, numbers) as record:
                await load(self._store, self._job, record)
                headers = [(b"content-type", b"application/json")]
                await send({"type": "http.response.start", "status": 200, "headers": headers})
                await send({"type": "http.response.body", "body": self._head, "more_body": True})
                async for piece in iterate_in_threadpool(azure.render(record, self._shape)):
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
                await send({"type": "http.response.body", "body": b"}"})

"""Puts the result of a job to its `result_url`, for example a presigned URL of S3."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from api_gateway.jobs.result import JobResult
from api_gateway.jobs.webhooks.addresses import Allowed
from api_gateway.jobs.webhooks.sender import HookSender
from api_gateway.jobs.webhooks.transport import CallFailed, CheckedTransport
from api_gateway.uploads.spool import RequestFolder, Spool
from service_kit.context import RequestContext
from service_kit.deadline import Deadline
from service_kit.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, MutableMapping
    from pathlib import Path

    from api_gateway.admission import RequestAdmission
    from api_gateway.documents.composer import Composer
    from api_gateway.jobs.job import Hook, Job
    from api_gateway.jobs.store import JobStore
    from api_gateway.settings import GatewaySettings
    from service_kit.budget import Share

_LONGEST_SECONDS = 600.0  # for making a result and for putting it, together
_READ_BYTES = 256 * 1024
_TOO_MANY = 429


class ResultPuts(HookSender):
    def __init__(
        self, settings: GatewaySettings, admission: RequestAdmission, composer: Composer, store: JobStore
    ) -> None:
        put = ResultPut(settings, admission, composer, store)
        super().__init__(
            store,
            "result",
            put,
            lambda _outcome: None,
            longest_seconds=_LONGEST_SECONDS,
            at_once=2,
            at_once_per_host=2,
        )


class ResultPut:
    """One try. The result is on disk before it is sent: S3 must know its length."""

    def __init__(
        self, settings: GatewaySettings, admission: RequestAdmission, composer: Composer, store: JobStore
    ) -> None:
        self._settings = settings
        self._admission = admission
        self._composer = composer
        self._store = store
        self._transport = CheckedTransport(Allowed(settings.jobs_url_allow, only=True))

    async def __call__(self, hook: Hook) -> int:
        deadline = Deadline(_LONGEST_SECONDS)
        folder = RequestFolder(self._settings.spool)
        with contextlib.closing(folder), self._admission.disk.take(0) as disk:
            made = _Made(folder, disk)
            try:
                job = await self._store.job(hook.tenant, hook.job)
                if job is None:
                    raise CallFailed("the job has been removed", is_final=True)
                await self._make(job, RequestContext(hook.id, deadline), made)
                path = await made.spool.finish()
            except ServiceError as error:
                passing = error.status >= 500 or error.status == _TOO_MANY
                raise CallFailed(f"no result: {error.code}", is_final=not passing) from None
            headers = {"content-type": made.media_type, "content-length": str(made.size)}
            async with (
                contextlib.aclosing(_pieces(path)) as body,
                self._transport.call("PUT", hook.url, headers, body, deadline.left()) as response,
            ):
                return response.status

    async def _make(self, job: Job, context: RequestContext, made: _Made) -> None:
        """Have the result written as it would be sent to a client."""
        result = JobResult(
            self._settings,
            self._admission,
            self._composer,
            self._store,
            job,
            context,
            name=job.order.format,
            allow_partial=job.order.allow_partial,
        )
        await result({}, _no_request, made)


class _Made:
    """Takes an answer and keeps it on disk."""

    def __init__(self, folder: RequestFolder, disk: Share) -> None:
        self.spool = Spool(folder, disk)
        self.media_type = ""
        self.size = 0

    async def __call__(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.media_type = dict(message["headers"])[b"content-type"].decode()
            return
        self.size += len(message["body"])
        self.spool.add(message["body"])
        await self.spool.settle()


async def _no_request() -> MutableMapping[str, Any]:
    raise RuntimeError("a result reads no request")


async def _pieces(path: Path) -> AsyncGenerator[bytes, None]:
    with path.open("rb") as file:
        while piece := await asyncio.to_thread(file.read, _READ_BYTES):
            yield piece

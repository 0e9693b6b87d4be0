"""The result of a job: its stored pages, answered as a request would have been."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from starlette.responses import Response

from api_gateway.documents.composer import Source
from api_gateway.errors import JobCancelled, JobFailed, NotFinished, PagesFailed
from api_gateway.http_answer import HttpAnswer
from api_gateway.jobs.stored import load, numbers_of
from api_gateway.uploads.spool import RequestFolder, Spool

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import Receive, Scope, Send

    from api_gateway.admission import RequestAdmission
    from api_gateway.documents.composer import Composer
    from api_gateway.documents.record import Record
    from api_gateway.formats import AnyFormat
    from api_gateway.jobs.job import Job
    from api_gateway.jobs.store import JobStore
    from api_gateway.settings import GatewaySettings
    from service_kit.budget import Share
    from service_kit.context import RequestContext


class JobResult(Response):
    """Loads the pages, and the file for a PDF, before its first byte: their removal does not cut the answer."""

    def __init__(
        self,
        settings: GatewaySettings,
        admission: RequestAdmission,
        composer: Composer,
        store: JobStore,
        job: Job,
        context: RequestContext,
        *,
        name: AnyFormat,
        allow_partial: bool,
    ) -> None:
        # no call to super: there is no body yet
        self._settings = settings
        self._admission = admission
        self._composer = composer
        self._store = store
        self._job = job
        self._context = context
        self._name = name
        self._allow_partial = allow_partial
        self.background = None

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Send the result.

        Raises:
            NotFinished, JobCancelled, JobFailed, PagesFailed, NotFound, NoSpace, StoreUnavailable, and what
            `HttpAnswer.made` raises.
        """
        job = self._job
        if not job.is_final and self._name != "ndjson":
            raise NotFinished(retry_after=1)
        if job.state == "cancelled":
            raise JobCancelled
        if job.state == "failed" and job.code != PagesFailed.code:
            raise JobFailed(job.code or "", job.detail or "")
        disk = self._admission.disk
        folder = RequestFolder(self._settings.spool)
        with (
            contextlib.closing(folder),
            HttpAnswer(self._name, self._composer, disk, folder, self._context, send) as answer,
            disk.take(0) as share,
        ):
            record = answer.record(await numbers_of(self._store, job))
            await load(self._store, job, record)
            if not job.is_final:
                await self._so_far(record, answer)
            else:
                await self._whole(record, answer, folder, share)

    async def _so_far(self, record: Record, answer: HttpAnswer) -> None:
        for number in record.numbers:
            await answer.send_line(record.line(number))
        await answer.end()

    async def _whole(self, record: Record, answer: HttpAnswer, folder: RequestFolder, share: Share) -> None:
        job = self._job
        if job.kind == "picture":
            (page,) = record
            if page["status"] == "failed":
                raise JobFailed(page["code"], page["detail"])
        answer.check(record, allow_partial=self._allow_partial)
        page_count = job.page_count or len(record.numbers)
        if job.kind == "picture" and self._name != "pdf":
            await answer.send_page(record.answer(self._context.id, page_count), page)
            return
        path = await self._file(folder, share) if self._name == "pdf" else folder.path
        made = await answer.made(Source(path, job.kind, job.password), record, page_count)
        await answer.send(made, [failed["page"] for failed in record.failed])

    async def _file(self, folder: RequestFolder, share: Share) -> Path:
        spool = Spool(folder, share)
        async for piece in self._store.file(self._job.id):
            spool.add(piece)
            await spool.settle()
        return await spool.finish()

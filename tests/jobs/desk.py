"""A worker with its store and its model servers, in this process."""

from __future__ import annotations

import asyncio
import contextlib
import io
import time
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import orjson
from PIL import Image
from prometheus_client import CollectorRegistry

from api_gateway.admission import RequestAdmission
from api_gateway.documents.document import Documents
from api_gateway.jobs.counting import Attempt
from api_gateway.jobs.job import Job, Kind, NewJob
from api_gateway.jobs.store import JobStore
from api_gateway.jobs.worker.attempt import JobTools
from api_gateway.jobs.worker.pool import JobWorker
from api_gateway.metrics import GatewayMetrics
from api_gateway.order import Order
from api_gateway.settings import GatewaySettings
from api_gateway.upstream.client import ModelServer
from api_gateway.upstream.concurrency import Concurrency
from service_kit.page import Parameters
from tests.documents import make

TENANT = "acme"
DPI = 72  # so that a page has as many pixels as points


def document(*widths: float) -> bytes:
    """A blank page of each width; a stand-in identifies pages by their width."""
    return make.joined(*(make.sized(width, 50) for width in widths))


class Desk:
    """Hands in jobs, and runs workers that share everything but their claims."""

    def __init__(self, store: JobStore, url: str, spool: Path, **settings: Any) -> None:
        spool.mkdir(exist_ok=True)
        self.store = store
        self.settings = GatewaySettings(
            model_server_url=url, spool_dir=spool, jobs_dir=spool, **{"jobs_lease_seconds": 5, **settings}
        )
        self.spool = spool
        self.metrics = GatewayMetrics(CollectorRegistry())
        self.admission = RequestAdmission(self.settings)
        self.model_server = ModelServer(self.settings, self.metrics)
        self.concurrency = Concurrency()
        self.outcomes: list[Attempt] = []

    def documents(self, *, for_jobs: bool) -> Documents:
        return Documents(
            self.settings, self.admission, self.model_server, self.concurrency, self.metrics, for_jobs=for_jobs
        )

    @contextlib.asynccontextmanager
    async def working(self, store: JobStore | None = None, **tools: float) -> AsyncIterator[JobWorker]:
        """A worker; leaving stops it as SIGTERM does, and nothing of it is left."""
        found = JobTools.of(self.settings, store or self.store, self.documents(for_jobs=True), self.admission)
        for name, value in tools.items():
            object.__setattr__(found, name, value)
        worker = JobWorker(
            found, self.settings.quotas, self.settings.jobs_at_once, lambda: False, self.outcomes.append
        )
        running = asyncio.create_task(worker.run())
        try:
            yield worker
        finally:
            worker.stop()
            await running
        admission = self.admission
        assert [budget.used for budget in (admission.disk, admission.pages, self.concurrency)] == [0, 0, 0]
        assert not admission.children.children
        assert not [*self.spool.glob("ocr-document-*")]

    async def hand_in(
        self, data: bytes, kind: Kind = "pdf", tenant: str = TENANT, password: str | None = None, **order: Any
    ) -> str:
        new = NewJob(
            id=uuid.uuid4().hex,
            tenant=tenant,
            order=Order(Parameters(("eng",), 3), "json", **{"dpi": DPI, **order}),
            kind=kind,
            size=len(data),
            fingerprint="",
            ttl_seconds=3600,
            password=password,
        )
        (job,) = await self.store.submit([new], self.settings.quotas, {new.id: (0, data)})
        return job.id

    async def job(self, job_id: str, tenant: str = TENANT) -> Job:
        found = await self.store.job(tenant, job_id)
        assert found is not None
        return found

    async def end(self, job_id: str, tenant: str = TENANT) -> Job:
        """The job, when it has its final state."""
        await until(lambda: self._is_final(job_id, tenant), 45)
        return await self.job(job_id, tenant)

    async def _is_final(self, job_id: str, tenant: str) -> bool:
        return (await self.job(job_id, tenant)).is_final

    async def pages(self, job_id: str) -> list[dict[str, Any]]:
        numbers = await self.store.page_numbers(job_id)
        return [orjson.loads(page.line) async for page in self.store.pages(job_id, numbers)]


Desks = Callable[..., Desk]
"""Makes a desk with the test's store and model server; the arguments are settings of the gateway."""


async def until(true: Callable[[], Any], seconds: float = 20.0) -> Any:
    """Wait until the value, or what it awaits, is true."""
    end = time.monotonic() + seconds
    while True:
        found = true()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return found
        assert time.monotonic() < end, "in vain"
        await asyncio.sleep(0.01)


def picture(width: int = 100) -> bytes:
    stream = io.BytesIO()
    Image.new("L", (width, 50), 255).save(stream, "PNG")
    return stream.getvalue()


def widths(calls: Sequence[tuple[dict[str, str], int]]) -> list[int]:
    return [width for _, width in calls]

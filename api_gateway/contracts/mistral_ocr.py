"""An answer of POST /v1/ocr: for the file in the body, or for one that was uploaded before."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from api_gateway.documents.selection import choose, parse
from api_gateway.errors import BadPages, BadParameter
from api_gateway.exchange import Exchange
from api_gateway.jobs.result import JobResult
from api_gateway.jobs.watching import Listener
from api_gateway.order import Order
from api_gateway.uploads.bodies import DataUrlBody, FileReferred
from service_kit.deadline import TIMEOUT_HEADER, Deadline
from service_kit.errors import BadRequest, DeadlineExceeded, NotFound, NotReady
from service_kit.page import ANY_LANGUAGE, Parameters

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

    from api_gateway.exchange import Services
    from api_gateway.jobs.job import Job
    from api_gateway.jobs.store import JobStore
    from api_gateway.jobs.watching import JobWatch
    from service_kit.context import RequestContext

_ORDER = Order(Parameters((ANY_LANGUAGE,)), "mistral", may_lower_dpi=True)
_FILE = re.compile(r"(?:https?://[^/?#]+(?:/[^?#]*)?/v1/files/)?([0-9a-f]{32})(?:/content)?")
_PAGES = re.compile(r"[0-9]{1,6}(-[0-9]{1,6})?(,[0-9]{1,6}(-[0-9]{1,6})?)*")
_ANNOTATIONS = ("bbox_annotation_format", "document_annotation_format")


class MistralOcr(Response):
    def __init__(
        self,
        services: Services,
        request: Request,
        context: RequestContext,
        tenant: str,
        store: JobStore | None,
        watch: JobWatch | None,
    ) -> None:
        """Without store and watch there are no files that were uploaded before."""
        # no call to super: there is no body yet
        self._services = services
        self._request = request
        self._context = context
        self._tenant = tenant
        self._store = store
        self._watch = watch
        self.background = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            exchange = Exchange(self._services, self._request, _ORDER, self._context, DataUrlBody, _refine)
            await exchange(scope, receive, send)
        except FileReferred as referred:  # known at the body's end, before anything is sent
            await (await self._result(referred))(scope, receive, send)

    async def _result(self, referred: FileReferred) -> Response:
        found = _FILE.fullmatch(referred.url)
        if found is None or self._store is None or self._watch is None:
            raise BadRequest("The document is neither a data URL with base64 nor the address of an uploaded file.")
        context, services = self._context, self._services
        context.deadline = Deadline.from_header(
            self._request.headers.get(TIMEOUT_HEADER), services.settings.document_timeout_seconds
        )
        job = await self._ended(self._store, self._watch, found[1])
        job = replace(job, order=replace(job.order, pages=_checked(referred.fields)))
        if job.kind == "picture":
            choose(job.order.pages, 1, most=1)
        return JobResult(
            services.settings,
            services.admission,
            services.composer,
            self._store,
            job,
            context,
            name="mistral",
            allow_partial=False,
        )

    async def _ended(self, store: JobStore, watch: JobWatch, job_id: str) -> Job:
        job = await store.job(self._tenant, job_id)
        if job is None:
            raise NotFound("There is no such file.")
        listener = Listener(job)
        try:
            with watch.listen(listener):
                async with asyncio.timeout(self._context.deadline.left()):
                    while listener.job is not None and not listener.job.is_final:
                        if listener.is_over:
                            raise NotReady("The service is shutting down.", retry_after=1)
                        await listener.changed.wait()
                        listener.changed.clear()
        except TimeoutError:
            raise DeadlineExceeded from None
        if listener.job is None:
            raise NotFound("The file has been removed.")
        return listener.job


async def _refine(order: Order, fields: Mapping[str, Any]) -> Order:
    return replace(order, pages=_checked(fields))


def _checked(fields: Mapping[str, Any]) -> str | None:
    """The pages that are asked for, numbered from 1.

    Raises:
        BadParameter: something is asked for that this service does not do.
    """
    if asked := [name for name in _ANNOTATIONS if fields.get(name)]:
        raise BadParameter(f"{asked[0]} is not supported.")
    pages = fields.get("pages")
    if pages is None or pages == []:
        return None
    text = ",".join(map(str, pages)) if isinstance(pages, list) else str(pages)
    try:
        if len(text) > 1000 or not _PAGES.fullmatch(text):
            raise ValueError(text)  # noqa: TRY301 - as for a range that ends before it begins
        counted = re.sub(r"\d+", lambda number: str(int(number[0]) + 1), text)
        parse(counted)
    except ValueError:
        raise BadPages("pages takes numbers from 0, as a list of integers or as text such as 0-3,7.") from None
    return counted

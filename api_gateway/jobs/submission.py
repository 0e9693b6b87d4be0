"""A request that submits jobs: each file goes to the store while the form arrives, and all jobs begin together."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import orjson

from api_gateway.documents.selection import choose
from api_gateway.errors import (
    BadIdempotencyKey,
    BadJobRequest,
    BadMultipart,
    IdempotencyMismatch,
    StoreUnavailable,
)
from api_gateway.jobs.fetching import FetchedFile, refuse_body
from api_gateway.jobs.job import NewJob, order_to_json
from api_gateway.jobs.store import PIECE_BYTES
from api_gateway.jobs.webhooks.addresses import Allowed
from api_gateway.jobs.webhooks.request import check_input, check_result, check_webhook
from api_gateway.jobs.webhooks.transport import CheckedTransport
from api_gateway.uploads.receive import UploadLimits
from api_gateway.uploads.several import IncomingFiles
from api_gateway.uploads.spool import IN_MEMORY
from service_kit.body import declared_bytes
from service_kit.deadline import TIMEOUT_HEADER, Deadline, LeastRate
from service_kit.tracing import parent_header

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from starlette.requests import Request

    from api_gateway.admission import RequestAdmission
    from api_gateway.jobs.job import Job
    from api_gateway.jobs.store import JobStore
    from api_gateway.order import Order
    from api_gateway.settings import GatewaySettings
    from api_gateway.uploads.bodies import BodyOf
    from api_gateway.uploads.incoming import IncomingFile
    from api_gateway.uploads.sniff import Kind
    from service_kit.context import RequestContext

_T = TypeVar("_T")
_IDEMPOTENCY_KEY = re.compile(r"[!-~]{1,255}")


class Terms(NamedTuple):
    """What a client asks of its jobs, besides how they are read."""

    tenant: str
    ttl_seconds: float | None = None
    webhook_url: str | None = None
    input_url: str | None = None  # in place of files in the request
    result_url: str | None = None
    idempotency_key: str | None = None


class Submitted(NamedTuple):
    """`is_replay`: the jobs were known by their idempotency key."""

    jobs: list[Job]
    is_replay: bool


@dataclass(frozen=True, slots=True)
class _File:
    """A file that is in the store, except for its last piece, or whose job may be known."""

    id: str
    kind: Kind
    size: int
    dpi: float | None
    digest: str
    key: str | None  # the request's key, with several files with the file's number
    known: tuple[Job, str] | None  # the job of that key and its fingerprint


def check_idempotency_key(key: str | None) -> None:
    """Accept no key, or a valid one.

    Raises:
        BadIdempotencyKey.
    """
    if key is not None and not _IDEMPOTENCY_KEY.fullmatch(key):
        raise BadIdempotencyKey


class Submission:
    """Call `submit` once. If it raises, nothing of the request stays in the store."""

    def __init__(
        self,
        settings: GatewaySettings,
        admission: RequestAdmission,
        store: JobStore,
        context: RequestContext,
        order: Order,
        terms: Terms,
        most_files: int | None = None,
        body: BodyOf | None = None,
    ) -> None:
        """Check the terms. `most_files` instead of the setting; `body` makes the parser, if it is not a form.

        Raises:
            BadJobRequest, BadIdempotencyKey, BadWebhookUrl, BadInputUrl, BadResultUrl.
        """
        most = settings.jobs_max_ttl_seconds
        if terms.ttl_seconds is not None and not 1 <= terms.ttl_seconds <= most:
            raise BadJobRequest(f"ttl takes a number of seconds from 1 to {most:g}.")
        check_idempotency_key(terms.idempotency_key)
        if terms.webhook_url is not None:
            check_webhook(terms.webhook_url, terms.tenant, settings)
        if terms.input_url is not None:
            check_input(terms.input_url, settings)
        if terms.result_url is not None:
            check_result(terms.result_url, settings)
        self._settings = settings
        self._admission = admission
        self._store = store
        self._context = context
        self._order = order
        self._terms = terms
        self._most_files = most_files or settings.jobs_max_files
        self._body = body
        self._files: list[_File] = []
        self._last: dict[str, tuple[int, bytes]] = {}
        self._in_store: list[str] = []  # ids with pieces, until a submission may have taken them

    async def submit(self, request: Request) -> Submitted:
        """Read the form, and store its files and their jobs.

        Raises:
            Overloaded, IdempotencyMismatch, TooManyJobs, NoSpace, StoreUnavailable, what `IncomingFiles` or
            `FetchedFile` raises.
        """
        settings, admission, context = self._settings, self._admission, self._context
        declared = declared_bytes(request.scope)
        context.deadline = Deadline.from_header(
            request.headers.get(TIMEOUT_HEADER), settings.document_timeout_seconds
        )
        limits = UploadLimits(settings.max_upload_bytes, settings.max_document_bytes)
        try:
            with admission.request(min(declared or IN_MEMORY, IN_MEMORY), context.deadline):
                files = await self._files_of(request, limits)
                async with contextlib.aclosing(files.__aiter__()) as arriving:
                    async for file in arriving:
                        await self._keep(file, is_last=files.is_complete)
                if "\0" in (files.password or ""):
                    raise BadMultipart("The password contains a zero byte.")
                return await self._submit(files.password)
        finally:
            await self._drop()

    @property
    def file_count(self) -> int:
        return len(self._files)

    async def _files_of(self, request: Request, limits: UploadLimits) -> IncomingFiles | FetchedFile:
        """The files of the form, or the one that is to be fetched."""
        settings, url = self._settings, self._terms.input_url
        if url is None:
            return IncomingFiles(
                request, limits, self._most_files, settings.spool, self._admission.disk, self._body
            )
        await refuse_body(request)
        rate = LeastRate(settings.body_idle_timeout_seconds, settings.min_rate_kib_per_second)
        transport = CheckedTransport(Allowed(settings.jobs_url_allow, only=True))
        disk, deadline = self._admission.disk, self._context.deadline
        return FetchedFile(url, transport, limits, settings.spool, disk, deadline, rate)

    async def _keep(self, file: IncomingFile, *, is_last: bool) -> None:
        """Put the file into the store, unless its job is known; the form's last piece goes with the jobs."""
        if file.kind == "picture":
            choose(self._order.pages, 1, most=1)
        number, key = len(self._files), self._terms.idempotency_key
        if key is not None and not (is_last and not number):
            key = f"{key} {number}"
        known = await self._store.by_idempotency_key(self._terms.tenant, key) if key else None
        kept = _File(uuid.uuid4().hex, file.kind, file.size, file.dpi, file.digest, key, known)
        self._files.append(kept)
        if known is not None:
            return
        pieces = -(-file.size // PIECE_BYTES)
        if pieces > 1 or not is_last:
            self._in_store.append(kept.id)
        at = 0
        async for piece in file.pieces(PIECE_BYTES):
            if is_last and at == pieces - 1:
                self._last[kept.id] = at, piece
            else:
                await self._store.put_piece(kept.id, at, piece)
            at += 1

    async def _submit(self, password: str | None) -> Submitted:
        found: dict[str, Job] = {}
        new: list[NewJob] = []
        batch = next((file.known[0].batch for file in self._files if file.known), None)
        if batch is None and len(self._files) > 1:
            batch = uuid.uuid4().hex
        for file in self._files:
            fingerprint = self._fingerprint(file, password)
            if file.known is None:
                new.append(self._job(file, fingerprint, password, batch))
            elif file.known[1] != fingerprint:
                raise IdempotencyMismatch
            else:
                found[file.id] = file.known[0]
        if new:
            for job, stored in zip(new, await self._store_jobs(new), strict=True):
                found[job.id] = stored
        jobs = [found[file.id] for file in self._files]
        return Submitted(jobs, is_replay=not {job.id for job in jobs} & {file.id for file in self._files})

    async def _store_jobs(self, new: Sequence[NewJob]) -> list[Job]:
        """Submit, to the end even if the client goes: otherwise nobody knows whether the pieces have a job."""
        pieces, self._in_store = self._in_store, []
        submitting = asyncio.ensure_future(self._store.submit(new, self._settings.quotas, self._last))
        try:
            return await _to_its_end(submitting)
        except StoreUnavailable:  # the jobs may be there; `sweep` removes the pieces if they are not
            raise
        except Exception:
            self._in_store = pieces
            raise

    async def _drop(self) -> None:
        if self._in_store:
            dropping = asyncio.gather(*map(self._store.drop_pieces, self._in_store))
            with contextlib.suppress(StoreUnavailable):  # `sweep` removes them
                await _to_its_end(dropping)

    def _fingerprint(self, file: _File, password: str | None) -> str:
        terms = self._terms
        order = order_to_json(self._order)
        asked = [file.digest, len(self._files), order, terms.ttl_seconds, terms.webhook_url, password]
        if terms.result_url is not None:
            asked.append(terms.result_url)
        return hashlib.sha256(orjson.dumps(asked)).hexdigest()

    def _job(self, file: _File, fingerprint: str, password: str | None, batch: str | None) -> NewJob:
        terms = self._terms
        return NewJob(
            id=file.id,
            tenant=terms.tenant,
            order=self._order,
            kind=file.kind,
            size=file.size,
            fingerprint=fingerprint,
            ttl_seconds=terms.ttl_seconds or self._settings.jobs_ttl_seconds,
            password=password,
            dpi=file.dpi,
            batch=batch,
            idempotency_key=file.key,
            webhook_url=terms.webhook_url,
            result_url=terms.result_url,
            trace=parent_header(),
        )


async def _to_its_end(work: Awaitable[_T]) -> _T:
    """Await the work; a cancellation takes effect when it is done."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise

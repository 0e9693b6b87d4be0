"""The budgets that all requests share, and the model server's latest refusal, repeated for a moment."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from starlette.datastructures import Headers

from api_gateway.contracts.table import CONTRACTS, contract_of
from api_gateway.errors import Relayed
from api_gateway.jobs.prefer import prefers_async
from api_gateway.metrics import OCR_PATH
from api_gateway.settings import UPLOAD_COPIES
from api_gateway.uploads.multipart import FIELD
from api_gateway.uploads.sniff import kind_in_form, shows_picture
from service_kit.body import declared_bytes
from service_kit.budget import Budget, Full, Share
from service_kit.child import CommonMemory
from service_kit.context import current
from service_kit.errors import Overloaded
from service_kit.settings import MIB

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from api_gateway.settings import GatewaySettings
    from service_kit.deadline import Deadline

# How long a refusal is remembered: much shorter than a queue takes to drain, much longer than the time between two
# requests.
_REMEMBERED_SECONDS = 0.25
_REMEMBERED_SHARE = 0.05
_FRESH_SHARE = 0.9  # with this share of its time left, a request counts as new


class RequestAdmission:
    """Budgets in bytes, except those of requests and documents."""

    def __init__(self, settings: GatewaySettings) -> None:
        self.requests = Budget(settings.max_in_flight)
        self.uploads = Budget(settings.max_held_mib * MIB)
        self.documents = Budget(settings.max_documents)
        self.previews = Budget(max(1, settings.max_documents // 2))  # the other places are for documents to read
        self.pages = Budget(settings.max_pages_held_mib * MIB)
        self.disk = Budget(settings.max_disk_mib * MIB)
        self.children = CommonMemory(settings.children_mib * MIB)
        self._refusal = _Refusal()

    def check(self, declared_bytes: int, seconds: float) -> None:
        """Refuse at once a request that the model server would refuse.

        Raises:
            Overloaded: the model server just refused a picture with at least as much time and no more bytes.
        """
        self._refusal.check(declared_bytes, seconds)

    @contextlib.contextmanager
    def request(self, declared_bytes: int, deadline: Deadline) -> Iterator[Share]:
        """Reserve a place for one request, and memory for the bytes that it declared.

        Raises:
            Overloaded: no place or not enough memory is free.
        """
        try:
            with self.requests.take(), self.uploads.take(declared_bytes * UPLOAD_COPIES) as upload:
                yield upload
        except Full:
            raise Overloaded("Too many uploads at once. Try again later.", retry_after=1) from None
        except Relayed as error:
            if error.code == Overloaded.code:
                self._refusal.remember(declared_bytes, deadline, error.retry_after)
            raise

    def document(self) -> Share:
        """Reserve a place for one document.

        Raises:
            Overloaded: none is free.
        """
        try:
            return self.documents.take()
        except Full:
            raise Overloaded("Too many documents at once. Try again later.", retry_after=1) from None

    def preview(self) -> Share:
        """Reserve a place for one request for previews, which also takes a place of a document.

        Raises:
            Overloaded: none is free.
        """
        try:
            return self.previews.take()
        except Full:
            raise Overloaded("Too many previews at once. Try again later.", retry_after=1) from None


class EarlyRefusal:
    """ASGI middleware: under overload it refuses most pictures, before routes and keys are checked.

    Uploads that begin like a document pass: a picture's refusal says nothing about them. Jobs pass: they wait.
    """

    def __init__(self, app: ASGIApp, *, admission: RequestAdmission, has_jobs: bool) -> None:
        self._app = app
        self._admission = admission
        self._has_jobs = has_jobs

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        field = self._field(scope)
        if field is not None:
            try:
                self._admission.check(declared_bytes(scope) or 0, current().deadline.seconds)
            except Overloaded:
                first = await receive()
                start = first.get("body", b"")
                if kind_in_form(start, field) == "picture" if field else shows_picture(start):
                    raise
                receive = _replay(first, receive)
        await self._app(scope, receive, send)

    def _field(self, scope: Scope) -> str | None:
        """The form's field with the picture; "" if it is the whole body; None if nothing is refused here."""
        if scope["type"] != "http" or scope["method"] not in ("POST", "PUT"):
            return None
        if scope["path"] != OCR_PATH:
            contract = contract_of(scope["path"])
            return CONTRACTS[contract].file_field if contract else None
        return None if self._has_jobs and prefers_async(Headers(scope=scope).getlist("prefer")) else FIELD


def _replay(first: Message, receive: Receive) -> Receive:
    messages = [first]

    async def replay() -> Message:
        return messages.pop() if messages else await receive()

    return replay


class _Refusal:
    """The latest refusal. For a moment it applies to all requests with no more time and no fewer bytes.

    At ten times the load, nine of ten requests are refused. A refusal by the model server takes processor time
    from the pages that are being read; a refusal before the body is read costs little.
    """

    def __init__(self) -> None:
        self._until = 0.0
        self._size = 0
        self._seconds = 0.0
        self._retry_after: float | None = None

    def remember(self, size: int, deadline: Deadline, retry_after: float | None) -> None:
        left = deadline.left()  # a slow upload had little time left: its refusal says nothing about new requests
        self._seconds = deadline.seconds if left >= _FRESH_SHARE * deadline.seconds else left
        self._until = time.monotonic() + min(_REMEMBERED_SECONDS, _REMEMBERED_SHARE * self._seconds)
        self._size, self._retry_after = size, retry_after

    def check(self, size: int, seconds: float) -> None:
        if time.monotonic() < self._until and seconds <= self._seconds and size >= self._size:
            raise Overloaded(retry_after=self._retry_after)

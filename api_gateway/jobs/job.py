"""What a job is: its states, its row, and what a worker gets when it claims one. Times are seconds since 1970."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from api_gateway.order import Order
from service_kit.page import Parameters

State = Literal["queued", "running", "complete", "partial", "failed", "cancelled"]
Kind = Literal["picture", "pdf", "tiff"]
HookKind = Literal["webhook", "result"]
DeliveryState = Literal["pending", "delivered", "failed"]

STATES: tuple[State, ...] = ("queued", "running", "complete", "partial", "failed", "cancelled")
FINAL: tuple[State, ...] = ("complete", "partial", "failed", "cancelled")
"""A final state is set once and stays."""


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job as it is handed in. `fingerprint` is the SHA-256 of the file's bytes and of all parameters."""

    id: str
    tenant: str
    order: Order
    kind: Kind
    size: int  # bytes of the file
    fingerprint: str
    ttl_seconds: float  # from the final state until job, file and pages are removed
    password: str | None = None
    dpi: float | None = None  # of a picture whose file says so
    batch: str | None = None
    idempotency_key: str | None = None
    webhook_url: str | None = None
    result_url: str | None = None  # where the result is put when there is one
    trace: str | None = None  # `traceparent` of the request that handed it in


@dataclass(frozen=True, slots=True)
class Job:
    """The row of a job; `position` counts the queued jobs before it, from 0, and is None unless it is queued."""

    id: str
    tenant: str
    batch: str | None
    state: State
    order: Order
    kind: Kind
    size: int
    password: str | None
    dpi: float | None
    page_count: int | None  # pages of the file; None until a worker has opened it
    pages_total: int | None  # pages that are asked for
    pages_done: int  # pages with an outcome, also the failed ones
    pages_failed: int
    attempts: int  # those that count against the document
    code: str | None  # of the error, if the job itself failed
    detail: str | None
    webhook_url: str | None
    webhook_state: DeliveryState | None
    result_url: str | None
    result_state: DeliveryState | None
    ttl_seconds: float
    created: float
    started: float | None
    finished: float | None
    expires: float | None
    position: int | None = None
    trace: str | None = None  # `traceparent` of the request that handed it in

    @property
    def is_final(self) -> bool:
        return self.state in FINAL


OPENING = 0
"""Noted as the page that is begun while a careful worker opens the document."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A job that belongs to one worker until its lease ends; `number` fences the writes of earlier claims.

    `careful`: an earlier worker died in the job without storing a page, so that this one opens no other job, reads
    one page at a time, and notes each with `JobStore.begin_page`, and before the first one that it opens the file.
    """

    job: Job
    owner: str
    number: int
    careful: bool
    stored: frozenset[int]  # pages that have an outcome already


@dataclass(frozen=True, slots=True)
class StoredPage:
    """A page's line of NDJSON, as `formats/ndjson.py` writes it."""

    number: int
    line: bytes
    failed: bool


@dataclass(frozen=True, slots=True)
class Quotas:
    """Limits of one tenant, and of the store as a whole in `store_bytes`. 0 pages a minute: no limit."""

    queued: int
    running: int
    tenant_bytes: int
    pages_a_minute: int
    store_bytes: int


@dataclass(frozen=True, slots=True)
class Hook:
    """A webhook to be sent: `id` is the same in all attempts, `body` is what is signed and sent.

    `kind` "result": the job's result is to be put to the URL, and `body` is empty.
    """

    id: str
    kind: HookKind
    tenant: str
    job: str
    url: str
    body: bytes
    attempt: int  # 1 at the first time
    created: float
    claimed: float  # the database's time: the sender's clock may be wrong, and receivers reject wrong times
    expires: float  # when the job is removed
    owner: str
    trace: str | None = None  # of its job


@dataclass(frozen=True, slots=True)
class Backlog:
    """What the metrics show; of all tenants together."""

    queued: int
    running: int
    pages_unread: int  # of queued and running jobs; a job that nobody has opened counts as one page
    oldest_seconds: float  # how long the oldest queued job has waited; 0 without one
    stored_bytes: int
    hooks_pending: int
    hooks_oldest_seconds: float


def order_to_json(order: Order) -> dict[str, Any]:
    parameters = order.parameters
    return {
        "languages": list(parameters.languages),
        "psm": parameters.psm,
        "engine": parameters.engine,
        "orientation": parameters.orientation,
        "format": order.format,
        "pages": order.pages,
        "dpi": order.dpi,
        "may_lower_dpi": order.may_lower_dpi,
        "embedded_text": order.embedded_text,
        "allow_partial": order.allow_partial,
    }


def order_from_json(found: Mapping[str, Any]) -> Order:
    """The order that `order_to_json` wrote, perhaps in an earlier version: what it lacks has its default."""
    return Order(
        parameters=Parameters(
            tuple(found["languages"]), found["psm"], found.get("engine"), found.get("orientation", "auto")
        ),
        format=found["format"],
        **{name: found[name] for name in _OPTIONAL if name in found},
    )


_OPTIONAL = ("pages", "dpi", "may_lower_dpi", "embedded_text", "allow_partial")

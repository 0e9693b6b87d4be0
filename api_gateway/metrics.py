"""Metrics with bounded labels; every series exists from the start."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

from api_gateway.contracts.table import CONTRACTS, contract_of, is_call
from api_gateway.errors import OUTCOMES, PAGE_ERRORS, PAGE_OUTCOMES
from service_kit.page import WARNINGS
from service_kit.tracing import exemplar

if TYPE_CHECKING:
    from api_gateway.answer import AnswerPage
    from service_kit.context import RequestContext

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60)

OCR_PATH = "/gateway/ocr"
PREVIEWS_PATH = "/gateway/previews"
_OWN = "gateway"


class GatewayMetrics:
    """Also the observer of every OCR request, and of every request for previews."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._requests = Counter(
            "gateway_requests",
            "OCR requests by contract, status and outcome; `gateway` is POST /gateway/ocr.",
            ["contract", "status", "outcome"],
            registry=registry,
        )
        self._duration = Histogram(
            "gateway_request_duration_seconds",
            "Time from a request's head to its answer.",
            buckets=_SECONDS,
            registry=registry,
        )
        self.upstream = Histogram(
            "gateway_upstream_seconds",
            "Time that a request waited on the model server.",
            buckets=_SECONDS,
            registry=registry,
        )
        self.retries = Counter("gateway_upstream_retries", "Calls tried a second time.", registry=registry)
        self._received = Counter("gateway_received_bytes", "Bytes of request bodies received.", registry=registry)
        self._in_flight = Gauge("gateway_in_flight", "OCR requests being served.", registry=registry)
        self._waiting = Gauge(
            "gateway_requests_waiting",
            "Pictures, and pages of documents, that wait for a model server to come.",
            registry=registry,
        )
        self.patience = Gauge(
            "gateway_wait_for_model_seconds",
            "Longest time that a picture waits for a model server to come; above 0, there may be none.",
            registry=registry,
        )
        self._pages = Counter(
            "gateway_document_pages",
            "Pages of documents by outcome: ocr, embedded, mixed, or the code they failed with.",
            ["outcome"],
            registry=registry,
        )
        self._warnings = Counter(
            "gateway_page_warnings",
            "Warnings of pages that were read, by code.",
            ["code"],
            registry=registry,
        )
        self._key_reloads = Counter(
            "gateway_key_reloads",
            "Attempts to read the changed file of API keys: ok, or failed, repeated while the file is not valid.",
            ["outcome"],
            registry=registry,
        )
        self._previews = Counter(
            "gateway_previews",
            "Requests for previews by outcome; they are no OCR requests.",
            ["outcome"],
            registry=registry,
        )
        self._documents = Gauge(
            "gateway_documents_in_flight", "Documents being read, or drawn for previews.", registry=registry
        )
        for code in {"ok", "cancelled"} | {code for _, code in OUTCOMES} | PAGE_ERRORS:
            self._previews.labels(code)
        for attempt in ("ok", "failed"):
            self._key_reloads.labels(attempt)
        for outcome in PAGE_OUTCOMES:
            self._pages.labels(outcome)
        for code in WARNINGS:
            self._warnings.labels(code)
        for contract in (_OWN, *CONTRACTS):
            for status, code in (("200", "ok"), ("202", "ok"), ("0", "cancelled")):
                self._requests.labels(contract, status, code)
            for number, code in OUTCOMES:
                self._requests.labels(contract, str(number), code)

    def counts(self, method: str, path: str) -> bool:
        return (method == "POST" and path in (OCR_PATH, PREVIEWS_PATH)) or is_call(method, path)

    def begin(self, request: RequestContext) -> None:
        if request.path != PREVIEWS_PATH:
            self._in_flight.inc()

    def document(self) -> contextlib.AbstractContextManager[None]:
        return self._documents.track_inprogress()

    def waiting(self) -> contextlib.AbstractContextManager[None]:
        return self._waiting.track_inprogress()

    def document_page(self, page: AnswerPage) -> None:
        """Count one page of a document, by its final outcome."""
        self._pages.labels(page["code"] if page["status"] == "failed" else page["source"]).inc()
        self.page_warnings(page)

    def page_warnings(self, page: AnswerPage) -> None:
        for code in page["warnings"]:
            self._warnings.labels(code if code in WARNINGS else "other").inc()

    def keys_reloaded(self, outcome: str) -> None:
        self._key_reloads.labels(outcome).inc()

    def end(self, outcome: str, status: int, request: RequestContext) -> None:
        self._received.inc(request.received_bytes)
        if request.path == PREVIEWS_PATH:
            self._previews.labels(outcome).inc()
            return
        self._in_flight.dec()
        self._requests.labels(contract_of(request.path) or _OWN, str(status), outcome).inc()
        self._duration.observe(request.seconds(), exemplar())

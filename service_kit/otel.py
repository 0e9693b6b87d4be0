"""OpenTelemetry's SDK behind `tracing.py`: the only module that imports it."""

from __future__ import annotations

import logging
import platform
import threading
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from opentelemetry import trace as api
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import HOST_NAME, SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

if TYPE_CHECKING:
    from service_kit.tracing import Kind

log = logging.getLogger("traces")

Fact = str | bool | int | float

_LAST_SECONDS = 2.0  # for the spans that are left when the process ends
_KINDS: dict[str, api.SpanKind] = {kind.name.lower(): kind for kind in api.SpanKind}
_W3C = TraceContextTextMapPropagator()
_UNNAMED = "unknown_service"
# They would report each batch that is not delivered, and each span that finds the queue full.
_REPETITIVE = (
    "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "opentelemetry.sdk._shared_internal",
    "urllib3",
)


class Traces:
    """Makes spans, and sends them from a thread of its own. If its queue is full, the oldest spans are dropped."""

    def __init__(self, service: str) -> None:
        for name in _REPETITIVE:
            logging.getLogger(name).setLevel(logging.CRITICAL)
        resource = Resource.create()
        if str(resource.attributes.get(SERVICE_NAME, "")).startswith(_UNNAMED):
            resource = resource.merge(Resource({SERVICE_NAME: service}))
        if HOST_NAME not in resource.attributes:  # in Kubernetes, the name of the pod
            resource = resource.merge(Resource({HOST_NAME: platform.node()}))
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._sending = BatchSpanProcessor(QuietExporter(OTLPSpanExporter()))
        self._provider.add_span_processor(self._sending)
        self._tracer = self._provider.get_tracer("ocr-service")
        log.info("traces are on", extra={"sampler": self._provider.sampler.get_description()})

    def entry(self, name: str, headers: Mapping[str, str], kind: Kind) -> Span:
        """The first span of this process in a trace."""
        context = _W3C.extract(headers, Context()) if "traceparent" in headers else Context()
        return Span(self._tracer.start_span(name, context, _KINDS[kind]))

    def child(self, name: str, parent: Span, kind: Kind, facts: Mapping[str, Fact]) -> Span:
        return Span(self._tracer.start_span(name, parent.context, _KINDS[kind], _named(facts)))

    def past(
        self,
        name: str,
        parent: Span,
        began: float,
        ended: float,
        facts: Mapping[str, Fact],
        failure: str | None = None,
    ) -> Span:
        offset = time.time() - time.monotonic()
        start, end = (round((at + offset) * 1e9) for at in (began, ended))
        found = Span(self._tracer.start_span(name, parent.context, attributes=_named(facts), start_time=start))
        if failure is not None:
            found.fail(failure)
        found.end(end)
        return found

    def remote(self, parent: str) -> Span:
        return Span(api.get_current_span(_W3C.extract({"traceparent": parent}, Context())))

    def close(self) -> None:
        """Send what is left. A collector that does not answer does not delay the end by more than seconds."""
        ending = threading.Thread(target=self._sending.shutdown, daemon=True)
        ending.start()
        ending.join(_LAST_SECONDS)
        if ending.is_alive():
            log.warning("traces not sent at the end")


class Span:
    """A span, recorded or not."""

    __slots__ = ("_span", "recorded")

    def __init__(self, span: api.Span) -> None:
        self._span = span
        self.recorded = bool(span.get_span_context().trace_flags.sampled)  # also when it has ended

    @property
    def context(self) -> Context:
        return api.set_span_in_context(self._span, Context())

    @property
    def trace_id(self) -> str:
        return api.format_trace_id(self._span.get_span_context().trace_id)

    @property
    def parent_header(self) -> str:
        known = self._span.get_span_context()
        return f"00-{self.trace_id}-{api.format_span_id(known.span_id)}-{int(self.recorded):02x}"

    def headers(self) -> list[tuple[str, str]]:
        found = [("traceparent", self.parent_header)]
        if state := self._span.get_span_context().trace_state:
            found.append(("tracestate", state.to_header()))
        return found

    def set(self, facts: Mapping[str, Fact]) -> None:
        if self._span.is_recording():  # otherwise it has ended, which OpenTelemetry would log
            self._span.set_attributes(_named(facts))

    def rename(self, name: str) -> None:
        self._span.update_name(name)

    def event(self, name: str, facts: Mapping[str, Fact]) -> None:
        if self._span.is_recording():
            self._span.add_event(name, _named(facts))

    def fail(self, code: str) -> None:
        if self._span.is_recording():
            self._span.set_attribute("error.type", code)
            self._span.set_status(api.Status(api.StatusCode.ERROR, code))

    def end(self, at_ns: int | None = None) -> None:
        self._span.end(at_ns)


class QuietExporter(SpanExporter):
    """Says once that the collector cannot be reached, and once that it is there again."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._failing = False
        self._lost = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        if result is not SpanExportResult.SUCCESS:
            self._lost += len(spans)
            if not self._failing:
                log.warning("traces cannot be sent; they are dropped until they can")
            self._failing = True
        elif self._failing:
            log.info("traces are sent again", extra={"lost_spans": self._lost})
            self._failing, self._lost = False, 0
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return self._exporter.force_flush(timeout_millis)


def _named(facts: Mapping[str, Any]) -> dict[str, Fact]:
    """Names with a dot are those of OpenTelemetry's conventions; ours begin with `ocr.`."""
    return {
        (name if "." in name else f"ocr.{name}"): value
        for name, value in facts.items()
        if isinstance(value, (str, bool, int, float))
    }

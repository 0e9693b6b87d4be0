"""Metrics with bounded labels; every series exists from the start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram, disable_created_metrics
from prometheus_client.core import UnknownMetricFamily
from prometheus_client.registry import Collector

from model_server.errors import OUTCOMES
from model_server.image_header import FORMATS
from service_kit.page import ENGINES
from service_kit.tracing import exemplar

if TYPE_CHECKING:
    from collections.abc import Iterable

    from model_server.prediction import Prediction
    from model_server.workers import Workers
    from service_kit.context import RequestContext

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60)
_CONFIDENCE = (10, 20, 30, 40, 50, 60, 70, 75, 80, 85, 90, 95, 100)
_ROTATIONS = (0, 90, 180, 270)
_SKEWED_DEGREES = 0.5
RESTART_REASONS = ("crashed", "memory", "deadline", "abandoned", "pages")


class ModelServerMetrics(Collector):
    """Observer of inference requests, and collector of the workers' own figures."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._requests = 0
        self._errors = 0
        self._in_flight = 0
        self._workers: Workers | None = None
        self._duration = Histogram(
            "kserve_inference_request_duration_seconds",
            "Time from a request's head to its answer.",
            buckets=_SECONDS,
            registry=registry,
        )
        self._outcomes = Counter(
            "ocr_requests",
            "Inference requests by outcome: ok, or an error's code.",
            ["outcome"],
            registry=registry,
        )
        self.queue_wait = Histogram(
            "ocr_queue_wait_seconds",
            "Time that a page waited for a worker.",
            buckets=_SECONDS,
            registry=registry,
        )
        self._recognition = Histogram(
            "ocr_recognition_seconds",
            "Time that a worker took for a page.",
            buckets=_SECONDS,
            registry=registry,
        )
        self._images = Counter("ocr_images", "Pages read, by format of the file.", ["format"], registry=registry)
        self._words = Counter("ocr_words", "Words read.", registry=registry)
        self._confidence = Histogram(
            "ocr_page_confidence",
            "Mean confidence of the words of a page, 0 to 100.",
            buckets=_CONFIDENCE,
            registry=registry,
        )
        self._wordless = Counter(
            "ocr_pages_without_words", "Pages read on which no word was found.", registry=registry
        )
        self._pages = Counter(
            "ocr_pages_read", "Pages read, by the engine that was used.", ["engine"], registry=registry
        )
        self._lines = Counter("ocr_lines", "Lines of pages that the neural engine may read.", registry=registry)
        self._lines_again = Counter(
            "ocr_lines_read_again",
            "Those that Tesseract had missed or doubted, and that the neural engine read.",
            registry=registry,
        )
        self._turned = Counter(
            "ocr_pages_turned",
            "Pages read, by how many degrees clockwise they were turned first.",
            ["rotation"],
            registry=registry,
        )
        self._deskewed = Counter(
            "ocr_pages_deskewed", "Pages read whose lines slanted by half a degree or more.", registry=registry
        )
        self.restarts = Counter(
            "ocr_worker_restarts", "Workers replaced, by reason.", ["reason"], registry=registry
        )
        for outcome in OUTCOMES:
            self._outcomes.labels(outcome)
        for name in FORMATS:
            self._images.labels(name)
        for engine in ENGINES:
            self._pages.labels(engine)
        for rotation in _ROTATIONS:
            self._turned.labels(rotation)
        for reason in RESTART_REASONS:
            self.restarts.labels(reason)
        registry.register(self)

    def watch(self, workers: Workers) -> None:
        self._workers = workers

    def counts(self, method: str, path: str) -> bool:
        return method == "POST" and path.endswith((":predict", "/infer", "/ModelInfer"))

    def begin(self, _request: RequestContext) -> None:
        self._in_flight += 1

    def end(self, outcome: str, status: int, request: RequestContext) -> None:
        self._in_flight -= 1
        self._requests += 1
        self._errors += outcome != "ok" or status >= 400
        self._outcomes.labels(outcome).inc()
        self._duration.observe(request.seconds(), exemplar())

    def page_read(self, page: Prediction) -> None:
        self._recognition.observe(page["duration_seconds"], exemplar())
        self._images.labels(page["format"]).inc()
        self._words.inc(len(page["words"]))
        if page["engine"] is not None:
            self._pages.labels(page["engine"]["name"]).inc()
        self._lines.inc(page["lines"])
        self._lines_again.inc(page["lines_read_again"])
        self._turned.labels(page.get("rotation", 0)).inc()
        self._deskewed.inc(abs(page.get("skew", 0.0)) >= _SKEWED_DEGREES)
        if page["confidence"] is None:
            self._wordless.inc()
        else:
            self._confidence.observe(page["confidence"])

    def collect(self) -> Iterable[UnknownMetricFamily]:
        """Metrics with exactly the names that dashboards expect: a Counter would add `_total`."""
        workers = self._workers
        for name, text, value in (
            ("kserve_inference_request_count", "Inference requests answered.", self._requests),
            (
                "kserve_inference_request_error_count",
                "Inference requests answered with an error.",
                self._errors,
            ),
            ("ocr_in_flight", "Inference requests being served.", self._in_flight),
            ("ocr_queue_length", "Pages that wait for a worker.", len(workers.queue) if workers else 0),
            ("ocr_workers_configured", "Number of workers configured.", workers.size if workers else 0),
            ("ocr_workers_alive", "Workers that are idle or reading a page.", workers.alive if workers else 0),
        ):
            yield UnknownMetricFamily(name, text, value)

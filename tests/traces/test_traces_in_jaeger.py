"""Traces of requests, documents and jobs, found in a real Jaeger by the ids that clients and logs have."""

from __future__ import annotations

import io
from typing import Any

import httpx
import pytest
from PIL import Image

from tests import tensor_calls
from tests.faults import engines
from tests.faults.engines import Fault
from tests.faults.receiver import receiving
from tests.jobs.over_http import events, submitted
from tests.traces.conftest import Traced
from tests.traces.jaeger import SLACK, Span

LATE = 0.5  # seconds, on a busy machine
OCR = "/gateway/ocr"
PICTURE = {
    "upload.begin": 1, "upload.rest": 1, "call_model_server": 1, "queue": 1, "worker": 1, "decode": 1,
    "first_reading": 1,
}  # fmt: skip
PREDICT = "POST /v1/models/{model_name}:predict"


def read(client: httpx.Client, data: bytes, query: str = "", **headers: str) -> httpx.Response:
    return client.post(OCR + query, files={"image_file": ("a", data)}, headers=headers)


def id_of(answer: httpx.Response) -> str:
    version, trace_id, _, flags = answer.headers["traceresponse"].split("-")
    assert (version, flags) == ("00", "01")
    return str(trace_id)


def tiff(*pictures: bytes) -> bytes:
    first, *rest = (Image.open(io.BytesIO(data)) for data in pictures)
    stream = io.BytesIO()
    first.save(stream, "TIFF", save_all=True, append_images=rest)
    return stream.getvalue()


def check_times(span: Span) -> None:
    """Every span lies within its parent, and spans of one step after the other add up to no more than it."""
    for child in span.children:
        assert child.began >= span.began - SLACK, f"{child} begins before {span}"
        # A server notes its end after it has sent its answer, when the caller may have it already.
        slack = SLACK if child.service == span.service else LATE
        assert child.ended <= span.ended + slack, f"{child} ends after {span}"
        check_times(child)
    in_turn = [child for child in span.children if child.name != "page"]
    slack = max((SLACK if child.service == span.service else LATE for child in in_turn), default=0)
    assert sum(child.seconds for child in in_turn) <= span.seconds + len(in_turn) * slack, str(span)


def test_a_picture_is_one_trace_through_both_services(
    traced: Traced, client: httpx.Client, label_png: bytes
) -> None:
    answer = read(client, label_png, **{"x-request-id": "picture-1"})
    assert answer.status_code == 200
    trace_id = id_of(answer)
    for log in (traced.gateway_log, traced.model_log):
        (line,) = traced.lines(log, "request", request_id="picture-1")
        assert line["trace_id"] == trace_id
    root = traced.jaeger.trace(trace_id, **PICTURE, render=1)
    check_times(root)
    assert (root.name, root.service) == ("POST /gateway/ocr", "api-gateway")
    assert root.tags["ocr.request_id"] == "picture-1"
    assert root.tags["http.response.status_code"] == 200
    assert root.tags["ocr.words"] > 0
    call = root.one("call model server")
    server = root.one(PREDICT)
    assert server.parent is call
    assert server.service == "model-server"
    assert {child.name for child in server.children} == {"queue", "worker"}
    worker = server.one("worker")
    assert [child.name for child in worker.children] == ["decode", "first reading"]
    assert worker.tags["ocr.engine"] == "tesseract"
    assert worker.tags["ocr.words"] == root.tags["ocr.words"]
    reading = sum(child.seconds for child in worker.children)
    recognition = server.tags["ocr.recognition_seconds"]
    assert recognition - 0.005 <= reading <= recognition + SLACK
    assert {child.name for child in root.children} >= {"upload.begin", "upload.rest", "render"}


def test_a_document_shows_each_page_and_each_repeated_call(
    traced: Traced, client: httpx.Client, label_png: bytes
) -> None:
    data = tiff(label_png, engines.picture(Fault.SEGFAULT), label_png)
    answer = read(client, data, "?format=json")
    assert answer.status_code == 200
    assert answer.json()["status"] == "partial"
    counts = {"page": 3, "split": 3, "call_model_server": 5, "worker": 5, "queue": 5, "first_reading": 2}
    root = traced.jaeger.trace(id_of(answer), **counts, open_document=1, record_page=3)
    check_times(root)
    assert [page.tags["ocr.page"] for page in root.named("page")] == [1, 2, 3]
    assert len(root.named("open document")) == 1
    for page in root.named("page"):
        assert page.one("split").parent is page
        repeated = [event["ocr.attempts"] for event in page.events if event["event"] == "page put back"]
        calls = page.named("call model server")
        if page.tags["ocr.page"] == 2:
            assert page.tags["error.type"] == "worker_crashed"
            assert repeated == [1, 2]
            assert len(calls) == 3
            assert {worker.tags["error.type"] for worker in page.named("worker")} == {"crashed"}
        else:
            assert "error.type" not in page.tags
            assert not repeated
            assert len(calls) == 1
        assert all(call.children[0].name == PREDICT for call in calls)
    assert {line["trace_id"] for line in traced.lines(traced.gateway_log, "page put back")} == {id_of(answer)}
    (died, *_) = traced.lines(traced.model_log, "worker died")
    assert died["trace_id"] == id_of(answer)


def test_a_searchable_pdf_shows_its_composer(traced: Traced, client: httpx.Client, label_png: bytes) -> None:
    answer = read(client, label_png, "?format=pdf")
    assert answer.status_code == 200
    root = traced.jaeger.trace(id_of(answer), **PICTURE, compose=1)
    check_times(root)
    assert root.one("compose").parent is root


def test_the_client_s_trace_goes_on_and_its_wish_is_honoured(
    traced: Traced, client: httpx.Client, label_png: bytes
) -> None:
    mine, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    answer = read(client, label_png, traceparent=f"00-{mine}-{parent}-01", tracestate="vendor=1")
    assert id_of(answer) == mine
    root = traced.jaeger.trace(mine, **PICTURE, render=1)
    assert root.one(PREDICT).service == "model-server"

    unwanted = "5bf92f3577b34da6a3ce929d0e0e4737"
    answer = read(client, label_png, traceparent=f"00-{unwanted}-{parent}-00", **{"x-request-id": "unwanted"})
    assert answer.status_code == 200
    assert "traceresponse" not in answer.headers
    for log in (traced.gateway_log, traced.model_log):
        (line,) = traced.lines(log, "request", request_id="unwanted")
        assert "trace_id" not in line
    later = id_of(read(client, label_png))  # sent after it, by the same exporters
    traced.jaeger.trace(later, **PICTURE, render=1)
    assert not traced.jaeger.knows(unwanted)

    answer = read(client, label_png, traceparent="00-broken")
    assert answer.status_code == 200
    assert id_of(answer)


@pytest.mark.parametrize(
    ("data", "query", "status", "code", "is_error"),
    [
        (b"no picture at all", "", 415, "not_an_image", False),
        (b"", "?psm=99", 400, "bad_psm", False),
        (engines.picture(Fault.SEGFAULT), "", 503, "worker_crashed", True),
    ],
)
def test_a_refused_or_failed_request_is_found_by_its_problem(
    traced: Traced, client: httpx.Client, data: bytes, query: str, status: int, code: str, *, is_error: bool
) -> None:
    answer = read(client, data, query)
    problem: dict[str, Any] = answer.json()
    assert (answer.status_code, problem["code"]) == (status, code)
    assert problem["trace_id"] == id_of(answer)
    root = traced.jaeger.trace(problem["trace_id"], **{"POST_/gateway/ocr": 1})
    assert root.tags["ocr.outcome"] == code
    assert root.tags["http.response.status_code"] == status
    assert ("error" in root.tags) == is_error, "a client's mistake is no error of the server"


def test_a_job_is_one_trace_from_its_request_to_its_webhook(
    traced: Traced, client: httpx.Client, label_png: bytes
) -> None:
    with receiving() as receiver:
        job = submitted(client, tiff(label_png, label_png), webhook_url=receiver.url())
        end = [*events(client, job["id"])][-1].data  # its webhook may be delivered a moment later
        assert end["status"] == "complete"
        assert end["trace_id"] == job["trace_id"]
        root = traced.jaeger.trace(
            job["trace_id"], webhook=1, job_attempt=1, wait_for_a_worker=1, page=2, worker=2, record_page=2
        )
        attempt = root.one("job attempt")
        assert attempt.parent is root
        assert attempt.tags["ocr.job"] == job["id"]
        assert attempt.tags["ocr.outcome"] == "finished"
        assert root.one("wait for a worker").ended <= attempt.began + SLACK
        assert len(attempt.named("page")) == len(attempt.named(PREDICT)) == 2
        check_times(attempt)
        hook = root.one("webhook")
        assert hook.tags["ocr.status"] == 204
        assert hook.began >= max(page.began for page in attempt.named("page"))
        (delivery,) = receiver.arrived(job["id"])
        assert delivery.headers["traceparent"].split("-")[1] == job["trace_id"]
    for event in ("job", "webhook"):
        (line,) = traced.lines(traced.gateway_log, event, job=job["id"])
        assert line["trace_id"] == job["trace_id"]


@pytest.mark.parametrize("transport", ["http", "grpc"])
def test_docling_s_calls_go_on_with_the_client_s_trace(
    traced: Traced, label_png: bytes, transport: tensor_calls.Transport
) -> None:
    mine = {"http": "6bf92f3577b34da6a3ce929d0e0e4736", "grpc": "7bf92f3577b34da6a3ce929d0e0e4736"}[transport]
    picture = tensor_calls.tensor_of(Image.open(io.BytesIO(label_png)))
    headers = {"traceparent": f"00-{mine}-00f067aa0ba902b7-01"}
    if transport == "http":
        body, more = tensor_calls.http_call(picture)
        url = f"{traced.model.url}/v2/models/ocr-model/infer"
        assert httpx.post(url, content=body, headers={**more, **headers}, timeout=60).status_code == 200
    else:
        with tensor_calls.stub(traced.model) as stub:
            stub.ModelInfer(tensor_calls.infer_request(picture), metadata=[*headers.items()], timeout=60)
    root = traced.jaeger.trace(mine, queue=1, worker=1, decode=1, first_reading=1)
    check_times(root)
    assert root.service == "model-server"
    assert [child.name for child in root.children] == ["queue", "worker"]


def test_durations_have_the_trace_as_exemplar_in_openmetrics_only(
    traced: Traced, client: httpx.Client, label_png: bytes
) -> None:
    trace_id = id_of(read(client, label_png))
    wanted = {
        traced.gateway: ("gateway_request_duration_seconds", "gateway_upstream_seconds"),
        traced.model: (
            "kserve_inference_request_duration_seconds", "ocr_queue_wait_seconds", "ocr_recognition_seconds",
        ),
    }  # fmt: skip
    for service, names in wanted.items():
        accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"  # as Prometheus asks
        found = httpx.get(f"{service.url}/metrics", headers={"accept": accept}, timeout=10)
        assert found.headers["content-type"].startswith("application/openmetrics-text")
        for name in names:
            samples = [line for line in found.text.splitlines() if line.startswith(f"{name}_bucket")]
            assert [line for line in samples if f'# {{trace_id="{trace_id}"}}' in line], name
        classic = httpx.get(f"{service.url}/metrics", headers={"accept": "text/plain"}, timeout=10)
        assert classic.headers["content-type"].startswith("text/plain")
        assert "trace_id" not in classic.text

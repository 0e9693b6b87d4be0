"""Health, metrics and logs, as an operator sees them."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import Launch, Pair
from tests.documents.stand_in import until


def samples(client: httpx.Client) -> dict[str, float]:
    """The value of each series, by the series' text."""
    families = text_string_to_metric_families(client.get("/metrics").text)
    return {
        sample.name + "".join(f",{k}={v}" for k, v in sorted(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def lines(log: Path, request_id: str) -> list[dict[str, object]]:
    """The log lines of one request; the last may be written after the answer has arrived."""
    parsed = map(json.loads, log.read_text().splitlines())
    return [line for line in parsed if line.get("request_id") == request_id]


def test_health(gateway: httpx.Client) -> None:
    assert gateway.get("/health/live").json() == {"status": "alive"}
    assert gateway.get("/health/serving").json() == {"status": "serving"}
    assert gateway.get("/health/ready").json() == {"status": "ready"}


def test_not_ready_without_a_model_server(launch: Launch) -> None:
    with launch() as pair:
        pair.model.stop()
        for path in ("/health/live", "/health/serving"):
            assert httpx.get(pair.gateway.url + path).status_code == 200
        response = httpx.get(pair.gateway.url + "/health/ready")
        assert (response.status_code, response.json()["code"]) == (503, "not_ready")
        response = httpx.get(pair.gateway.url + "/gateway/languages")
        assert (response.status_code, response.json()["code"]) == (503, "model_server_unreachable")


def test_each_request_moves_the_counters_by_one(
    gateway: httpx.Client, model: httpx.Client, label_png: bytes
) -> None:
    before = samples(gateway) | samples(model)
    gateway.post("/gateway/ocr", files={"image_file": ("x", label_png)})
    gateway.post("/gateway/ocr", files={"image_file": ("x", b"not an image")})
    gateway.post("/gateway/ocr", content=b"")  # never reaches the model server
    after = samples(gateway) | samples(model)
    moved = {name: after[name] - value for name, value in before.items() if after[name] != value}
    expected = {
        "gateway_requests_total,contract=gateway,outcome=ok,status=200": 1,
        "gateway_requests_total,contract=gateway,outcome=not_an_image,status=415": 1,
        "gateway_requests_total,contract=gateway,outcome=unsupported_media_type,status=415": 1,
        "gateway_request_duration_seconds_count": 3,
        "gateway_upstream_seconds_count": 2,
        "kserve_inference_request_count": 2,
        "kserve_inference_request_error_count": 1,
        "kserve_inference_request_duration_seconds_count": 2,
        "ocr_requests_total,outcome=ok": 1,
        "ocr_requests_total,outcome=not_an_image": 1,
        "ocr_images_total,format=png": 1,
        "ocr_queue_wait_seconds_count": 1,
        "ocr_recognition_seconds_count": 1,
        "ocr_page_confidence_count": 1,
    }
    assert {name: moved.get(name) for name in expected} == expected
    assert not {name for name in moved if name.startswith(("gateway_requests", "ocr_requests"))} - set(expected)
    assert moved["ocr_words_total"] > 1
    assert moved["gateway_received_bytes_total"] > len(label_png)


def test_every_series_is_there_from_the_start(launch: Launch) -> None:
    with launch() as pair, httpx.Client() as client:
        found = samples_at(client, pair.model.url)
        for name in ("kserve_inference_request_count", "kserve_inference_request_error_count"):
            assert found[name] == 0
        assert found["kserve_inference_request_duration_seconds_count"] == 0
        assert found["kserve_inference_request_duration_seconds_bucket,le=0.005"] == 0
        assert found["kserve_inference_request_duration_seconds_bucket,le=60.0"] == 0
        assert found["ocr_worker_restarts_total,reason=crashed"] == 0
        assert found["ocr_requests_total,outcome=overloaded"] == 0
        assert found["ocr_workers_configured"] > 0
        assert found["ocr_workers_alive"] > 0  # ready with the first; the others follow
        name = "gateway_requests_total,contract=gateway,outcome=ok,status=200"
        assert samples_at(client, pair.gateway.url)[name] == 0


def samples_at(client: httpx.Client, url: str) -> dict[str, float]:
    client.base_url = url
    return samples(client)


def test_one_line_a_request_in_both_logs_with_its_id(gateway: httpx.Client, pair: Pair, label_png: bytes) -> None:
    sent = {"x-request-id": "find-me-1"}
    gateway.post("/gateway/ocr", files={"image_file": ("secret.png", label_png)}, headers=sent)
    (theirs,) = until(lambda: lines(pair.model_log, "find-me-1"))
    (ours,) = until(lambda: lines(pair.gateway_log, "find-me-1"))
    assert ours["event"] == theirs["event"] == "request"
    assert (ours["status"], ours["outcome"], ours["pages"]) == (200, "ok", 1)
    assert ours["words"] == theirs["words"]
    assert isinstance(ours["received_bytes"], int)
    assert ours["received_bytes"] > len(label_png)
    assert ours["seconds"] >= ours["upstream_seconds"] > 0
    everything = pair.gateway_log.read_text() + pair.model_log.read_text()
    assert "secret.png" not in everything
    assert "Traceback" not in everything

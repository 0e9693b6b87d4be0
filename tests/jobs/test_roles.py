"""A gateway that takes jobs and a worker that reads them, with PostgreSQL between them."""

from __future__ import annotations

import httpx

from scripts import services
from tests.documents.stand_in import ModelServer, serving, until
from tests.jobs.desk import picture
from tests.jobs.postgres import PostgresServer


def test_one_process_takes_jobs_and_another_reads_them(postgres: PostgresServer) -> None:
    server = ModelServer()
    settings = {"API_GATEWAY_JOBS_DATABASE_URL": postgres.create(), "API_GATEWAY_SHUTDOWN_DELAY_SECONDS": "0"}
    with serving(server) as url, httpx.Client(timeout=30, trust_env=False) as client:  # noqa: SIM117 - the url first
        with services.api_gateway(url, {**settings, "API_GATEWAY_JOBS_ROLE": "gateway"}) as gateway:
            answer = client.post(f"{gateway.url}/gateway/jobs", files={"image_file": ("x", picture())})
            assert answer.status_code == 202, answer.text
            job = f"{gateway.url}/gateway/jobs/{answer.json()['id']}"
            with services.api_gateway(url, {**settings, "API_GATEWAY_JOBS_ROLE": "worker"}) as worker:
                until(lambda: client.get(job).json()["status"] == "complete")
                for path in ("/gateway/jobs", "/gateway/languages", "/docs", "/docs/start.js", "/openapi.json"):
                    assert client.get(worker.url + path).status_code == 404
                for path in ("/gateway/ocr", "/gateway/previews"):
                    assert client.post(worker.url + path).status_code == 404
                for path in ("/health/live", "/health/ready", "/metrics"):
                    assert client.get(worker.url + path).status_code == 200
                assert (
                    'gateway_jobs_attempts_total{outcome="finished"} 1.0'
                    in client.get(f"{worker.url}/metrics").text
                )
            again = client.post(f"{gateway.url}/gateway/jobs", files={"image_file": ("x", picture())}).json()["id"]
            assert client.get(f"{gateway.url}/gateway/jobs/{again}").json()["status"] == "queued"
            assert 'outcome="finished"} 0.0' in client.get(f"{gateway.url}/metrics").text

"""The body of a webhook."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import get_args

import pytest

from api_gateway.jobs.job import FINAL, Job, State
from api_gateway.jobs.webhooks.event import event_body
from api_gateway.order import Order
from service_kit.page import Parameters

JOB = Job(
    id="job_1",
    tenant="anna",
    batch=None,
    state="partial",
    order=Order(Parameters(("eng",), 3), "json"),
    kind="pdf",
    size=1000,
    password="secret",
    dpi=None,
    page_count=5,
    pages_total=4,
    pages_done=4,
    pages_failed=1,
    attempts=0,
    code=None,
    detail=None,
    webhook_url="https://hooks.example.com/token",
    webhook_state="pending",
    result_url=None,
    result_state=None,
    ttl_seconds=3600,
    created=1795910000.0,
    started=1795910001.0,
    finished=1795910002.25,
    expires=1795913602.25,
)


def test_the_event_says_how_the_job_ended_and_where_its_result_is() -> None:
    assert json.loads(event_body(JOB, "https://ocr.example.com/")) == {
        "type": "ocr.job.partial",
        "timestamp": "2026-11-28T23:53:22.250Z",
        "data": {
            "id": "job_1",
            "status": "partial",
            "batch": None,
            "pages_total": 4,
            "pages_done": 4,
            "pages_failed": 1,
            "url": "https://ocr.example.com/gateway/jobs/job_1",
        },
    }


def test_a_failed_job_has_its_code_and_a_link_without_a_public_url_is_a_path() -> None:
    failed = replace(JOB, state="failed", code="damaged_document", detail="something about the text")
    event = json.loads(event_body(failed, ""))
    assert event["type"] == "ocr.job.failed"
    assert event["data"]["code"] == "damaged_document"
    assert event["data"]["url"] == "/gateway/jobs/job_1"
    assert "secret" not in event_body(failed, "").decode()
    assert "something" not in event_body(failed, "").decode()


@pytest.mark.parametrize("state", get_args(State))
def test_only_a_job_that_has_ended_has_an_event(state: State) -> None:
    if state in FINAL:
        assert json.loads(event_body(replace(JOB, state=state), ""))["type"] == f"ocr.job.{state}"
    else:
        with pytest.raises(ValueError, match=state):
            event_body(replace(JOB, state=state), "")

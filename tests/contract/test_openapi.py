"""The gateway's own description, explored by schemathesis: whatever it allows is answered as it says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.conftest import Launch, Pair

OPERATIONS = [
    "POST /gateway/ocr",
    "POST /gateway/previews",
    "POST /gateway/jobs",
    "GET /gateway/jobs",
    "GET /gateway/jobs/backlog",
    "GET /gateway/jobs/{job_id}",
    "DELETE /gateway/jobs/{job_id}",
    "GET /gateway/jobs/{job_id}/result",
    "GET /gateway/jobs/{job_id}/events",
    "GET /gateway/languages",
    "GET /health/live",
    "GET /health/ready",
    "GET /health/serving",
    "GET /metrics",
    *(
        f"{call}"
        for prefix in ("/documentintelligence", "/formrecognizer")
        for call in (
            f"POST {prefix}/documentModels/{{model}}:analyze",
            f"GET {prefix}/documentModels/{{model}}/analyzeResults/{{result_id}}",
            f"DELETE {prefix}/documentModels/{{model}}/analyzeResults/{{result_id}}",
            f"GET {prefix}/documentModels/{{model}}/analyzeResults/{{result_id}}/pdf",
        )
    ),
    "PUT /process",
    "POST /v1/ocr",
    "POST /v1/files",
    "GET /v1/files/{file_id}",
    "DELETE /v1/files/{file_id}",
    "GET /v1/files/{file_id}/url",
    "POST /liteparse/ocr",
    "GET /tika",
    "PUT /tika",
    "POST /tika/form",
    "PUT /tika/text",
    "POST /tika/form/text",
    "PUT /rmeta",
    "POST /rmeta/form",
    "PUT /rmeta/text",
    "POST /rmeta/form/text",
    "PUT /meta",
    "POST /meta/form",
    "GET /version",
]


@pytest.fixture(scope="module")
def with_jobs(launch: Launch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with launch(gateway={"JOBS_DIR": str(tmp_path_factory.mktemp("jobs"))}) as started:
        yield started


@pytest.fixture(scope="module")
def operations(with_jobs: Pair) -> dict[str, Any]:
    schema = schemathesis.openapi.from_url(f"{with_jobs.gateway.url}/openapi.json")
    found: list[Any] = [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]
    return {f"{operation.method.upper()} {operation.path}": operation for operation in found}


def test_every_operation_is_explored(operations: dict[str, Any]) -> None:
    assert sorted(operations) == sorted(OPERATIONS)


@pytest.mark.parametrize("name", OPERATIONS)
def test_answers_are_as_described(operations: dict[str, Any], name: str) -> None:
    """Whatever the description allows, and some that it does not."""
    operation = operations[name]

    examples = 60 if "/gateway/" in name else 20

    @settings(max_examples=examples, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(case=st.one_of(operation.as_strategy(), operation.as_strategy(GenerationMode.NEGATIVE)))
    def explore(case: Any) -> None:
        assume(is_form(case))
        response = case.call(timeout=60)
        if response.status_code in (408, 504):  # a budget of 5e-324 seconds is a valid one, and soon used up
            if "problem+json" in response.headers["content-type"][0]:
                assert response.json()["code"] in ("upload_too_slow", "deadline_exceeded")
            return
        case.validate_response(response, excluded_checks=[positive_data_acceptance])  # any bytes are no picture

    explore()


def is_form(case: Any) -> bool:
    """Whether a form can say this: it has no null, and a field that is left out is another case."""
    fields = case.body.values() if isinstance(case.body, dict) else ()
    return not any(value is None or (isinstance(value, list) and None in value) for value in fields)


def test_every_code_is_described(with_jobs: Pair) -> None:
    document = httpx.get(f"{with_jobs.gateway.url}/openapi.json", trust_env=False).json()
    paths = document["paths"]
    read, submitted = (paths[path]["post"]["responses"] for path in ("/gateway/ocr", "/gateway/jobs"))
    from api_gateway.errors import OUTCOMES  # noqa: PLC0415

    never_sent = {"client_gone", "client_too_slow"}
    elsewhere = {"not_found", "method_not_allowed"}
    for status, code in OUTCOMES:
        if code not in never_sent | elsewhere:
            described = [responses.get(str(status), {}).get("description", "") for responses in (read, submitted)]
            assert any(code in description for description in described), (status, code)


def test_the_page_of_documentation(gateway: httpx.Client) -> None:
    assert "swagger" in gateway.get("/docs").text

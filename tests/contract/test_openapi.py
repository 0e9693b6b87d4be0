"""The gateway's own description, explored by schemathesis: whatever it allows is answered as it says."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.conftest import Pair

OPERATIONS = [
    "POST /gateway/ocr",
    "GET /gateway/languages",
    "GET /health/live",
    "GET /health/ready",
    "GET /health/serving",
    "GET /metrics",
]


@pytest.fixture(scope="module")
def operations(pair: Pair) -> dict[str, Any]:
    schema = schemathesis.openapi.from_url(f"{pair.gateway.url}/openapi.json")
    found: list[Any] = [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]
    return {f"{operation.method.upper()} {operation.path}": operation for operation in found}


def test_every_operation_is_explored(operations: dict[str, Any]) -> None:
    assert sorted(operations) == sorted(OPERATIONS)


@pytest.mark.parametrize("name", OPERATIONS)
def test_answers_are_as_described(operations: dict[str, Any], name: str) -> None:
    """Whatever the description allows, and some that it does not."""
    operation = operations[name]

    @settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(case=st.one_of(operation.as_strategy(), operation.as_strategy(GenerationMode.NEGATIVE)))
    def explore(case: Any) -> None:
        response = case.call()
        if response.status_code in (408, 504):  # a budget of 5e-324 seconds is a valid one, and soon used up
            assert response.json()["code"] in ("upload_too_slow", "deadline_exceeded")
            return
        case.validate_response(response, excluded_checks=[positive_data_acceptance])  # any bytes are no picture

    explore()


def test_every_code_is_described(gateway: httpx.Client) -> None:
    responses = gateway.get("/openapi.json").json()["paths"]["/gateway/ocr"]["post"]["responses"]
    from api_gateway.errors import OUTCOMES  # noqa: PLC0415

    never_sent = {"client_gone", "client_too_slow"}
    elsewhere = {"not_found", "method_not_allowed"}
    for status, code in OUTCOMES:
        if code not in never_sent | elsewhere:
            assert code in responses[str(status)]["description"], (status, code)


def test_the_page_of_documentation(gateway: httpx.Client) -> None:
    assert "swagger" in gateway.get("/docs").text
